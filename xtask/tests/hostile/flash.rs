//! What a flash was asked for is what it does; and both ways to flash a board know the same boards.

use crate::hostile::kit;
use crate::report::small;
use bundle::{FileEntry, Partition, Role};
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tegra_flash::BoardId;
use tegra_flash::filesystem::test_image::image;
use virt_device::{Device, Part};

const SCRIPT: &str = include_str!("../../../crates/carveout-build/src/scripts/flash.sh");
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
        Device::open(file, size).unwrap().state().active.clone().unwrap().parts[&Part::App].bundle.clone()
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

/// Which modules flash.sh of a bundle takes a board for.
fn taken_by_script(pairs: &[(&BoardId, BoardId)]) -> Vec<bool> {
    let from = SCRIPT.find("def choice(i):").unwrap();
    let choice = SCRIPT[from..].split("\n\n").next().unwrap();
    let program = format!(
        "import json, re, sys\n{choice}\nfor m, i in json.load(sys.stdin):\n  print(choice(m) == choice(i))\n"
    );
    let mut command = Command::new("python3");
    let mut child =
        command.args(["-c", &program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(pairs).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "True").collect()
}

/// Another module gets other files for PMIC and BPMP.
#[test]
fn flash_sh_takes_a_board_for_the_module_that_carveout_takes_it_for() {
    const FABS: [&str; 21] = [
        "000", "100", "199", "200", "299", "300", "301", "399", "400", "401", "499", "500", "999", "4A0",
        "40A", "A01", "Z99", "40", "4000", "4a0", "",
    ];
    const REVISIONS: [&str; 11] = ["", "A.0", "D.0", "D.1", "E.0", "K.0", "Z.9", "k.0", "K", "K0", "K.00"];
    let id = |sku: &str, fab: &str, revision: &str| BoardId {
        board: "2888".into(),
        fab: fab.into(),
        sku: sku.into(),
        revision: revision.into(),
    };
    let modules = [
        ("0001", "400", "D.0"),
        ("0001", "400", "H.0"),
        ("0004", "400", "K.0"),
        ("0005", "402", ""),
        ("0001", "100", ""),
    ]
    .map(|(sku, fab, revision)| id(sku, fab, revision));
    let mut pairs = Vec::new();
    for sku in ["0001", "0004", "0005", "0006"] {
        for (fab, revision) in FABS.iter().flat_map(|fab| REVISIONS.map(|revision| (fab, revision))) {
            pairs.extend(modules.iter().map(|module| (module, id(sku, fab, revision))));
        }
    }
    let taken = taken_by_script(&pairs);
    assert_eq!(taken.len(), pairs.len());
    for ((module, board), taken) in pairs.iter().zip(taken) {
        assert_eq!(taken, board.check().is_ok() && module.fits(board), "{board} for {module}");
    }
}
