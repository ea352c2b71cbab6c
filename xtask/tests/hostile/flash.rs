//! What a flash was asked for is what it does.

use crate::hostile::kit;
use crate::report::small;
use bundle::{FileEntry, Partition, Role};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tegra_flash::filesystem::test_image::image;
use virt_device::{Device, DevicePart};

const LAYOUT: &str = "<partition_layout><device type='sdmmc_user' sector_size='512' num_sectors='99999'>\
    <partition name='MB1_BCT' type='x'><size> 65536 </size></partition>\
    <partition name='MB1_BCT_b' type='x'><size> 65536 </size></partition>\
    <partition name='secure-os' type='tos'><size> 2621440 </size></partition>\
    <partition name='secure-os_b' type='tos'><size> 2621440 </size></partition>\
    <partition name='APP' type='data'><size> 1048576 </size></partition>\
    <partition name='APP_b' type='data'><size> 1048576 </size></partition>\
    <partition name='UDA' type='data'><size> 8388608 </size></partition></device></partition_layout>";

/// The least bundle with a root filesystem.
fn bundle_with_app(dir: &Path, version: &str, fill: u8) -> PathBuf {
    let folder = dir.join(small::write(dir, version, 32 << 20));
    fs::write(folder.join("layout/layout.xml"), LAYOUT).unwrap();
    fs::create_dir(folder.join("rootfs")).unwrap();
    let bytes = image(1 << 20, fill);
    fs::write(folder.join("rootfs/system.img"), &bytes).unwrap();
    kit::rewrite(&folder, |manifest| {
        let size = bytes.len() as u64;
        manifest.files.push(FileEntry {
            path: "rootfs/system.img".into(),
            role: Role::Rootfs,
            size,
            sha256: String::new(),
            partitions: vec!["APP".into()],
            executable: false,
            made_of: None,
            identity: None,
        });
        manifest.plan.partitions.insert(0, Partition { name: "APP".into(), size, used: size });
    });
    folder
}

#[test]
fn scope_auto_does_not_overwrite_a_root_filesystem_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = [("1", 1), ("2", 2)].map(|(version, fill)| bundle_with_app(dir.path(), version, fill));
    let [one, two] = [&one, &two].map(|folder| folder.to_str().unwrap());
    let path = dir.path().join("device.img");
    let target = format!("virt:{}", path.display());
    let said = |args: &[&str]| {
        let output = kit::run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let auto = |more: &[&str]| {
        said(&[&["flash", two, "--to", &target, "--scope", "auto", "--from", one], more].concat())
    };
    let has = || {
        let file = File::open(&path).unwrap();
        let size = file.metadata().unwrap().len();
        Device::open(file, size).unwrap().state().active.clone().unwrap().parts[&DevicePart::App]
            .bundle
            .clone()
    };
    said(&["flash", one, "--to", &target]);
    let first = has();
    assert_eq!(auto(&["--dry-run"]), "app");
    assert_eq!(auto(&["--keep-app", "--dry-run"]), "none");
    auto(&["--keep-app"]);
    assert_eq!(has(), first);
    auto(&[]);
    assert_ne!(has(), first);
}
