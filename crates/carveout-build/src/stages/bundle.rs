//! The bundle: all results in one folder and one archive, verified before they get their names.

mod flash;
pub mod frames;
pub mod given;
mod parts;
pub mod publish;
mod sbom;

pub use parts::{BundleParts, L4tParts};

use super::{boot_config, client_apps, kernel, secure_os, trusted_apps};
use crate::apps::Built;
use crate::errors::{BundleError, failed};
use bundle::{About, Identity, Inputs, Manifest, Partition, Role, Writer};
use carveout_host::error::{At, Error, Result};
use carveout_host::toolchain::RustTarget;
use carveout_host::tools::git;
use carveout_product::AppSource;
use carveout_product::Build;
use carveout_rootfs as rootfs;
use stage_cache::{Key, stamps};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tegra_flash::Layout;
use tegra_flash::slots::{APP, MB1_BCT};

/// What a bundle is made of, in CycloneDX.
pub const SBOM: &str = "sbom.cdx.json";

/// Writes the bundle below `out` and returns its folder.
pub fn run(build: &Build, parts: &BundleParts, out: &Path) -> Result<PathBuf> {
    let out = publish::folder(out)?;
    let product = build.product;
    let name = bundle::bundle_name(&product.name, &product.version, &product.board.name, product.tzdram);
    let state = build.dirs().home().join("bundles");
    fs::create_dir_all(&state).at(&state)?;
    // Another clone may write to the same folder, and another call of this one to another folder.
    let _out = carveout_host::files::lock_folder(&out, build.ui)?;
    let _lock = carveout_host::files::lock(&state.join(".lock"))?;
    let inputs = inputs(build, parts)?;
    let key = key(&inputs, parts).with_file("Cargo.lock", &build.workspace.root.join("Cargo.lock"))?;
    let folder = out.join(&name);
    let archive = publish::archive(&folder);
    let record = state.join(format!("{}.json", bundle::sha256(folder.as_os_str().as_encoded_bytes())));
    let running = build.ui.start("bundle");
    if seal(&key, &folder, &archive)
        .is_ok_and(|seal| fs::read_to_string(&record).is_ok_and(|old| old == seal))
    {
        running.finish(true, size(&folder, &archive));
        return Ok(folder);
    }
    running.building("building: parts have changed");
    let _ = fs::remove_file(&record);
    let result = publish::publish(&folder, Some(&build.dirs().home()), |new| fill(build, parts, inputs, new));
    match result.and_then(|()| seal(&key, &folder, &archive)) {
        Ok(seal) => carveout_host::files::write(&record, seal, carveout_host::files::OUTPUT)?,
        Err(error) => {
            running.fail();
            return Err(error);
        }
    }
    running.finish(false, size(&folder, &archive));
    Ok(folder)
}

fn key(inputs: &Inputs, parts: &BundleParts) -> Key {
    let key = Key::of(crate::code(file!()))
        .with("inputs", format!("{inputs:?}"))
        .with("desk boot", format!("{:?} {:?}", parts.desk_boot, parts.linux_boot));
    let all =
        [&parts.apps.files, &parts.apps.symbols, &parts.secure_os, &parts.boot_config, &parts.client_apps];
    let packages = parts.l4t.iter().map(|l4t| &l4t.packages);
    let all = all.into_iter().chain(&parts.rootfs).chain(packages).enumerate();
    all.fold(key, |key, (index, part)| key.with(format!("part {index}"), &part.content))
}

/// What tells that a bundle is the one of these inputs, verified and untouched since.
fn seal(key: &Key, folder: &Path, archive: &Path) -> Result<String> {
    let metadata = fs::metadata(archive).at(archive)?;
    let archive = format!("{} {:?}", metadata.len(), metadata.modified().ok());
    Ok(format!("{} {:?} {archive}\n", key.digest(), stamps(folder)?))
}

fn size(folder: &Path, archive: &Path) -> u64 {
    let folder =
        stamps(folder).map(|files| files.values().map(stage_cache::tree::Stamp::size).sum()).unwrap_or(0);
    folder + fs::metadata(archive).map(|m| m.len()).unwrap_or(0)
}

