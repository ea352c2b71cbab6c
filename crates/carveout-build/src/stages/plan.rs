//! The memory plan of a product, once its trusted apps are built.

use super::{secure_os, trusted_apps};
use crate::errors::{BootConfigError, SecureOsError};
use carveout_host::error::{At, Error, Result};
use carveout_product::AppSource;
use carveout_product::Build;
use carveout_vendor::bsp::Bsp;
use stage_cache::Output;
use std::fs;
use std::path::Path;
use tegra_flash::Layout;
use tegra_flash::slots::SECURE_OS;
use trusty_image::plan::{PlannedApp, Request};
use trusty_image::{Container, Plan, stock, tasks};

/// Plans with the trusted apps, and the secure-os image if it is built. The layout of an L4T board is in its BSP; without it
/// the partition's size is not known.
pub fn of(build: &Build, apps: &Output, image: Option<&Output>, bsp: Option<&Bsp>) -> Result<Plan> {
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
    let layout = match (&product.board.l4t, bsp) {
        (Some(_), None) => None,
        (_, bsp) => {
            Some(bsp.map_or_else(|| product.board.layout.clone(), |bsp| bsp.path(&product.board.layout)))
        }
    };
    let partition = layout.map(|layout| partition(&layout)).transpose()?.flatten();
    let container = image.as_deref().and_then(|image| Container::parse(image).ok());
    // What the image holds, or will hold. The virt board has no kernel, and none of NVIDIA's trusted apps.
    let stock = match (&product.board.l4t, &container) {
        (None, _) => Vec::new(),
        (Some(_), Some(container)) => tasks::stock_memory(container.os, product.trusted_apps.len()),
        (Some(_), None) => {
            stock::memory(product.l4t.as_ref().and_then(|l4t| l4t.stock_trusted_apps.as_deref()))
        }
    };
    let request = Request {
        tzdram: product.tzdram,
        // Real boards have one, whether the image is built or not.
        monitor: product.board.l4t.is_some()
            || container.is_some_and(|container| !container.monitor.is_empty()),
        stock,
        apps: apps.collect(),
        image: image.as_ref().map(|image| image.len() as u64),
        partition,
    };
    Ok(Plan::new(&request))
}

/// Bytes of the partition that the image goes to.
fn partition(layout: &Path) -> Result<Option<u64>> {
    let text = fs::read_to_string(layout).at(layout)?;
    let parsed = Layout::parse(&text)
        .map_err(|e| BootConfigError::Layout { layout: layout.display().to_string(), source: e.into() })?;
    Ok(parsed.partition(SECURE_OS[0]).and_then(|partition| partition.size.number()))
}

/// Refuses a plan that would fail on the device.
pub fn check(build: &Build, plan: &Plan) -> Result<()> {
    findings(&build.product.path, plan).map_err(|error| match error.remedy.clone() {
        Some(remedy) => error.remedy(format!("{remedy}; cargo xtask plan shows the whole")),
        None => error,
    })
}

/// Refuses a plan with findings that are errors. `path`: what it is of.
pub fn findings(path: &Path, plan: &Plan) -> Result<()> {
    let errors: Vec<_> = plan.errors().collect();
    if errors.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = errors.iter().map(|finding| format!("  {finding}")).collect();
    let error = SecureOsError::WouldFail { path: path.into(), findings: serde_json::json!(errors) };
    Err(Error::from(error).with_lines(list.join("\n")))
}
