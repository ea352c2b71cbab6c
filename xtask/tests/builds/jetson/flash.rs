//! Flashing, backup and restore: every path executed against the stand-in boards, which fail as they are told.

use super::Machine;
use super::device::{Board, Bus, XAVIER_32GB};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Bytes of the partition APP of this product.
pub const APP: usize = 256 << 20;

/// A bundle with a kernel and a small partition APP, without a root filesystem of its own.
pub fn bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let machine = Machine::new();
        let product = machine.product("echo-srv", "app_size: 256MiB");
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jetson-flash");
        PathBuf::from(machine.image_into(&out, &["-c", &product]).ok())
    })
}

/// A root filesystem that somebody has set up: a sound superblock, and the rest not all zeros, and not all alike.
pub fn rootfs(seed: u8) -> Vec<u8> {
    let mut bytes = tegra_flash::filesystem::test_image::image(APP, 0);
    for (index, byte) in bytes.iter_mut().step_by(4097).enumerate() {
        *byte = (index as u8).wrapping_mul(31).wrapping_add(seed) | 1;
    }
    bytes
}

/// A board that has been flashed with the bundle's boot config before, and set up.
pub fn in_use(bus: &Bus, instance: &str, seed: u8) -> Board {
    let board = bus.plug(instance, XAVIER_32GB);
    let bct = fs::read(bundle().join("flash/common/mb1_cold_boot_bct_MB1_sigheader.bct.encrypt")).unwrap();
    board.fill("MB1_BCT", &bct);
    board.fill("APP", &rootfs(seed));
    board
}

pub fn flash<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["flash", bundle().to_str().unwrap(), "--to", "usb"], more].concat()
}

pub fn wrote(board: &Board) -> bool {
    board.calls().iter().any(|call| call.contains("--create") || call.contains("--write"))
}

pub fn records(bus: &Bus) -> Vec<Value> {
    let text = fs::read_to_string(bus.home().join("carveout/flash-records/records.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn secure_os_alone_is_written_to_both_slots_and_compared() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 1);
    let said = bus.xtask(flash(&["--scope", "secure-os"])).ok();
    assert!(said.starts_with("1-2: done in ") && said.ends_with("P2888-0004 fab 400 revision K.0"), "{said}");
    let image = fs::read(bundle().join("flash/common/tos-trusty_t194_sigheader.img.encrypt")).unwrap();
    for slot in ["secure-os", "secure-os_b"] {
        assert!(board.partition(slot).unwrap().starts_with(&image));
    }
    assert!(board.partition("APP").unwrap() == rootfs(1));
    assert_eq!((board.state().as_str(), board.is_there()), ("linux", false));
    let record = records(&bus).pop().unwrap();
    assert_eq!((&record["result"], &record["scope"]), (&"ok".into(), &"secure-os".into()));
    let steps: Vec<&str> =
        record["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps[..3], ["identify", "boot the recovery loader", "compare the carve-out"]);
    let log = fs::read_to_string(record["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("$ tegradevflash_v2 --write secure-os_b "), "NVIDIA's full log: {log}");
}

/// The mistake that carveout answers: a carve-out changes by a full flash alone.
#[test]
fn secure_os_alone_is_refused_where_the_boards_carve_out_is_another() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 1);
    let mut bct = board.partition("MB1_BCT").unwrap();
    bct[0x1918..0x1920].copy_from_slice(&(16u64 << 20).to_le_bytes());
    board.fill("MB1_BCT", &bct);
    let error = bus.xtask(flash(&["--scope", "secure-os"])).fails(1);
    assert!(
        error.contains(
            "has a carve-out of 16777216 bytes aligned to 1048576, this bundle was made for 33554432"
        ),
        "{error}"
    );
    assert!(error.contains("--scope full, with --keep-app"), "{error}");
    assert!(!wrote(&board));
}

#[test]
fn a_full_flash_keeps_the_root_filesystem() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2.3", 7);
    let kept = tempfile::tempdir().unwrap();
    let kept_dir = kept.path().to_str().unwrap();
    bus.xtask(flash(&["--keep-app", "--backup-dir", kept_dir])).ok();
    assert!(board.partition("APP").unwrap() == rootfs(7), "bit for bit");
    for name in ["MB1_BCT", "MB1_BCT_b", "secure-os", "secure-os_b", "kernel", "BCT"] {
        assert!(board.partition(name).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)), "{name}");
    }
    let file = fs::read_dir(kept.path()).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read(file).unwrap() == rootfs(7), "a copy stays with --backup-dir");
    let calls = board.calls();
    let at = |words: &str| calls.iter().position(|call| call.contains(words)).unwrap();
    assert!(at("--read APP") < at("--create"), "read before anything is written");
    assert_eq!(calls.last().unwrap(), "tegradevflash_v2 --reboot coldboot");
}

