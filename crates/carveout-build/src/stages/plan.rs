//! The memory plan of a product, once its trusted apps are built.

use super::secure_os;
use crate::apps::Built;
use crate::errors::{BootConfigError, SecureOsError};
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_product::Build;
use carveout_vendor::bsp::Bsp;
use stage_cache::Output;
use std::fs;
use std::path::Path;
use tegra_flash::Layout;
use tegra_flash::slots::SECURE_OS;
use trusty_image::plan::Request;
use trusty_image::stock::{self, Stock};
use trusty_image::{Container, Plan};

/// What is planned before there is an image. The layout of an L4T board is in its BSP; without it the partition's size is not known.
pub fn request(build: &Build, apps: &[Built], bsp: Option<&Bsp>) -> Result<Request> {
    let product = build.product;
    let layout = match (&product.board.l4t, bsp) {
        (Some(_), None) => None,
        (_, bsp) => {
            Some(bsp.map_or_else(|| product.board.layout.clone(), |bsp| bsp.path(&product.board.layout)))
        }
    };
    // The virt board has no monitor, and none of NVIDIA's trusted apps.
    let stock = match &product.l4t {
        None => Stock::default(),
        Some(l4t) => Stock { monitor: true, apps: stock::memory(l4t.stock_trusted_apps.as_deref()) },
    };
    let request = Request::new(product.tzdram, stock, apps.iter().map(Built::planned).collect())
        .with_soc(product.board.soc());
    Ok(request.with_partition(layout.map(|layout| partition(&layout)).transpose()?.flatten()))
}

/// The same with the image that was built.
pub fn with_image(request: Request, image: &Output) -> Result<Request> {
    let path = image.dir.join(secure_os::IMAGE);
    let bytes = files::read(&path)?;
    let container =
        Container::parse(&bytes).map_err(|e| SecureOsError::Unreadable { path, source: e.into() })?;
    Ok(request.with_image(&container, bytes.len() as u64))
}

/// Bytes of the partition that the image goes to.
fn partition(layout: &Path) -> Result<Option<u64>> {
    let text = fs::read_to_string(layout).at(layout)?;
    let parsed = Layout::parse(&text)
        .map_err(|e| BootConfigError::Layout { layout: layout.display().to_string(), source: e.into() })?;
    Ok(parsed.partition(SECURE_OS[0]).and_then(|partition| partition.size.number()))
}

/// Plans, and refuses what would fail on the device.
pub fn checked(build: &Build, request: &Request) -> Result<Plan> {
    let plan = Plan::new(request);
    findings(&build.product.path, &plan).map(|()| plan).map_err(|error| match error.remedy.clone() {
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
