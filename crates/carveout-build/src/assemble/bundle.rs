//! Writes a bundle of parts.

use super::declared::{declaration, same_app};
use super::parts::{AssembledParts, ImagePart};
use crate::apps::Built;
use crate::errors::{AssembleError, failed};
use crate::stages::bundle::{partitions, publish};
use crate::stages::kernel;
use crate::stages::plan::findings;
use bundle::{
    About, DeskBoot, Device, FLASH, FlashPackage, Fused, Inputs, Manifest, Role, TEGRAFLASH, UPDATE_PAYLOAD,
    Writer, tos_image,
};
use carveout_host::error::{At, Result};
use carveout_host::files::lock_folder;
use carveout_host::tools::{scratch, tarball};
use carveout_host::ui::Ui;
use carveout_rootfs::sparse;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use tegra_bct::MiscCfg;
use tegra_flash::payload::{Payload, PayloadError};
use tegra_flash::slots::{APP, SECURE_OS};
use trusty_image::plan::Request;
use trusty_image::stock::Stock;
use trusty_image::{Container, Plan, Soc, Tzdram};

/// Our own files for a flash host, beside meta-tegra's package.
const OWN: [(&str, &str); 2] = [
    ("flash.sh", include_str!("../scripts/tegraflash.sh")),
    ("README.txt", include_str!("../scripts/tegraflash-readme.txt")),
];
/// Writes folder and archive below `out`; the folder's path.
pub fn write(parts: &AssembledParts, tzdram: Tzdram, out: &Path, ui: &Ui) -> Result<PathBuf> {
    let out = publish::folder(out)?;
    let name = bundle::bundle_name(&parts.name, &parts.version, &parts.board, tzdram);
    let _lock = lock_folder(&out, ui)?;
    let folder = out.join(name);
    publish::publish(&folder, None, |new| fill(parts, tzdram, new))?;
    Ok(folder)
}

fn fill(parts: &AssembledParts, tzdram: Tzdram, folder: &Path) -> Result<Manifest> {
    let mut writer = Writer::new(folder);
    let apps = apps(parts, &mut writer)?;
    writer.add_secure_os(&parts.secure_os, parts.kernel_symbols.as_deref()).map_err(failed)?;
    for path in &parts.boot_config {
        writer.add_boot_config(path, &[]).map_err(failed)?;
    }
    for path in &parts.client_apps {
        writer.add_client_app(path).map_err(failed)?;
    }
    let scratch = scratch("assemble")?;
    let mut layout = parts.layout.clone();
    let mut package_lock = None;
    if let Some(image) = &parts.image {
        package_lock = Some(rootfs(image, scratch.path(), &mut writer)?);
        layout = flash_package(image, scratch.path(), &mut writer)?;
        if let Some(path) = &image.update_payload {
            update_payload(path, scratch.path(), &mut writer)?;
        }
    }
    let layout_path = writer.add_layout(&name(&layout), &layout).map_err(failed)?;
    let partitions = partitions(&writer, &parts.board, &layout_path, &layout, Some(parts.app_size))?;
    let image = carveout_host::files::read(&parts.secure_os)?;
    let container = Container::parse(&image)
        .map_err(|e| AssembleError::SecureOs { path: parts.secure_os.clone(), source: e.into() })?;
    let size = partitions.iter().find(|p| p.name == SECURE_OS[0]).map(|p| p.size);
    let soc = soc(parts)?;
    let planned = apps.iter().map(Built::planned).collect();
    let request = Request::new(tzdram, Stock::default(), planned)
        .with_soc(soc)
        .with_image(&container, image.len() as u64)
        .with_partition(size);
    let plan = Plan::new(&request);
    findings(&parts.secure_os, &plan)?;
    let device = Device {
        modules: Vec::new(),
        soc,
        recovery: None,
        fused: Fused::No,
        app_size: parts.app_size,
        lacks: Vec::new(),
        stock_trusted_apps: kernel::stock_behind(container.os, apps.len())?,
        flash_package: if parts.image.is_some() { FlashPackage::Tegraflash } else { FlashPackage::None },
        update_eks: false,
    };
    let manifest = writer.manifest(About {
        name: parts.name.clone(),
        version: parts.version.clone(),
        security_version: parts.security_version,
        board: parts.board.clone(),
        tzdram,
        inputs: Inputs {
            config: parts.inputs.config.clone(),
            git_revision: parts.inputs.git_revision.clone(),
            toolchains: parts.inputs.toolchains.clone(),
            bsp: parts.inputs.bsp.clone(),
            package_lock,
            // BitBake's own records tell where parts come from.
            given: Vec::new(),
        },
        trusted_apps: apps.iter().map(Built::entry).collect(),
        client_apps: parts
            .client_apps
            .iter()
            .map(|path| bundle::package_name(&name(path)).to_owned())
            .collect(),
        memory: plan.memory,
        partitions,
        device: Some(device),
        desk_boot: Some(DeskBoot::Skipped),
        linux_boot: None,
    });
    writer.finish(manifest).map_err(failed)
}

/// The SoC that the boot configs are for.
fn soc(parts: &AssembledParts) -> Result<Soc> {
    for path in &parts.boot_config {
        let cfg = MiscCfg::parse(&carveout_host::files::read(path)?);
        if cfg.is_ok_and(|cfg| cfg.soc() == Soc::T186) {
            return Ok(Soc::T186);
        }
    }
    Ok(Soc::T194)
}