#[test]
fn what_cannot_be_kept_is_not_overwritten() {
    for (line, words) in [
        ("--read APP fail", "read APP: tegradevflash_v2 --read APP"),
        ("--read APP lie", "ended with success, but says otherwise"),
        ("--read APP silent", "ended with success, but nothing was read"),
        ("--read APP vanish", "read APP: "),
        ("--reboot recovery vanish", "reboot recovery"),
    ] {
        let bus = Bus::new();
        let board = in_use(&bus, "1-2", 3);
        board.script(&[line]);
        let error = bus.xtask(flash(&["--keep-app"])).fails(1);
        assert!(error.contains(words), "{line}: {error}");
        assert!(!wrote(&board), "{line}");
        assert!(board.partition("APP").unwrap() == rootfs(3), "{line}");
    }
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 3);
    board.fill("APP", &vec![0; APP]);
    assert!(bus.xtask(flash(&["--keep-app"])).fails(1).contains("all zeros: that is no root filesystem"));
    board.reset();
    board.fill("APP", &rootfs(3)[..APP / 2]);
    let error = bus.xtask(flash(&["--keep-app"])).fails(1);
    assert!(error.contains("APP has 134217728 bytes, this bundle's layout 268435456"), "{error}");
    assert!(!wrote(&board));
}

/// What is no ext4 filesystem is neither kept nor written, unless somebody says so.
#[test]
fn what_is_no_root_filesystem_is_refused_before_a_board_is_touched() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 3);
    let noise = rootfs(3).split_off(4096);
    board.fill("APP", &[&noise[..], &[1; 4096]].concat());
    let bundle = bundle().to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let error = bus.xtask(flash(&["--keep-app"])).fails(1);
    assert!(error.contains("what was read of APP is no root filesystem: nothing that is known"), "{error}");
    assert!(error.contains("--raw-anyway takes it as it is"), "{error}");
    assert!(!wrote(&board));
    board.reset();
    assert!(bus.xtask(["backup", bundle, "-o", &path("b")]).fails(1).contains("is no root filesystem"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "no backup that is none");
    board.reset();
    bus.xtask(["backup", bundle, "-o", &path("b"), "--raw-anyway"]).ok();
    board.reset();
    let calls = board.calls().len();
    for restore in [vec!["restore", bundle], flash(&["--scope", "app", "--app"])] {
        let given = path("b");
        let restore = |more: &[&str]| bus.xtask([&restore[..], &[&given], more].concat());
        let error = restore(&[]).fails(2);
        assert!(
            error.contains("b: in the sparse image: nothing that is known, no ext4 filesystem"),
            "{error}"
        );
        assert_eq!(board.calls().len(), calls, "{error}");
    }
    board.fill("APP", b"other");
    bus.xtask(["restore", bundle, &path("b"), "--raw-anyway"]).ok();
    assert!(board.partition("APP").unwrap().starts_with(&noise));
}

#[test]
fn a_cable_pulled_half_way_loses_nothing() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 5);
    board.script(&["--create vanish"]);
    let error = bus.xtask(flash(&["--keep-app"])).fails(1);
    assert!(error.contains("write everything: tegradevflash_v2"), "{error}");
    assert!(error.contains("the board's root filesystem is safe in "), "{error}");
    let kept = error.split("is safe in ").nth(1).unwrap().split(": bring").next().unwrap().to_owned();
    assert!(error.contains(&format!("again with --app {kept} instead of --keep-app")), "{error}");
    assert!(fs::read(&kept).unwrap() == rootfs(5));
    assert_eq!(records(&bus).pop().unwrap()["steps"].as_array().unwrap().last().unwrap()["ok"], false);
    // Somebody plugs it in again, and does as the message says.
    let board = bus.plug("1-2", XAVIER_32GB);
    board.script(&[]);
    board.fill("APP", b"half written");
    bus.xtask(flash(&["--app", &kept])).ok();
    assert!(board.partition("APP").unwrap() == rootfs(5));
    assert!(board.partition("secure-os_b").is_some());
}

