//! Writes a bundle of parts.

use super::parts::{ImagePart, Parts};
use super::{declaration, same_app};
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
use trusty_image::{Container, Plan, tasks};

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
        stock: tasks::stock_memory(container.os, apps.len()),
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
        security_version: parts.security_version,
        board: parts.board.clone(),
        tzdram: Tzdram { size, alignment },
        inputs: Inputs {
            config: parts.inputs.config.clone(),
            git_revision: parts.inputs.git_revision.clone(),
            toolchains: parts.inputs.toolchains.clone(),
            bsp: parts.inputs.bsp.clone(),
            package_lock,
            // BitBake's own records tell where parts come from.
            given: Vec::new(),
        },
        trusted_apps: apps,
        client_apps: parts
            .client_apps
            .iter()
            .map(|path| bundle::package_name(&name(path)).to_owned())
            .collect(),
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
        if let (Some(path), Some(declared)) = (&part.declared, &declared) {
            same_app(&part.elf, &elf, path, declared)?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use trusty_image::TosType;
    use trusty_image::test_elf::TestElf;

    const LAYOUT: &str = "<partition_layout><device type='sdmmc_user' sector_size='512' num_sectors='9999'>\
        <partition name='secure-os' type='tos'><size> 2621440 </size><filename> tos-trusty_t194.img </filename></partition>\
        <partition name='secure-os_b' type='tos'><size> 2621440 </size><filename> tos-trusty_t194.img </filename></partition>\
        <partition name='APP' type='data'><size> 8388608 </size></partition></device></partition_layout>";
    const CFG: &str = "carveout.tzdram.size = 0x02000000;\ncarveout.tzdram.alignment = 0x00100000;\n";

    /// Parts of a bundle, small and whole.
    fn parts(dir: &Path) -> serde_json::Value {
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let elf = TestElf::good().build();
        let image = Container::pack(b"monitor", &elf, TosType::Trusty).unwrap();
        serde_json::json!({
            "name": "sample", "version": "1.0", "security_version": 0, "board": "jetson-agx-xavier",
            "tzdram": { "size": "32MiB", "alignment": "0x100000" },
            "trusted_apps": [{ "name": "a-srv", "elf": write("a-srv.elf", &elf), "declared": null }],
            "secure_os": write("tos.img", &image), "kernel_symbols": null,
            "boot_config": [write("l4t.cfg", CFG.as_bytes()), write("flash.cfg", CFG.as_bytes())],
            "layout": write("layout.xml", LAYOUT.as_bytes()),
            "client_apps": [write("a_1.0-r0_arm64.deb", b"deb")],
            "app_size": 8 << 20, "image": null,
            "inputs": {
                "config": "0".repeat(64), "git_revision": null,
                "toolchains": { "rustc": "1" }, "bsp": "32.7.6"
            },
        })
    }

    fn assemble(parts: &serde_json::Value, out: &Path) -> Result<PathBuf> {
        let parts: Parts = serde_json::from_value(parts.clone()).unwrap();
        parts.check(Path::new("parts.json"))?;
        write(&parts, out)
    }

    #[test]
    fn parts_become_a_bundle_twice_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let parts = parts(dir.path());
        let [one, two] = ["one", "two"].map(|out| assemble(&parts, &dir.path().join(out)).unwrap());
        assert!(one.ends_with("sample-1.0-jetson-agx-xavier-tzdram32M"));
        let manifest = crate::verbs::verify::check(&one).unwrap();
        assert_eq!(manifest.device.unwrap().flash_package, FlashPackage::None);
        assert_eq!(manifest.trusted_apps[0].name, "a-srv");
        let archive = |folder: &Path| fs::read(publish::archive(folder)).unwrap();
        assert!(archive(&one) == archive(&two));
    }

    /// An ext4 image and a tarball like meta-tegra's, with a root filesystem that is left out.
    fn image(dir: &Path, tos: &Path) -> serde_json::Value {
        let package = dir.join("package");
        fs::create_dir(&package).unwrap();
        for name in ["flashvars", "tegraflash.py", "my-image.ext4", "mksparse"] {
            fs::write(package.join(name), name).unwrap();
        }
        // As meta-tegra's: makes the root filesystem sparse, and then says how it went.
        let doflash = "#!/bin/bash\nset -e\n./mksparse -b 4096 --fillpattern=0 my-image.ext4 my-image.ext4.img\n\
            cmp my-image.ext4.img \"$EXPECTED\"\necho \"${SAYS-Flashing completed} $*\"\n";
        fs::write(package.join("doflash.sh"), doflash).unwrap();
        fs::write(package.join("flash.xml.in"), LAYOUT).unwrap();
        for name in ["l4t.cfg", "flash.cfg"] {
            fs::write(package.join(name), CFG).unwrap();
        }
        fs::copy(tos, package.join(TOS_IMAGE)).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let status = Command::new(program).args(arguments).current_dir(dir).status().unwrap();
            assert!(status.success(), "{program} {arguments:?}");
        };
        run("tar", &["-czf", "package.tar.gz", "-C", "package", "."]);
        run("truncate", &["--size", "8M", "my-image.ext4"]);
        run("mke2fs", &["-q", "-t", "ext4", "my-image.ext4"]);
        fs::write(dir.join("packages"), "base-files 1\n").unwrap();
        serde_json::json!({
            "rootfs": dir.join("my-image.ext4"), "packages": dir.join("packages"),
            "flash_package": dir.join("package.tar.gz"), "rootfs_name": "my-image.ext4",
        })
    }

    #[test]
    fn an_image_brings_root_filesystem_and_flash_package() {
        if crate::tools::find("mke2fs").is_none() {
            eprintln!("skipped: mke2fs is not there");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts(dir.path());
        parts["image"] = image(dir.path(), &dir.path().join("tos.img"));
        let folder = assemble(&parts, &dir.path().join("out")).unwrap();
        let manifest = crate::verbs::verify::check(&folder).unwrap();
        assert_eq!(manifest.device.as_ref().unwrap().flash_package, FlashPackage::Tegraflash);
        assert!(
            folder.join("flash/tegraflash/doflash.sh").is_file() && folder.join("flash/flash.sh").is_file()
        );
        assert!(!folder.join("flash/tegraflash/my-image.ext4").exists());
        assert!(manifest.inputs.package_lock.is_some());
        let flash = |says: &str| {
            let mut command = Command::new("bash");
            command.arg(folder.join("flash/flash.sh")).args(["--instance", "1-2"]).env("SAYS", says);
            command.env("EXPECTED", folder.join("rootfs/system.img")).env("CARVEOUT_FLASH_UNPRIVILEGED", "1");
            let output = command.output().unwrap();
            (
                output.status.code(),
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
            )
        };
        let (code, said) = flash("Flashing completed");
        assert!(code == Some(0) && said.ends_with("done: full\n"), "{said}");
        let (code, said) = flash("Final status: FAILED");
        assert!(code == Some(1) && said.contains("its log does not say so"), "{said}");
        fs::write(folder.join("flash/tegraflash/flashvars"), "other").unwrap();
        let (code, said) = flash("Flashing completed");
        assert!(code == Some(1) && said.contains("nothing has been flashed"), "{said}");
        // Another secure-os image in the package than in the bundle would be flashed.
        let package = dir.path().join("package");
        fs::write(package.join(TOS_IMAGE), "another").unwrap();
        let tar = ["-czf", "package.tar.gz", "-C", "package", "."];
        assert!(Command::new("tar").args(tar).current_dir(dir.path()).status().unwrap().success());
        let error = assemble(&parts, &dir.path().join("other")).unwrap_err();
        assert!(error.message.contains("is another than secure-os/tos.img"), "{error}");
        assert_eq!(fs::read_dir(dir.path().join("other")).unwrap().count(), 1, "the lock alone is left");
    }

    #[test]
    fn what_cannot_become_a_bundle_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let good = parts(dir.path());
        let out = dir.path().join("out");
        let fails = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut parts = good.clone();
            change(&mut parts);
            assemble(&parts, &out).unwrap_err().message
        };
        assert!(fails(&|p| p["name"] = "../x".into()).starts_with("parts.json: name: `../x`"));
        assert!(fails(&|p| p["tzdram"]["size"] = "200MiB".into()).starts_with("parts.json: tzdram: "));
        assert!(
            fails(&|p| p["tzdram"]["size"] = "64MiB".into()).contains("carveout.tzdram.size is 0x2000000")
        );
        assert!(fails(&|p| p["secure_os"] = p["layout"].clone()).contains("layout.xml: "));
        assert!(fails(&|p| p["trusted_apps"][0]["elf"] = p["layout"].clone()).contains("would not take it"));
        assert!(fails(&|p| p["inputs"]["config"] = "12".into()).contains("64 hexadecimal digits"));
    }

    #[test]
    fn a_trusted_app_that_another_package_declares_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts(dir.path());
        let declared = crate::workspace::root().unwrap().join("apps/echo-srv/Cargo.toml");
        parts["trusted_apps"][0]["declared"] = declared.display().to_string().into();
        let error = assemble(&parts, &dir.path().join("out")).unwrap_err();
        let expected = format!(", {} declares ", declared.display());
        assert!(
            error.message.contains("a-srv.elf: has UUID ") && error.message.contains(&expected),
            "{error}"
        );
    }
}
