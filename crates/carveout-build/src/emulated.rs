//! What was built, as the desk runs it.

use crate::apps::Apps;
use crate::stages::{kernel, secure_os, trusted_apps};
use carveout_desk::emulate::EmulationTarget;
use carveout_host::error::Result;
use carveout_host::files;
use carveout_product::Build;
use stage_cache::Output;
use std::collections::BTreeMap;
use trusty_image::Plan;

/// The trusted apps of a product in their image.
pub fn target(build: &Build, apps: &Apps, image: &Output, planned: &Plan) -> Result<EmulationTarget> {
    let symbols = image.dir.join(kernel::SYMBOLS);
    let kernel = if symbols.exists() { Some(files::read(&symbols)?) } else { None };
    let image = files::read(&image.dir.join(secure_os::IMAGE))?;
    let (mut entries, mut lines) = (Vec::new(), BTreeMap::new());
    for built in &apps.built {
        let entry = built.entry();
        let path = apps.symbols.dir.join(trusted_apps::symbols_name(&built.name));
        if path.exists() {
            lines.insert(entry.symbols(), files::read(&path)?);
        }
        entries.push(entry);
    }
    let memory = u64::try_from(planned.memory.free).ok();
    Ok(EmulationTarget {
        image,
        apps: entries,
        tzdram: Some(build.product.tzdram),
        memory,
        kernel,
        symbols: lines,
        sources: trusted_apps::sources_in_c(build)?,
        ..EmulationTarget::default()
    })
}