#[test]
fn what_nvidias_tools_call_a_success_is_not_believed() {
    for (line, words) in [
        ("--create lie", "ended with success, but says otherwise"),
        ("--create silent", "read secure-os back: "),
        ("--write MB1_BCT_b silent", "read MB1_BCT_b back: "),
        ("--read secure-os_b corrupt", "partition secure-os_b reads back other than it was written"),
        // What was read of the slot before is not taken for it.
        ("--read secure-os_b silent", "ended with success, but nothing was read"),
        ("--boot recovery vanish", "exit code 8"),
        ("--download blob fail", "exit code 8"),
        ("--reboot coldboot lie", "restart: "),
        ("--oem platformdetails eeprom silent", "nothing was read"),
    ] {
        let bus = Bus::new();
        let board = in_use(&bus, "1-2", 9);
        board.script(&[line]);
        let error = bus.xtask(flash(&["--keep-app"])).fails(1);
        assert!(error.contains(words), "{line}: {error}");
        assert_ne!(records(&bus).pop().unwrap()["result"], "ok", "{line}");
    }
}

#[test]
fn other_boards_are_refused_before_anything_is_written() {
    for (eeprom, words) in [
        (
            "2888 600 0008 A.0",
            "the board is P2888-0008 fab 600 revision A.0 (Jetson AGX Xavier Industrial), which this bundle is not for",
        ),
        (
            "2888 400 0001 H.0",
            "the board is P2888-0001 fab 400 revision H.0 (Jetson AGX Xavier 16 GB), which this bundle is not for",
        ),
        ("2888 200 0004 K.0", "fab 200 revision K.0 (Jetson AGX Xavier 32 GB), which this bundle is not for"),
        (
            "3668 100 0001 A.0",
            "P3668-0001 fab 100 revision A.0 (Jetson Xavier NX with eMMC), which this bundle is not for",
        ),
        ("2888 400 0006 B.0", "(Jetson AGX Xavier 8 GB), which this bundle is not for"),
        ("\0 \0 \0 \0", "EEPROM is blank: which module it is cannot be known"),
    ] {
        let bus = Bus::new();
        let board = bus.plug("1-2", eeprom);
        let error = bus.xtask(flash(&["--scope", "secure-os"])).fails(1);
        assert!(error.contains(words), "{eeprom}: {error}");
        assert!(error.contains("nothing has been written; this bundle is for 32gb"), "{error}");
        assert!(!wrote(&board));
    }
    for (cid, words) in [
        (
            "0xa8021911645995822400000015028280",
            "want a bundle signed with a PKC, this one is signed with no keys",
        ),
        ("0x88011911645995822400000015028280", "the chip is of revision 1"),
        ("0x88021811645995822400000015028280", "is neither a t194"),
    ] {
        let bus = Bus::new();
        let board = bus.plug("1-2", XAVIER_32GB);
        board.chip(cid);
        let error = bus.xtask(flash(&["--scope", "secure-os"])).fails(1);
        assert!(error.contains(words), "{cid}: {error}");
        assert!(!wrote(&board));
    }
}

#[test]
fn several_boards_at_once_and_one_fails() {
    let bus = Bus::new();
    let (good, bad) = (in_use(&bus, "1-2", 1), in_use(&bus, "3-1.4", 2));
    bad.script(&["--write secure-os_b fail"]);
    let error = bus.xtask(flash(&["--scope", "secure-os"])).fails(1);
    assert!(error.contains("1 of 2 devices failed"), "{error}");
    assert!(error.contains("1-2: done in ") && error.contains("3-1.4: write secure-os_b: "), "{error}");
    assert_eq!((good.state().as_str(), bad.is_there()), ("linux", true));
    assert_eq!(records(&bus).len(), 2);
    // The one that failed, once more.
    bad.reset();
    bad.script(&[]);
    bus.xtask(flash(&["--scope", "secure-os", "--instance", "3-1.4"])).ok();
    assert_eq!(bad.state(), "linux");
}

