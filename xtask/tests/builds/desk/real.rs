//! NVIDIA's own kernel, where its BSP and sources are.

use super::emulate;
use crate::builds::util::{Ran, root, xtask};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use trusty_image::test_elf::TestElf;

/// Boots in a row without a hang.
const BOOTS: usize = 100;

fn tree(variable: &str) -> Option<PathBuf> {
    let tree = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if tree.is_none() {
        eprintln!("skipped: {variable} names no real tree of NVIDIA's");
    }
    tree
}

/// A product of NVIDIA's trees with these trusted apps; none without the trees.
pub fn product(dir: &Path, tzdram: &str, trusted_apps: &str) -> Option<PathBuf> {
    product_of(dir, ["jetson-agx-xavier", "32gb"], tzdram, trusted_apps)
}

/// The same for another board, and a module of it.
pub fn product_of(
    dir: &Path,
    [board, module]: [&str; 2],
    tzdram: &str,
    trusted_apps: &str,
) -> Option<PathBuf> {
    tree("CARVEOUT_L4T_BSP").and(tree("CARVEOUT_L4T_SOURCES"))?;
    let config = dir.join("product.yaml");
    let text = format!(
        "name: real\nversion: 0.1.0\nboard: {board}\ntzdram: {{ size: {tzdram}, alignment: 1MiB }}\n\
         trusted_apps: [{trusted_apps}]\nclient_apps: [echo-srv-app]\nl4t: {{ accept_license: true, modules: [{module}] }}\n"
    );
    fs::write(&config, text).unwrap();
    Some(config)
}

pub fn image(config: &Path, out: &Path, more: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("image").arg("-c").arg(config).arg("-o").arg(out).args(more).current_dir(root());
    Ran::new(&mut command)
}

fn bundle(dir: &Path, tzdram: &str, trusted_apps: &str) -> Option<PathBuf> {
    let config = product(dir, tzdram, trusted_apps)?;
    Some(PathBuf::from(image(&config, &dir.join(tzdram), &[]).ok()))
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
    emulate(&bundle, &["--writes", to.to_str().unwrap()], &files).ok();
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
        assert!(crash.contains("  place examples/unchecked-srv/src/main.rs:"), "{crash}");
    }
}

/// Each way to end, on the real kernel.
#[test]
fn ends_of_trusted_apps_on_the_real_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bundle) = bundle(dir.path(), "16MiB", "unchecked-srv") else { return };
    super::ends::check(&bundle, "qemu");
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

/// A finished ELF file that declares nothing: what it does at its start is seen before the bundle gets its name.
#[test]
fn a_fault_at_the_start_stops_the_build() {
    let dir = tempfile::tempdir().unwrap();
    let mut elf = TestElf::good().build();
    // mov r0, #0; ldr r1, [r0, #8]
    let code = [0xe3a0_0000u32, 0xe590_1008].map(u32::to_le_bytes).concat();
    elf[0x1000..0x1000 + code.len()].copy_from_slice(&code);
    fs::write(dir.path().join("early.elf"), elf).unwrap();
    let Some(config) = product(dir.path(), "16MiB", "{ elf: early.elf }") else { return };
    let error = image(&config, &dir.path().join("out"), &[]).fails(1);
    for expected in [
        "the secure-os image that was built does not work: early faults: null + 8 read",
        "at    0x00008004",
        "| sync_exception",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
}

/// Too small a carve-out fails here as it would on a board: the kernel panics while it loads the trusted apps.
#[test]
fn too_small_a_carve_out_stops_the_real_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let Some(config) = product(dir.path(), "32MiB", "{ package: echo-srv, min_heap: 8MiB }") else { return };
    let bundle = PathBuf::from(image(&config, &dir.path().join("out"), &[]).ok());
    let error = emulate(&bundle, &["--tzdram", "8MiB"], &["--count", "1"]).fails(1);
    assert!(error.contains("the secure-os image does not boot: Trusty's kernel panics"), "{error}");
    assert!(error.contains("the carve-out is too small for the trusted apps"), "{error}");
}
