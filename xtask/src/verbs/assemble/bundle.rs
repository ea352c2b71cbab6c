//! Writes a bundle of parts.

use super::declaration;
use super::parts::{ImagePart, Parts};
use crate::error::{At, Error, Result};
use crate::stage::lock;
use crate::stages::bundle::{entry, failed, partitions, publish};
use crate::stages::plan::findings;
use crate::stages::rootfs::sparse;
use crate::stages::{kernel, trusted_apps};
use crate::tools::{scratch, tarball};
use bundle::{
    AppEntry, DeskBoot, Device, FLASH, FORMAT, FlashPackage, Fused, Inputs, Manifest, Partition, Role,
    TEGRAFLASH, TOS_IMAGE, Tzdram, Writer,
};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use trusty_image::plan::{PlannedApp, Request};
use trusty_image::{Container, Plan};

/// Our own files for a flash host, beside meta-tegra's package.
const OWN: [(&str, &str); 2] = [
    ("flash.sh", include_str!("../../tools/tegraflash.sh")),
    ("README.txt", include_str!("../../tools/tegraflash-readme.txt")),
];
/// Both slots.
const SECURE_OS: [&str; 2] = ["secure-os", "secure-os_b"];

/// Writes folder and archive below `out`; the folder's path.
pub fn write(parts: &Parts, out: &Path) -> Result<PathBuf> {
    let out = publish::folder(out)?;
    let (size, _) = parts.carve_out().map_err(Error::usage)?;
    let name = bundle::bundle_name(&parts.name, &parts.version, &parts.board, size);
    let _lock = lock(&out.join(".carveout.lock"))?;
    publish::sweep(&out)?;
    let folder = out.join(name);
    publish::publish(&folder, |new| fill(parts, new))?;
    Ok(folder)
}

fn fill(parts: &Parts, folder: &Path) -> Result<Manifest> {
    let mut writer = Writer::new(folder);
    let (size, alignment) = parts.carve_out().map_err(Error::usage)?;
    let (apps, planned) = apps(parts, &mut writer)?;
    writer.add(Role::SecureOs, "secure-os/tos.img", &parts.secure_os, &SECURE_OS).map_err(failed)?;
    if let Some(symbols) = &parts.kernel_symbols {
        writer.add(Role::KernelSymbols, "secure-os/lk.elf", symbols, &[]).map_err(failed)?;
    }
    for path in &parts.boot_config {
        writer.add(Role::BootConfig, &format!("boot-config/{}", name(path)), path, &[]).map_err(failed)?;
    }
    for path in &parts.client_apps {
        writer.add(Role::ClientApp, &format!("client-apps/{}", name(path)), path, &[]).map_err(failed)?;
    }
    let scratch = scratch("assemble")?;
    let mut layout = parts.layout.clone();
    let mut package_lock = None;
    if let Some(image) = &parts.image {
        package_lock = Some(rootfs(image, scratch.path(), &mut writer)?);
        layout = flash_package(image, scratch.path(), &mut writer)?;
    }
    let layout_path = format!("layout/{}", name(&layout));
    writer.add(Role::Layout, &layout_path, &layout, &[]).map_err(failed)?;
    let partitions = partitions(&writer, &parts.board, &layout_path, &layout, Some(parts.app_size))?;
    let image = fs::read(&parts.secure_os).at(&parts.secure_os)?;
    let container =
        Container::parse(&image).map_err(|e| Error::check(format!("{}: {e}", parts.secure_os.display())))?;
    let request = Request {
        tzdram: size,
        alignment,
        monitor: !container.monitor.is_empty(),
        apps: planned,
        image: Some(image.len() as u64),
        partition: partitions.iter().find(|p| p.name == SECURE_OS[0]).map(|p: &Partition| p.size),
    };
    let plan = Plan::new(&request);
    findings(&parts.secure_os, &plan)?;
    let device = Device {
        modules: Vec::new(),
        fused: Fused::No,
        app_size: parts.app_size,
        lacks: Vec::new(),
        stock_trusted_apps: kernel::stock_behind(container.os, apps.len())?,
        flash_package: if parts.image.is_some() { FlashPackage::Tegraflash } else { FlashPackage::None },
    };
    let manifest = Manifest {
        format: FORMAT,
        name: parts.name.clone(),
        version: parts.version.clone(),
        board: parts.board.clone(),
        tzdram: Tzdram { size, alignment },
        inputs: Inputs {
            config: parts.inputs.config.clone(),
            git_revision: parts.inputs.git_revision.clone(),
            toolchains: parts.inputs.toolchains.clone(),
            bsp: parts.inputs.bsp.clone(),
            package_lock,
        },
        trusted_apps: apps,
        plan: bundle::Plan { memory: plan.memory, partitions },
        device: Some(device),
        desk_boot: Some(DeskBoot::Skipped),
        files: Vec::new(),
        flash: BTreeMap::new(),
        digest: String::new(),
    };
    writer.finish(manifest).map_err(failed)
}