fn fill(build: &Build, parts: &BundleParts, inputs: Inputs, folder: &Path) -> Result<Manifest> {
    let product = build.product;
    let board = &product.board;
    let mut writer = Writer::new(folder);
    for app in &parts.apps.built {
        let elf = parts.apps.files.dir.join(trusted_apps::file_name(&app.name));
        let symbols = parts.apps.symbols.dir.join(trusted_apps::symbols_name(&app.name));
        let symbols = symbols.exists().then_some(symbols.as_path());
        writer.add_trusted_app(&app.entry(), &elf, symbols).map_err(failed)?;
    }
    let tos = parts.secure_os.dir.join(secure_os::IMAGE);
    let symbols = parts.secure_os.dir.join(kernel::SYMBOLS);
    writer.add_secure_os(&tos, symbols.exists().then_some(&*symbols)).map_err(failed)?;
    // Of a real board the binary that is made of it goes to these partitions.
    let slots: &[&str] = if parts.l4t.is_some() { &[] } else { &MB1_BCT };
    for file in board.boot_configs() {
        let from = parts.boot_config.dir.join(boot_config::name(file));
        let slots = if file == &board.cold_boot { slots } else { &[] };
        writer.add_boot_config(&from, slots).map_err(failed)?;
    }
    let layout_name = boot_config::name(&board.layout);
    let layout_from = match &parts.l4t {
        Some(l4t) => flash::layout(build, &l4t.packages)?,
        None => parts.boot_config.dir.join(&layout_name),
    };
    let layout_path = writer.add_layout(&layout_name, &layout_from).map_err(failed)?;
    for deb in parts.client_apps.files("deb")? {
        writer.add_client_app(&deb).map_err(failed)?;
    }
    if let Some(part) = &parts.rootfs {
        let (image, lock) = (part.dir.join(rootfs::IMAGE), part.dir.join(rootfs::LOCK));
        let slots: &[&str] = if parts.l4t.is_some() { &APP[..app_slots(&layout_from)?] } else { &APP };
        let offset = rootfs::identity::offset(&part.dir)?;
        let identity = Identity::new(
            &product.name,
            &product.version,
            &board.name,
            product.tzdram,
            product.security_version,
        );
        writer.add_rootfs(&image, &lock, slots, Some((offset, &identity))).map_err(failed)?;
    }
    let scratch = carveout_host::tools::scratch("bundle")?;
    let sbom_path = scratch.path().join(SBOM);
    let device = match &parts.l4t {
        Some(l4t) => Some(flash::add(build, l4t, &parts.secure_os, &mut writer)?),
        None => None,
    };
    let app_size = device.as_ref().map(|device| device.app_size);
    let partitions = partitions(&writer, &board.name, &layout_path, &layout_from, app_size)?;
    let manifest = writer.manifest(About {
        name: product.name.clone(),
        version: product.version.clone(),
        security_version: product.security_version,
        board: board.name.clone(),
        tzdram: product.tzdram,
        inputs,
        trusted_apps: parts.apps.built.iter().map(Built::entry).collect(),
        client_apps: product.client_names(),
        memory: parts.plan.memory.clone(),
        partitions,
        device,
        desk_boot: parts.desk_boot,
        linux_boot: parts.linux_boot.clone(),
    });
    let text = sbom::text(build, parts, &manifest)?;
    fs::write(&sbom_path, text).at(&sbom_path)?;
    writer.add(Role::Sbom, SBOM, &sbom_path, &[]).map_err(failed)?;
    writer.finish(manifest).map_err(failed)
}

/// How many root filesystems a layout has: most of NVIDIA's have one.
fn app_slots(layout: &Path) -> Result<usize> {
    let text = fs::read_to_string(layout).at(layout)?;
    let parsed = Layout::parse(&text)
        .map_err(|e| BundleError::Layout { layout: layout.display().to_string(), source: e.into() })?;
    Ok(if parsed.partition(APP[1]).is_some() { 2 } else { 1 })
}

/// How full the partitions get. What does not fit is refused.
pub fn partitions(
    writer: &Writer,
    board: &str,
    layout_path: &str,
    layout_from: &Path,
    app_size: Option<u64>,
) -> Result<Vec<Partition>> {
    let text = fs::read_to_string(layout_from).at(layout_from)?;
    let layout = Layout::parse(&text)
        .map_err(|e| BundleError::Layout { layout: layout_path.into(), source: e.into() })?;
    let (partitions, problems) = writer.partition_plan(layout_path, &layout, app_size);
    if problems.is_empty() {
        return Ok(partitions);
    }
    let list: Vec<String> = problems.iter().map(|p| format!("  {p}")).collect();
    Err(Error::from(BundleError::DoesNotFit { board: board.into() }).with_lines(list.join("\n")))
}

fn inputs(build: &Build, parts: &BundleParts) -> Result<Inputs> {
    let mut toolchains = BTreeMap::new();
    let packages = build.product.trusted_apps.iter().any(|a| matches!(a.source, AppSource::Package(_)));
    if packages {
        toolchains.extend(build.toolchains.get(RustTarget::TrustedApp)?.versions()?);
    }
    if build.product.own_client_apps().next().is_some() {
        toolchains.extend(build.toolchains.get(RustTarget::ClientApp)?.versions()?);
        toolchains.insert(client_apps::CARGO_DEB.0.into(), client_apps::CARGO_DEB.1.into());
    }
    if parts.rootfs.is_some() {
        toolchains.insert("mmdebstrap".into(), carveout_rootfs::mmdebstrap::version()?);
        toolchains.insert("mke2fs".into(), carveout_rootfs::ext4::version()?);
    }
    let in_c = build.product.trusted_apps.iter().any(|app| matches!(app.source, AppSource::C(_)));
    if parts.l4t.is_some() || in_c {
        toolchains.extend(carveout_vendor::trusty::versions()?);
    }
    let lock = parts.rootfs.as_ref().map(|part| part.dir.join(rootfs::LOCK));
    let package_lock = lock.map(|path| bundle::hash_file(&path).at(&path).map(|h| h.sha256)).transpose()?;
    let config = build.product.digest.clone();
    Ok(Inputs {
        config,
        git_revision: git::revision(&build.workspace.root)?,
        toolchains,
        bsp: parts.l4t.as_ref().map(|l4t| l4t.bsp.release.to_string()),
        package_lock,
        given: given::record(build, parts)?,
    })
}
