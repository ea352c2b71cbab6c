//! NVIDIA's own kernel, where its BSP and sources are.

use super::emulate;
use crate::util::{Ran, root, xtask};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Boots in a row without a hang.
const BOOTS: usize = 100;

fn tree(variable: &str) -> Option<PathBuf> {
    let tree = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if tree.is_none() {
        eprintln!("skipped: {variable} names no real tree of NVIDIA's");
    }
    tree
}

/// A bundle of NVIDIA's trees with these trusted apps; none without the trees.
fn bundle(dir: &Path, tzdram: &str, trusted_apps: &str) -> Option<PathBuf> {
    tree("CARVEOUT_L4T_BSP").and(tree("CARVEOUT_L4T_SOURCES"))?;
    let config = dir.join("product.yaml");
    let text = format!(
        "name: real\nversion: 0.1.0\nboard: jetson-agx-xavier\ntzdram: {{ size: {tzdram}, alignment: 1MiB }}\n\
         trusted_apps: [{trusted_apps}]\nclient_apps: [echo-srv-app]\nl4t: {{ accept_license: true, modules: [32gb] }}\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("image").arg("-c").arg(&config).arg("-o").arg(dir.join(tzdram)).current_dir(root());
    Some(PathBuf::from(Ran::new(&mut command).ok()))
}

#[test]
fn the_real_kernel_serves_refuses_and_boots_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bundle) = bundle(dir.path(), "32MiB", "echo-srv, small-echo-srv") else { return };
    let echoed = emulate(&bundle, &["--backend", "qemu"], &["--ta", "echo-srv", "--count", "64000"]).ok();
    assert!(echoed.contains("64000 values (256000 bytes) came back intact"), "{echoed}");
    let refused = emulate(&bundle, &[], &["--ta", "small-echo-srv", "--count", "64000"]).fails(1);
    assert!(refused.contains("it has room for 81920 (20480 values)"), "{refused}");
    let table = emulate(&bundle, &[], &["--self-test"]).ok();
    assert!(table.ends_with("all outcomes are right"), "{table}");
    let (from, to) = (dir.path().join("in"), dir.path().join("out"));
    fs::write(&from, (0..5 << 20).map(|i: u32| (i ^ i >> 9) as u8).collect::<Vec<_>>()).unwrap();
    let files = ["--file", from.to_str().unwrap(), "--output", to.to_str().unwrap()];
    emulate(&bundle, &[], &files).ok();
    assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
    for boot in 0..BOOTS {
        let echoed = emulate(&bundle, &["--client", "host"], &["--count", "100"]).ok();
        assert!(echoed.contains("intact"), "boot {boot}: {echoed}");
    }
}

/// The forum's case on the kernel that it happened on: whatever the carve-out, the same crash, explained.
#[test]
fn the_forums_crash_on_the_real_kernel() {
    let dir = tempfile::tempdir().unwrap();
    for tzdram in ["16MiB", "64MiB"] {
        let Some(bundle) = bundle(dir.path(), tzdram, "unchecked-srv") else { return };
        let crash = emulate(&bundle, &[], &["--ta", "unchecked-srv", "--count", "64000"]).fails(1);
        assert!(crash.contains("unchecked-srv: all data initialised"), "{crash}");
        let diagnosis = "unchecked-srv faults: null + 0 written: a pointer that was never set, or an allocation whose \
                         failure was not checked; the heap is 16 KiB by manifest, whatever the carve-out";
        assert!(crash.contains(diagnosis), "{tzdram}: {crash}");
    }
}

#[test]
fn the_stock_image_passes_its_own_test() {
    let Some(bsp) = tree("CARVEOUT_L4T_BSP") else { return };
    let image = bsp.join("bootloader/tos-trusty_t194.img");
    let verdict = xtask(["emulate".as_ref(), image.as_os_str(), "--ipc-unittest".as_ref()]).ok();
    assert_eq!(verdict, "ipc-unittest: PASSED");
}

/// In 2 MiB it passes, too. In 1 MiB it boots, and its kernel's heap runs out during the test.
#[test]
fn the_stock_image_passes_in_a_small_carve_out() {
    let Some(bsp) = tree("CARVEOUT_L4T_BSP") else { return };
    let image = bsp.join("bootloader/tos-trusty_t194.img");
    let options = ["--tzdram", "2MiB", "--ipc-unittest"].map(std::ffi::OsStr::new);
    let verdict = xtask([std::ffi::OsStr::new("emulate"), image.as_os_str()].into_iter().chain(options)).ok();
    assert_eq!(verdict, "ipc-unittest: PASSED");
}