#[test]
fn no_board_is_an_error_that_helps() {
    let bus = Bus::new();
    let error = bus.xtask(flash(&["--scope", "secure-os"])).fails(3);
    assert!(error.contains("no Jetson AGX Xavier in recovery mode (0955:7019) at this host\n"), "{error}");
    assert!(error.contains("hold its middle button"), "{error}");
    bus.plug_other("1-4", ["0955", "7020"]);
    let error = bus.xtask(flash(&["--scope", "secure-os"])).fails(3);
    assert!(error.contains("at USB 1-4 is running Linux"), "{error}");
    bus.plug("1-2", XAVIER_32GB);
    let error = bus.xtask(flash(&["--scope", "secure-os", "--instance", "1-3"])).fails(3);
    assert!(error.contains("at USB 1-3; at this host: 1-2"), "{error}");
}

#[test]
fn a_dry_run_touches_no_board() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 1);
    let ran = bus.xtask(flash(&["--keep-app", "--dry-run"]));
    assert!(ran.stderr().contains("APP is read first: 256 MiB in "), "{}", ran.stderr());
    assert!(ran.stderr().contains("the carve-out becomes 32 MiB"), "{}", ran.stderr());
    assert!(ran.stderr().contains("board 1-2\n") && ran.stderr().contains("module "), "{}", ran.stderr());
    assert_eq!(board.calls(), Vec::<String>::new());
    // Nor does it make a folder where nothing will be recorded or kept.
    let other = Bus::new();
    other.xtask(flash(&["--scope", "secure-os", "--dry-run"])).ok();
    assert!(!other.home().join("carveout").exists());
    // Without a board it says what it would do with each module.
    let ran = Bus::new().xtask(flash(&["--keep-app", "--dry-run", "--json"]));
    let json = ran.result();
    assert_eq!(json["boards"], Value::Array(Vec::new()));
    let modules = json["modules"].as_array().unwrap();
    assert!(modules.iter().any(|line| line.as_str().unwrap().contains("P2888-0004")), "{modules:?}");
    assert!(json["plan"].as_str().unwrap().contains("no board in recovery mode is at this host"), "{json}");
}

#[test]
fn what_a_bundle_lacks_is_told_first() {
    let bus = Bus::new();
    bus.plug("1-2", XAVIER_32GB);
    let error = bus.xtask(flash(&[])).fails(2);
    assert!(
        error.contains(
            "cannot be flashed in scope full: it has no root filesystem, and the board's is not kept"
        ),
        "{error}"
    );
    assert!(bus.xtask(flash(&["--scope", "app"])).fails(2).contains("it has no root filesystem"));
    assert!(
        bus.xtask(flash(&["--scope", "secure-os", "--keep-app"]))
            .fails(2)
            .contains("only a full flash writes APP")
    );
    let virt = ["flash", bundle().to_str().unwrap(), "--to", "virt:x"];
    assert!(bus.xtask(virt).fails(2).contains("boards in recovery mode are --to usb"));
}

#[test]
fn backup_and_restore_know_raw_and_sparse_images() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 11);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let bundle = bundle().to_str().unwrap();
    let (sparse, raw) = (path("app.img"), path("app.raw"));
    assert_eq!(bus.xtask(["backup", bundle, "--output", &sparse]).ok(), sparse);
    board.reset();
    bus.xtask(["backup", bundle, "--output", &raw, "--raw"]).ok();
    assert!(fs::read(&raw).unwrap() == rootfs(11));
    assert!(fs::metadata(&sparse).unwrap().len() < APP as u64);
    assert!(bus.xtask(["backup", bundle, "--output", &raw]).fails(2).contains("exists already"));
    for image in [&sparse, &raw] {
        board.reset();
        board.fill("APP", &rootfs(12));
        assert_eq!(bus.xtask(["restore", bundle, image]).ok(), "ok");
        assert!(board.partition("APP").unwrap() == rootfs(11), "{image}");
    }
    // The archive serves as well as the folder.
    board.reset();
    bus.xtask(["restore", &format!("{bundle}.tar.zst"), &raw]).ok();
    board.reset();
    let large = path("large.raw");
    fs::write(&large, tegra_flash::filesystem::test_image::image(APP + 4096, 1)).unwrap();
    assert!(
        bus.xtask(["restore", bundle, &large])
            .fails(2)
            .contains("holds 268439552 bytes, the partition APP of this bundle 268435456")
    );
    fs::write(&large, b"\x3a\xff\x26\xed").unwrap();
    let error = bus.xtask(["restore", bundle, &large]).fails(2);
    assert!(error.contains("large.raw: "), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left behind");
}
