//! The secure-os image of an L4T board: NVIDIA's Trusty kernel with the product's trusted apps, and the monitor.

use super::{secure_os, trusted_apps};
use crate::errors::SecureOsError;
use carveout_host::error::{At, Result};
use carveout_host::packages;
use carveout_product::Build;
use carveout_product::{L4t, Monitor};
use carveout_vendor::bsp::Bsp;
use carveout_vendor::sources;
use carveout_vendor::trusty;
use carveout_vendor::trusty::Kernel;
use stage_cache::EPOCH;
use stage_cache::{Key, Output};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use trusty_image::limits::MAX_APPS;
use trusty_image::stock::STOCK;
use trusty_image::{Container, TosType, TrustedApp, budget, tasks};
use uuid::Uuid;

/// Names of the parts, beside the image.
const KERNEL: &str = "lk.bin";
const MONITOR: &str = "bl31.bin";
/// The kernel's symbols.
pub const SYMBOLS: &str = "lk.elf";

/// The image's directory.
pub fn run(build: &Build, bsp: &Bsp, apps: &Output) -> Result<Output> {
    let l4t = build.product.l4t()?;
    let logs = build.dirs().logs()?;
    packages::ensure(&trusty::NEEDS, build.offline, &logs.join("host.log"), build.ui)?;
    let sources = sources::run(build)?;
    let order: Vec<String> =
        build.product.trusted_apps.iter().map(|app| trusted_apps::file_name(&app.name)).collect();
    let soc = build.product.board.soc();
    let monitor = monitor(build, l4t, bsp, &sources)?;
    let kernel = compilers(Key::of(crate::code(file!())))?
        .with("sources", &sources.content)
        .with("soc", soc.word())
        .with("stock", format!("{:?}", l4t.stock_trusted_apps));
    let work_folder = build.dirs().home().join("lk").join(kernel.digest().get(..16).unwrap_or_default());
    let key = kernel
        .with("trusted apps", &apps.content)
        .with("order", order.join(" "))
        .with("monitor", bundle::sha256(&monitor))
        .with("tzdram", build.product.tzdram.size())
        .with("epoch", EPOCH);
    build.cache.stage("secure-os", key, |work| {
        known(l4t, &sources.dir)?;
        fs::create_dir_all(&work_folder).at(&work_folder)?;
        // Two builds of different products may share the folder.
        let _lock = carveout_host::files::lock(&work_folder.join(".lock"))?;
        let paths: Vec<PathBuf> = order.iter().map(|name| apps.dir.join(name)).collect();
        let kernel = Kernel {
            sources: &sources.dir.join(sources::TRUSTY),
            work: &work_folder,
            soc,
            apps: &paths,
            stock: l4t.stock_trusted_apps.as_deref(),
            epoch: EPOCH,
        };
        let lk = kernel.run(work.log)?;
        let os = fs::read(&lk).at(&lk)?;
        check(build, &os, &paths)?;
        stock_is_whole(l4t, &sources.dir, &os, paths.len())?;
        let image = Container::pack(&monitor, &os, TosType::Trusty)
            .map_err(|e| SecureOsError::NotPacked { source: e.into() })?;
        for (name, bytes) in [(secure_os::IMAGE, &image), (KERNEL, &os), (MONITOR, &monitor)] {
            let path = work.out.join(name);
            fs::write(&path, bytes).at(&path)?;
        }
        trusty::symbols(&lk.with_extension("elf"), &work.out.join(SYMBOLS), work.log)
    })
}

/// The monitor: out of the BSP's own image, or built.
fn monitor(build: &Build, l4t: &L4t, bsp: &Bsp, sources: &Output) -> Result<Vec<u8>> {
    let soc = build.product.board.soc();
    if l4t.monitor == Monitor::Sources {
        let key = compilers(Key::of(crate::code(file!())))?
            .with("sources", &sources.content)
            .with("soc", soc.word())
            .with("epoch", EPOCH);
        let output = build.cache.stage("monitor", key, |work| {
            let scratch = carveout_host::tools::scratch("monitor")?;
            let built =
                trusty::monitor(&sources.dir.join(sources::ATF), soc, scratch.path(), EPOCH, work.log)?;
            let to = work.out.join(MONITOR);
            fs::copy(&built, &to).at(&built).map(|_| ())
        })?;
        let path = output.dir.join(MONITOR);
        return fs::read(&path).at(&path);
    }
    let board = &build.product.board;
    let path = bsp.path(&board.l4t()?.secure_os);
    let wrong = |fault| board.at("l4t.secure_os", fault);
    let image = fs::read(&path).at(&path)?;
    let container = Container::parse(&image)
        .map_err(|e| wrong(SecureOsError::StockImage { path: path.clone(), source: e.into() }))?;
    if container.encrypted || container.monitor.is_empty() {
        return Err(wrong(SecureOsError::NoMonitor { path }));
    }
    let found = trusty_image::monitor::soc(container.monitor);
    if found != soc {
        let (found, soc, board) = (found.to_string(), soc.to_string(), board.name.clone());
        return Err(wrong(SecureOsError::OtherSoc { path, found, board, soc }));
    }
    Ok(container.monitor.to_vec())
}