/// The TAs: as the manifest has them, and for the plan.
fn apps(parts: &Parts, writer: &mut Writer) -> Result<(Vec<AppEntry>, Vec<PlannedApp>)> {
    let (mut entries, mut planned) = (Vec::new(), Vec::new());
    for part in &parts.trusted_apps {
        let bytes = fs::read(&part.elf).at(&part.elf)?;
        let elf = trusted_apps::inspect(&part.elf, &bytes)?;
        let declared = part.declared.as_deref().map(declaration).transpose()?;
        entries.push(entry(&part.name, &elf, declared.as_ref()));
        let path = format!("trusted-apps/{}.elf", part.name);
        writer.add(Role::TrustedApp, &path, &part.elf, &[]).map_err(failed)?;
        planned.push(PlannedApp {
            name: part.name.clone(),
            heap_demand: declared.and_then(|d| d.heap_demand),
            app: elf,
            file_size: bytes.len() as u64,
        });
    }
    Ok((entries, planned))
}

/// The root filesystem in the sparse form that NVIDIA's tools send, and its packages, whose digest is returned.
fn rootfs(image: &ImagePart, scratch: &Path, writer: &mut Writer) -> Result<String> {
    let made = scratch.join("system.img");
    sparse::from_ext4(&image.rootfs, &made)?;
    writer.add(Role::Rootfs, "rootfs/system.img", &made, &["APP"]).map_err(failed)?;
    fs::remove_file(&made).at(&made)?;
    writer.add(Role::PackageLock, "rootfs/packages.lock", &image.packages, &[]).map_err(failed)?;
    Ok(bundle::hash_file(&image.packages).at(&image.packages)?.sha256)
}

/// meta-tegra's flash package without its root filesystem, and our own files; the layout in it.
fn flash_package(image: &ImagePart, scratch: &Path, writer: &mut Writer) -> Result<PathBuf> {
    let folder = scratch.join(TEGRAFLASH);
    let log = scratch.join("log");
    let mut failed_at = None;
    let mut names = Vec::new();
    tarball::read(&image.flash_package, &log, &mut |member, reader| {
        let plain = member.trim_start_matches("./");
        if plain.is_empty() || plain.ends_with('/') || plain == image.rootfs_name {
            return Ok(());
        }
        if !Path::new(plain).components().all(|part| matches!(part, Component::Normal(_))) {
            failed_at = Some(plain.to_owned());
            return Ok(());
        }
        let to = folder.join(plain);
        fs::create_dir_all(to.parent().unwrap_or(&folder))?;
        copy(reader, &to)?;
        names.push(plain.to_owned());
        Ok(())
    })?;
    if let Some(member) = failed_at {
        return Err(Error::check(format!(
            "{}: member `{}` leads out of the flash package",
            image.flash_package.display(),
            member.escape_debug()
        )));
    }
    for member in &names {
        let slots: &[&str] = if member == TOS_IMAGE { &SECURE_OS } else { &[] };
        let path = format!("{FLASH}/{TEGRAFLASH}/{member}");
        writer.add(Role::Flash, &path, &folder.join(member), slots).map_err(failed)?;
    }
    for (member, text) in OWN {
        let from = scratch.join(member);
        fs::write(&from, text).at(&from)?;
        writer.add(Role::Flash, &format!("{FLASH}/{member}"), &from, &[]).map_err(failed)?;
    }
    let layout = folder.join("flash.xml.in");
    match layout.is_file() {
        true => Ok(layout),
        false => Err(Error::check(format!("{}: has no flash.xml.in", image.flash_package.display())).remedy(
            "it must be meta-tegra's: IMAGE_FSTYPES has tegraflash, MACHINE is jetson-agx-xavier-devkit",
        )),
    }
}

fn copy(reader: &mut dyn Read, to: &Path) -> io::Result<()> {
    io::copy(reader, &mut File::create(to)?).map(|_| ())
}

/// A file's own name.
fn name(path: &Path) -> String {
    crate::stages::boot_config::name(path)
}
