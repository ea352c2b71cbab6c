//! The memory plan of a product, once its trusted apps are built.

use super::{Build, secure_os, trusted_apps};
use crate::config::AppSource;
use crate::error::{At, Error, Result};
use crate::stage::Output;
use std::fs;
use tegra_flash::Layout;
use trusty_image::plan::{PlannedApp, Request};
use trusty_image::{Container, Plan};

/// The partition that the image goes to.
const PARTITION: &str = "secure-os";

/// Plans with the trusted apps, and the secure-os image if it is built.
pub fn of(build: &Build, apps: &Output, image: Option<&Output>) -> Result<Plan> {
    let product = build.product;
    let apps = trusted_apps::read(product, &apps.dir)?.into_iter().map(|built| PlannedApp {
        name: built.app.name.clone(),
        heap_demand: match &built.app.source {
            AppSource::Package(declaration) => declaration.heap_demand,
            AppSource::Elf(_) => None,
        },
        app: built.elf,
        file_size: built.size,
    });
    let image = image.map(|output| {
        let path = output.dir.join(secure_os::IMAGE);
        fs::read(&path).at(&path)
    });
    let image = image.transpose()?;
    let monitor = image.as_deref().and_then(|image| Container::parse(image).ok());
    let layout = &product.board.layout;
    let text = fs::read_to_string(layout).at(layout)?;
    let parsed = Layout::parse(&text).map_err(|e| Error::usage(format!("{}: {e}", layout.display())))?;
    let request = Request {
        tzdram: product.tzdram_size,
        alignment: product.tzdram_alignment,
        monitor: monitor.is_some_and(|container| !container.monitor.is_empty()),
        apps: apps.collect(),
        image: image.as_ref().map(|image| image.len() as u64),
        partition: parsed.partition(PARTITION).and_then(|partition| partition.size.number()),
    };
    Ok(Plan::new(&request))
}

/// Refuses a plan that would fail on the device.
pub fn check(build: &Build, plan: &Plan) -> Result<()> {
    let errors: Vec<_> = plan.errors().collect();
    let Some(first) = errors.first() else { return Ok(()) };
    let list: Vec<String> = errors.iter().map(|finding| format!("  {finding}")).collect();
    let path = build.product.path.display();
    let message = format!("{path}: this would fail on the device:\n{}", list.join("\n"));
    Err(Error::check(message).remedy(format!("{}; cargo xtask plan shows the whole", first.remedy)))
}