fn compilers(key: Key) -> Result<Key> {
    Ok(key.with_all(trusty::versions()?))
}

/// Stock trusted apps are named by their folders in the sources.
fn known(l4t: &L4t, sources: &Path) -> Result<()> {
    let folder = sources.join(sources::TRUSTY).join("app");
    for name in l4t.stock_trusted_apps.iter().flatten() {
        let plain = name.split('/').all(|part| bundle::is_plain(part, bundle::NAME));
        if !plain || !folder.join(name).join("rules.mk").is_file() {
            let known = STOCK.map(|(_, name)| name.to_owned()).to_vec();
            return Err(SecureOsError::UnknownStockApp { name: name.clone(), known }.into());
        }
    }
    Ok(())
}

/// Reads the kernel as the loader will: every trusted app must be found again, as it was put in.
fn check(build: &Build, os: &[u8], paths: &[PathBuf]) -> Result<()> {
    budget::check_os(os.len() as u64, build.product.tzdram)
        .map_err(|e| SecureOsError::TooLarge { source: e.into() })?;
    let found = tasks::find(os);
    if found.len() > MAX_APPS {
        return Err(SecureOsError::TooManyApps { found: found.len(), most: MAX_APPS }.into());
    }
    for (index, path) in paths.iter().enumerate() {
        let expected = fs::read(path).at(path)?;
        if found.get(index).is_none_or(|elf| **elf != expected) {
            return Err(SecureOsError::OtherApp { index, path: path.clone() }.into());
        }
    }
    let mut seen = BTreeSet::new();
    for (index, elf) in found.iter().enumerate() {
        let app = stock(elf).map_err(|why| SecureOsError::UnloadableApp { index, why })?;
        if !seen.insert(app.manifest.uuid) {
            return Err(SecureOsError::SameUuid { uuid: app.manifest.uuid.to_string() }.into());
        }
    }
    Ok(())
}

/// NVIDIA's own trusted apps that were to be kept are all in the kernel.
fn stock_is_whole(l4t: &L4t, sources: &Path, os: &[u8], own: usize) -> Result<()> {
    let app = sources.join(sources::TRUSTY).join("app");
    let there = |name: &&str| app.join(name).join("rules.mk").is_file();
    let behind = tasks::find(os).into_iter().skip(own).filter_map(|elf| stock(elf).ok());
    let found: Vec<Uuid> = behind.map(|app| app.manifest.uuid).collect();
    let missing: Vec<String> = match &l4t.stock_trusted_apps {
        // Others than the known ones are counted.
        Some(wanted) if wanted.len() == found.len() => Vec::new(),
        Some(wanted) => wanted.clone(),
        None => STOCK
            .iter()
            .filter(|(uuid, _)| !found.contains(uuid))
            .map(|(_, name)| *name)
            .filter(there)
            .map(str::to_owned)
            .collect(),
    };
    if missing.is_empty() {
        return Ok(());
    }
    Err(SecureOsError::NoStockApps { found: found.len(), missing }.into())
}

fn stock(elf: &[u8]) -> Result<TrustedApp, String> {
    trusty_image::inspect(elf)
        .map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// UUIDs of NVIDIA's trusted apps in an image that has `own` before them.
pub fn stock_uuids(image: &Output, own: usize) -> Result<Vec<Uuid>> {
    let path = image.dir.join(KERNEL);
    let os = fs::read(&path).at(&path)?;
    stock_behind(&os, own)
}

/// The same of a kernel.
pub fn stock_behind(os: &[u8], own: usize) -> Result<Vec<Uuid>> {
    let behind = tasks::find(os).into_iter().skip(own);
    let uuid = |elf| match stock(elf) {
        Ok(app) => Ok(app.manifest.uuid),
        Err(why) => Err(SecureOsError::UnloadableStockApp { why }.into()),
    };
    behind.map(uuid).collect()
}
