//! Layouts of a team's own: two root filesystems, partitions more, and what cannot be built.

use super::boards::{build, product};
use super::device::Bus;
use super::flash::rootfs;
use super::standin::put;
use super::{BOARD, Machine, real_trees};
use crate::builds::team::{here, workspace};
use crate::builds::util::{Ran, manifest, xtask};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use trusty_image::test_elf::TestElf;

const LAYOUT: &str = "bootloader/t186ref/cfg/flash_t194_sdmmc.xml";

/// The stand-in's layout with rows more before APP's neighbour.
fn with_rows(machine: &Machine, rows: &str) {
    let text = fs::read_to_string(machine.bsp.dir.join(LAYOUT)).unwrap();
    let at = "        <partition name=\"cpu-bootloader\"";
    assert!(text.contains(at));
    machine.bsp.put(LAYOUT, text.replacen(at, &format!("{rows}{at}"), 1));
}

fn row(name: &str, size: &str, file: &str) -> String {
    format!(
        "        <partition name=\"{name}\" type=\"data\">\n            <size> {size} </size>\n            \
         <filename> {file} </filename>\n        </partition>\n"
    )
}

#[test]
fn a_layout_of_a_teams_own_is_built_and_flashed() {
    let machine = Machine::new();
    machine.bsp.put("bootloader/vendor.bin", "what the team keeps there\n");
    with_rows(
        &machine,
        &(row("APP_b", "APPSIZE", "system.img_b") + &row("vendor-data", "65536", "vendor.bin")),
    );
    let built = PathBuf::from(build(&machine, &product(&machine, BOARD), &["--no-boot"]).ok());
    assert_eq!(xtask(["verify".as_ref(), built.as_os_str()]).ok(), "ok");
    let app = machine.path("app.img");
    let content = rootfs(3);
    put(&app, &content);
    let (bundle, app) = (built.to_str().unwrap(), app.to_str().unwrap());
    let bus = Bus::new();
    let board = bus.plug("1-2", super::device::XAVIER_32GB);
    bus.xtask(["flash", bundle, "--to", "usb", "--app", app]).ok();
    for slot in ["APP", "APP_b"] {
        assert!(board.partition(slot).unwrap().starts_with(&content), "{slot}");
    }
    let signed = fs::read(built.join("flash/common/vendor_sigheader.bin.encrypt")).unwrap();
    assert!(board.partition("vendor-data").unwrap().starts_with(&signed));
    // The root filesystem alone goes to both, too, and one of two is not kept.
    let bus = Bus::new();
    let board = bus.plug_flashed("1-2", super::device::XAVIER_32GB);
    bus.xtask(["flash", bundle, "--to", "usb", "--scope", "app", "--app", app]).ok();
    assert!(["APP", "APP_b"].iter().all(|slot| board.partition(slot).is_some()));
    let error = bus.xtask(["flash", bundle, "--to", "usb", "--keep-app"]).fails(2);
    assert!(error.contains("has two root filesystems, APP and APP_b"), "{error}");
}

#[test]
fn what_cannot_be_built_is_refused_by_its_name() {
    let machine = Machine::new();
    with_rows(&machine, &row("APP_ENC", "1048576", "system_root_encrypted.img"));
    let config = product(&machine, BOARD);
    let error = build(&machine, &config, &[]).fails(2);
    assert!(
        error.contains("partition APP_ENC gets system_root_encrypted.img, which the BSP has not")
            && error.contains("flash_t194_sdmmc.xml:"),
        "{error}"
    );
}

/// A root filesystem of carveout's own names the partition that it boots from.
#[test]
fn two_root_filesystems_are_not_made_of_one_that_knows_its_place() {
    let machine = Machine::new();
    with_rows(&machine, &row("APP_b", "APPSIZE", "system.img_b"));
    let config = product(&machine, BOARD);
    let text = fs::read_to_string(&config).unwrap();
    let rootfs = "rootfs: { kind: debian, suite: bookworm, packages: [systemd-sysv], size: 1GiB }\nl4t:";
    put(Path::new(&config), text.replace("l4t:", rootfs));
    let error = build(&machine, &config, &[]).fails(2);
    assert!(error.contains("has two partitions for it") && error.contains("kind: tarball"), "{error}");
}

/// NVIDIA's own layout with two root filesystems, by a board file and a conf of a team's own.
#[test]
fn nvidias_rootfs_ab_is_built() {
    let Some([bsp, sources]) = real_trees() else { return };
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("bsp");
    Ran::new(Command::new("cp").args(["-a".as_ref(), bsp.as_os_str(), copy.as_os_str()])).ok();
    put(&copy.join("team-ab.conf"), "ROOTFS_AB=1;\nsource \"${LDK_DIR}/jetson-agx-xavier-devkit.conf\";\n");
    let team = workspace(dir.path(), "team");
    put(
        &team.join("configs/boards/team-ab.yaml"),
        "name: team-ab\nextends: jetson-agx-xavier\nlayout: bootloader/t186ref/cfg/flash_t194_sdmmc_rootfs_ab.xml\n\
         l4t: { flash_name: team-ab, app_size: 14GiB }\n",
    );
    put(&team.join("configs/small.elf"), TestElf::good().build());
    put(
        &team.join("configs/ab.yaml"),
        "name: ab\nversion: 1.0.0\nboard: team-ab\ntzdram: { size: 32MiB }\ntrusted_apps: [{ elf: small.elf, min_heap: 4KiB, min_stack: 4KiB }]\n\
         l4t: { modules: [32gb], accept_license: true }\n",
    );
    let image = |out: &str| {
        let out = dir.path().join(out);
        let [bsp, sources, out] = [&copy, &sources, &out].map(|path| path.display().to_string());
        let words =
            ["image", "-c", "configs/ab.yaml", "--no-boot", "-o", &out, "--bsp", &bsp, "--sources", &sources];
        PathBuf::from(here(&team, &words).ok())
    };
    let built = image("one");
    let layout = fs::read_dir(built.join("layout")).unwrap().next().unwrap().unwrap().path();
    let layout = tegra_flash::Layout::parse(&fs::read_to_string(layout).unwrap()).unwrap();
    let guids: Vec<_> =
        ["APP", "APP_b"].iter().map(|name| layout.partition(name).unwrap().guid.clone().unwrap()).collect();
    assert!(guids[0] != guids[1] && guids.iter().all(|guid| guid.len() == 36), "{guids:?}");
    assert_eq!(manifest(&built)["board"], "team-ab");
    // Nothing of it is made up: NVIDIA's script would take another identity for each run.
    fs::remove_dir_all(team.join("target/carveout/stages")).unwrap();
    let again = image("two");
    assert_eq!(manifest(&built)["files"], manifest(&again)["files"]);
}