/// The TAs, each the one that its package declares.
fn apps(parts: &AssembledParts, writer: &mut Writer) -> Result<Vec<Built>> {
    let mut apps = Vec::new();
    for part in &parts.trusted_apps {
        let declared = part.declared.as_deref().map(declaration).transpose()?;
        let built = Built::read(&part.name, &part.elf, declared)?;
        if let Some(path) = &part.declared {
            same_app(&built, &part.elf, path)?;
        }
        writer.add_trusted_app(&built.entry(), &part.elf, None).map_err(failed)?;
        apps.push(built);
    }
    Ok(apps)
}

/// The root filesystem in the sparse form that NVIDIA's tools send, and its packages, whose digest is returned.
fn rootfs(image: &ImagePart, scratch: &Path, writer: &mut Writer) -> Result<String> {
    let made = scratch.join("system.img");
    sparse::from_ext4(&image.rootfs, &made)?;
    writer.add_rootfs(&made, &image.packages, &APP[..1], None).map_err(failed)?;
    fs::remove_file(&made).at(&made)?;
    Ok(bundle::hash_file(&image.packages).at(&image.packages)?.sha256)
}

/// meta-tegra's payload without what belongs to the root filesystem (kernel, device tree), and without the device's keys.
fn update_payload(path: &Path, scratch: &Path, writer: &mut Writer) -> Result<()> {
    let wrong =
        |source: PayloadError| AssembleError::UpdatePayload { path: path.into(), source: source.into() };
    let bytes = carveout_host::files::read(path)?;
    let mut payload = Payload::parse(&bytes).map_err(wrong)?;
    payload.entries.retain(|entry| bundle::is_written(&entry.partition));
    let made = scratch.join("payload");
    let bytes = payload.to_bytes().map_err(wrong)?;
    carveout_host::files::put(&made, bytes)?;
    writer.add(Role::Update, UPDATE_PAYLOAD, &made, &[]).map_err(failed)
}

/// meta-tegra's flash package without its root filesystem, and our own files; the layout in it.
fn flash_package(image: &ImagePart, scratch: &Path, writer: &mut Writer) -> Result<PathBuf> {
    let folder = scratch.join(TEGRAFLASH);
    let log = scratch.join("log");
    let package = || image.flash_package.clone();
    let (mut refused, mut names, mut links) = (None, Vec::new(), Vec::new());
    tarball::read(&image.flash_package, &log, &mut |member| {
        let plain = member.name.trim_start_matches("./").to_owned();
        if plain.is_empty() || member.kind.is_dir() || plain == image.rootfs_name {
            return Ok(());
        }
        let of_package =
            |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !of_package(&plain) {
            refused.get_or_insert(AssembleError::MemberOutside { path: package(), member: plain });
            return Ok(());
        }
        if let Some(target) = member.target {
            let target = target.trim_start_matches("./");
            // A hard link names a member, a symbolic one a file beside itself.
            let target = match Path::new(&plain).parent() {
                Some(parent) if member.kind.is_symlink() => parent.join(target),
                _ => PathBuf::from(target),
            };
            links.push((plain, target));
        } else if member.kind.is_file() {
            let to = folder.join(&plain);
            fs::create_dir_all(to.parent().unwrap_or(&folder))?;
            copy(member.reader, &to)?;
            names.push(plain);
        } else {
            refused.get_or_insert(AssembleError::MemberKind { path: package(), member: plain });
        }
        Ok(())
    })?;
    // What a link names is there by now, unless that is a link, too.
    loop {
        let before = links.len();
        links.retain(|(member, target)| {
            let there = names.iter().any(|name| Path::new(name) == target);
            let to = folder.join(member);
            let copied = there
                && to.parent().is_none_or(|parent| fs::create_dir_all(parent).is_ok())
                && fs::copy(folder.join(target), &to).is_ok();
            if copied {
                names.push(member.clone());
            }
            !copied
        });
        if links.is_empty() || links.len() == before {
            break;
        }
    }
    if let Some((member, target)) = links.into_iter().next() {
        let target = target.display().to_string();
        refused.get_or_insert(AssembleError::DeadLink { path: package(), member, target });
    }
    if let Some(refused) = refused {
        return Err(refused.into());
    }
    for member in &names {
        let slots: &[&str] =
            if Soc::ALL.iter().any(|soc| member == tos_image(*soc)) { &SECURE_OS } else { &[] };
        let path = format!("{FLASH}/{TEGRAFLASH}/{member}");
        writer.add(Role::Flash, &path, &folder.join(member), slots).map_err(failed)?;
    }
    for (member, text) in OWN {
        let from = scratch.join(member);
        carveout_host::files::put(&from, text)?;
        writer.add(Role::Flash, &format!("{FLASH}/{member}"), &from, &[]).map_err(failed)?;
    }
    let layout = folder.join("flash.xml.in");
    match layout.is_file() {
        true => Ok(layout),
        false => Err(AssembleError::NoLayout { path: package() }.into()),
    }
}

fn copy(reader: &mut dyn Read, to: &Path) -> io::Result<()> {
    io::copy(reader, &mut File::create_new(to)?).map(|_| ())
}

/// A file's own name.
fn name(path: &Path) -> String {
    crate::stages::boot_config::name(path)
}

#[cfg(test)]
mod tests;
