//! The secure-os image: the TAs in an NVTOSP container.

use super::trusted_apps;
use crate::errors::SecureOsError;
use carveout_host::error::{At, Result};
use carveout_product::Build;
use stage_cache::{Key, Output};
use std::fs;
use trusty_image::{Container, TosType, tasks};

/// Name of the image.
pub const IMAGE: &str = "tos.img";

/// The image's directory. The virt board has no monitor and no kernel: the TAs alone are the OS part.
pub fn run(build: &Build, apps: &Output) -> Result<Output> {
    let order: Vec<String> =
        build.product.trusted_apps.iter().map(|app| trusted_apps::file_name(&app.name)).collect();
    let key =
        Key::of(crate::code(file!())).with("trusted apps", &apps.content).with("order", order.join(" "));
    build.cache.stage("secure-os", key, |work| {
        let mut elves = Vec::new();
        for name in &order {
            let path = apps.dir.join(name);
            elves.push(fs::read(&path).at(&path)?);
        }
        let tasks = tasks::concatenate(elves.iter().map(Vec::as_slice))
            .map_err(|e| SecureOsError::NotJoined { source: e.into() })?;
        let image = Container::pack(&[], &tasks, TosType::Trusty)
            .map_err(|e| SecureOsError::NotPacked { source: e.into() })?;
        let path = work.out.join(IMAGE);
        fs::write(&path, image).at(&path)
    })
}
