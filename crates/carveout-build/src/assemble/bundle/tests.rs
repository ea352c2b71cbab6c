use super::*;
use carveout_host::dirs::Dirs;
use std::process::Command;
use tegra_bct::mb1;
use tegra_flash::payload::PayloadEntry;
use tegra_flash::update::PAYLOAD_VERSION;
use trusty_image::test_elf::TestElf;
use trusty_image::{Soc, TosType};

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
    let parts: AssembledParts = serde_json::from_value(parts.clone()).unwrap();
    let carve_out = parts.check(Path::new("parts.json"))?;
    write(&parts, carve_out, out, &Ui::new(carveout_host::ui::Verbosity::Quiet))
}

#[test]
fn parts_become_a_bundle_twice_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(dir.path());
    let [one, two] = ["one", "two"].map(|out| assemble(&parts, &dir.path().join(out)).unwrap());
    assert!(one.ends_with("sample-1.0-jetson-agx-xavier-tzdram32M"));
    let manifest = carveout_field::verify::check(&one).unwrap();
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
    fs::copy(tos, package.join(tos_image(Soc::T194))).unwrap();
    std::os::unix::fs::symlink("also-a-link", package.join("a-link")).unwrap();
    std::os::unix::fs::symlink("./flashvars", package.join("also-a-link")).unwrap();
    fs::hard_link(package.join("tegraflash.py"), package.join("z-link")).unwrap();
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
    if carveout_host::tools::find("mke2fs").is_none() {
        eprintln!("skipped: mke2fs is not there");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut parts = parts(dir.path());
    parts["image"] = image(dir.path(), &dir.path().join("tos.img"));
    // meta-tegra's payload has kernel and EKB besides, which an update leaves alone.
    let (tos, mut bct) = (fs::read(dir.path().join("tos.img")).unwrap(), vec![0; 0x2000]);
    for (range, value) in [(mb1::T194.size, 32_u64 << 20), (mb1::T194.alignment, 1 << 20)] {
        bct[range].copy_from_slice(&value.to_le_bytes());
    }
    let entry = |partition: &str, data| PayloadEntry {
        partition: partition.into(),
        version: 1,
        operation: 0,
        spec: String::new(),
        data,
    };
    let names = [("kernel", &b"k"[..]), ("secure-os", &tos), ("eks", b"e"), ("MB1_BCT", &bct)];
    let entries = names.map(|(name, data)| entry(name, data)).into();
    let payload = Payload { version: PAYLOAD_VERSION, entries }.to_bytes().unwrap();
    fs::write(dir.path().join("payload"), payload).unwrap();
    parts["image"]["update_payload"] = dir.path().join("payload").display().to_string().into();
    let folder = assemble(&parts, &dir.path().join("out")).unwrap();
    let manifest = carveout_field::verify::check(&folder).unwrap();
    assert_eq!(manifest.device.as_ref().unwrap().flash_package, FlashPackage::Tegraflash);
    let payload = fs::read(folder.join(UPDATE_PAYLOAD)).unwrap();
    let kept = Payload::parse(&payload).unwrap().entries;
    let kept: Vec<&str> = kept.iter().map(|entry| entry.partition.as_str()).collect();
    assert_eq!((kept, manifest.has_update()), (vec!["secure-os", "MB1_BCT"], true));
    assert!(folder.join("flash/tegraflash/doflash.sh").is_file() && folder.join("flash/flash.sh").is_file());
    assert!(!folder.join("flash/tegraflash/my-image.ext4").exists());
    for (name, text) in [("a-link", "flashvars"), ("also-a-link", "flashvars"), ("z-link", "tegraflash.py")] {
        assert_eq!(fs::read_to_string(folder.join("flash/tegraflash").join(name)).unwrap(), text, "{name}");
    }
    assert!(manifest.inputs.package_lock.is_some());
    let flash = |says: &str| {
        let mut command = Command::new("bash");
        command.arg(folder.join("flash/flash.sh")).args(["--instance", "1-2"]).env("SAYS", says);
        command.env("EXPECTED", folder.join("rootfs/system.img")).env("CARVEOUT_FLASH_UNPRIVILEGED", "1");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
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
    fs::write(package.join(tos_image(Soc::T194)), "another").unwrap();
    let tar = ["-czf", "package.tar.gz", "-C", "package", "."];
    assert!(Command::new("tar").args(tar).current_dir(dir.path()).status().unwrap().success());
    let error = assemble(&parts, &dir.path().join("other")).unwrap_err();
    assert!(error.message.contains("is another than secure-os/tos.img"), "{error}");
    assert_eq!(fs::read_dir(dir.path().join("other")).unwrap().count(), 1, "the lock alone is left");
}

#[test]
fn a_flash_package_has_files_folders_and_links_to_them() {
    let dir = tempfile::tempdir().unwrap();
    if carveout_host::tools::find("mke2fs").is_none() {
        eprintln!("skipped: mke2fs is not there");
        return;
    }
    parts(dir.path());
    let package = dir.path().join("package");
    let mut given = image(dir.path(), &dir.path().join("tos.img"));
    given["flash_package"] = dir.path().join("other.tar").display().to_string().into();
    let image: ImagePart = serde_json::from_value(given).unwrap();
    let tarball = || {
        let tar = ["-cf", "other.tar", "-C", "package", "."];
        assert!(Command::new("tar").args(tar).current_dir(dir.path()).status().unwrap().success());
    };
    for (make, why) in [
        ("ln -s missing l", "link `l` leads to `missing`, which is no file of it"),
        ("ln -s /etc/passwd l", "link `l` leads to `/etc/passwd`, which is no file of it"),
        ("ln -s l l", "link `l` leads to `l`, which is no file of it"),
        ("mkfifo l", "member `l` is no file, folder or link"),
    ] {
        assert!(Command::new("sh").args(["-c", make]).current_dir(&package).status().unwrap().success());
        tarball();
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join(TEGRAFLASH)).unwrap();
        let mut writer = Writer::new(&dir.path().join("unused"));
        let error = flash_package(&image, scratch.path(), &mut writer).unwrap_err();
        assert!(error.message.ends_with(why), "{error}");
        fs::remove_file(package.join("l")).unwrap();
    }
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
    assert!(fails(&|p| p["tzdram"]["size"] = "64MiB".into()).contains("carveout.tzdram.size is 0x2000000"));
    assert!(fails(&|p| p["secure_os"] = p["layout"].clone()).contains("layout.xml: "));
    assert!(fails(&|p| p["trusted_apps"][0]["elf"] = p["layout"].clone()).contains("would not take it"));
    assert!(fails(&|p| p["inputs"]["config"] = "12".into()).contains("64 hexadecimal digits"));
}

#[test]
fn a_trusted_app_that_another_package_declares_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut parts = parts(dir.path());
    let declared = Dirs::find().root().unwrap().join("apps/echo-srv/Cargo.toml");
    parts["trusted_apps"][0]["declared"] = declared.display().to_string().into();
    let error = assemble(&parts, &dir.path().join("out")).unwrap_err();
    let expected = format!(", {} declares ", declared.display());
    assert!(error.message.contains("a-srv.elf: has UUID ") && error.message.contains(&expected), "{error}");
}
