//! Updates of a Jetson: a folder stands for the device, and a program for NVIDIA's engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../xtask/tests/report/small.rs"]
#[allow(dead_code)]
mod small;

use bundle::{Role, SIGNATURE, SUMS, Source};
use minisign::KeyPair;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use tegra_flash::boot_areas::BootAreas;
use tegra_flash::payload::{Payload, PayloadEntry};
use tegra_flash::slot_metadata::SlotMetadata;
use tegra_flash::update::PAYLOAD_VERSION;

const SPEC: &str = "2888-400-0004--1-2-jetson-agx-xavier-devkit-mmcblk0p1";
const OTHER: &str = "2888-400-0001-E.0-1-2-jetson-agx-xavier-devkit-mmcblk0p1";
/// Partitions, whether they are of a module, and whether they are in the boot areas.
const PARTS: [(&str, bool, bool); 6] = [
    ("mb2", false, true),
    ("secure-os", false, false),
    ("bpmp-fw", false, false),
    ("bootloader-dtb", true, false),
    ("BCT", true, true),
    ("MB1_BCT", true, true),
];
/// Bytes of each part.
const LENGTH: usize = 4096;
/// Bytes of each boot area.
const AREA: usize = 64 << 10;
const SECTOR: usize = 512;
const BOARD: &str = "jetson-agx-xavier";

/// What a part of a bundle's version is.
fn content(version: u8, partition: &str) -> Vec<u8> {
    partition.bytes().chain(std::iter::repeat(version)).take(LENGTH).collect()
}

/// What `version` has for these modules; a part that begins so has this carve-out.
fn payload(version: u8, specs: &[&str], more: &[&str]) -> Vec<u8> {
    let contents: Vec<_> = PARTS.iter().map(|(name, ..)| content(version, name)).collect();
    let entry = |partition: &str, spec: &str, data| PayloadEntry {
        partition: partition.into(),
        version: 0x3272,
        operation: 0,
        spec: spec.into(),
        data,
    };
    let mut entries = Vec::new();
    for ((name, own, _), data) in PARTS.iter().zip(&contents) {
        match own {
            true => entries.extend(specs.iter().map(|spec| entry(name, spec, data.as_slice()))),
            false => entries.push(entry(name, "", data)),
        }
    }
    entries.extend(more.iter().map(|name| entry(name, "", &contents[0])));
    Payload { version: PAYLOAD_VERSION, entries }.to_bytes().unwrap()
}

struct Board {
    dir: tempfile::TempDir,
    key: KeyPair,
}

impl Board {
    /// Slot A and B hold version 1, and A/B redundancy is off.
    fn new() -> Self {
        let board =
            Self { dir: tempfile::tempdir().unwrap(), key: KeyPair::generate_unencrypted_keypair().unwrap() };
        for folder in [
            "etc/carveout/keys.d",
            "dev/disk/by-partlabel",
            "proc/sys/kernel/random",
            "usr/sbin",
            "sys/module/tegra_fuse/parameters",
        ] {
            fs::create_dir_all(board.path(folder)).unwrap();
        }
        board.put("sys/module/tegra_fuse/parameters/tegra_prod_mode", "1\n");
        let config = format!(
            "TNSPEC 2888-400-0004-K.0-1-2-jetson-agx-xavier-devkit-mmcblk0p1\nCOMPATIBLE_SPEC {SPEC}\nTEGRA_CHIPID 0x19\n\
             TEGRA_OTA_BOOT_DEVICE /dev/mmcblk0boot0\nTEGRA_OTA_GPT_DEVICE /dev/mmcblk0boot1\n"
        );
        board.put("etc/nv_boot_control.conf", &config);
        board.put("etc/carveout/keys.d/maker.pub", &board.key.pk.to_box().unwrap().to_string());
        for program in ["nv_update_engine", "nvbootctrl"] {
            board.put(&format!("usr/sbin/{program}"), include_str!("engine.py"));
            fs::set_permissions(board.path(&format!("usr/sbin/{program}")), Permissions::from_mode(0o755))
                .unwrap();
        }
        let names = PARTS.map(|(name, ..)| name).join(" ");
        board.put("usr/sbin/names", &names);
        board.put("usr/sbin/length", &LENGTH.to_string());
        // One slot alone, as a board has it that was flashed.
        let mut metadata = vec![0x00, 0x4e, 0x42, 0x43, 5, 0, 1, 0, 15, b'_', b'a', 7, 1, 0, 0, 0, 0, 0];
        let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&metadata);
        metadata.extend(sum.to_le_bytes());
        let mut areas = vec![0; 2 * AREA];
        let mut table = Vec::new();
        let mut add = |name: &str, first: usize, sectors: usize, data: &[u8]| {
            let mut entry = vec![7; 32];
            entry.extend([first as u64, (first + sectors - 1) as u64].map(u64::to_le_bytes).concat());
            entry.extend([0; 8]);
            entry.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            entry.resize(128, 0);
            table.extend(entry);
            areas[first * SECTOR..first * SECTOR + data.len()].copy_from_slice(data);
        };
        add("BCT", 0, 64, &content(1, "BCT"));
        add("SMD", 64, 1, &metadata);
        add("SMD_b", 65, 1, &metadata);
        let mut first = 66;
        for (name, _, in_areas) in PARTS {
            for own in [name.to_owned(), format!("{name}_b")] {
                if name == "BCT" {
                    continue;
                }
                let data = content(1, name);
                if in_areas {
                    add(&own, first, LENGTH / SECTOR, &data);
                    first += LENGTH / SECTOR;
                } else {
                    fs::write(board.path("dev/disk/by-partlabel").join(own), data).unwrap();
                }
            }
        }
        areas[16 << 10..][..LENGTH].copy_from_slice(&content(1, "BCT"));
        table.resize(128 * 128, 0);
        let checksum = |bytes: &[u8]| crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes);
        let mut head = [0; SECTOR];
        head[..8].copy_from_slice(b"EFI PART");
        for (at, value) in [(12, 92), (80, 128), (84, 128), (88, checksum(&table))] {
            head[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        let sum = checksum(&head[..92]);
        head[16..20].copy_from_slice(&sum.to_le_bytes());
        let end = areas.len();
        areas[end - SECTOR..].copy_from_slice(&head);
        areas[end - SECTOR - table.len()..end - SECTOR].copy_from_slice(&table);
        fs::write(board.path("dev/mmcblk0boot0"), &areas[..AREA]).unwrap();
        fs::write(board.path("dev/mmcblk0boot1"), &areas[AREA..]).unwrap();
        board.start(0, 1);
        board
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// It runs from this slot, for the nth time.
    fn start(&self, slot: usize, boot: u32) {
        let suffix = if slot == 0 { "" } else { "_b" };
        self.put("proc/cmdline", &format!("root=/dev/mmcblk0p1 boot.slot_suffix={suffix} quiet\n"));
        self.put("proc/sys/kernel/random/boot_id", &format!("boot-{boot}\n"));
    }

    /// What the board's own boot loaders would start: the slot and its version. Every part of it must be whole.
    fn boots(&self) -> (usize, u8) {
        let bytes =
            ["dev/mmcblk0boot0", "dev/mmcblk0boot1"].map(|path| fs::read(self.path(path)).unwrap()).concat();
        let areas = BootAreas::parse(bytes).unwrap();
        let metadata =
            [0, 1].into_iter().find_map(|slot| SlotMetadata::parse(areas.partition("SMD", slot)?).ok());
        let slot = metadata.expect("a whole copy").active().expect("a slot that boots");
        let held = |name: &str| match areas.partition(name, slot) {
            Some(bytes) => bytes[..LENGTH].to_vec(),
            None => {
                let own = tegra_flash::boot_areas::in_slot(name, slot);
                fs::read(self.path("dev/disk/by-partlabel").join(own)).unwrap()
            }
        };
        let version = held("secure-os")[LENGTH - 1];
        for (name, ..) in PARTS {
            assert!(
                held(name) == content(version, name),
                "slot {slot} boots, and its {name} is not of {version}"
            );
        }
        (slot, version)
    }

    /// A signed update archive with this payload.
    fn update(&self, version: u8, security_version: u32, payload: &[u8]) -> String {
        let name = version.to_string();
        let file = (Role::Update, bundle::UPDATE_PAYLOAD, payload);
        let folder = small::with_files(self.dir.path(), &name, 32 << 20, &[file], |manifest| {
            manifest.security_version = security_version;
            manifest.board = BOARD.into();
        });
        let folder = self.path(&folder);
        let sums = fs::read(folder.join(SUMS)).unwrap();
        let signature =
            minisign::sign(Some(&self.key.pk), &self.key.sk, Cursor::new(sums), None, None).unwrap();
        fs::write(folder.join(SIGNATURE), signature.to_string()).unwrap();
        let source = Source::open(&folder).unwrap();
        let manifest = bundle::extract(&source, |_| false).unwrap().0;
        let out = self.path(&manifest.update_name());
        bundle::write_update(&source, &manifest, 1, &out).unwrap();
        fs::remove_dir_all(folder).unwrap();
        out.display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carveout-update"));
        command.args(arguments).arg("--json").arg("--sysroot").arg(self.dir.path());
        command.arg("--config").arg(self.path("etc/carveout")).arg("--state").arg(self.path("var"));
        command
    }

    fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        json(&output)["result"].clone()
    }

    fn fails(&self, arguments: &[&str], exit: i32) -> (String, String) {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {output:?}");
        let error = json(&output)["error"].clone();
        assert!(!error["help"].as_str().unwrap().is_empty());
        let text = |key: &str| error[key].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn an_update_goes_through_slot_b_and_to_both_slots() {
    let board = Board::new();
    let update = board.update(2, 3, &payload(2, &[OTHER, SPEC], &[]));
    let done = board.ok(&["install", &update]);
    assert_eq!((&done["slot"], done["written"].as_array().unwrap().len()), (&"B".into(), PARTS.len()));
    assert!(!board.path("var/payload").exists());
    assert_eq!(board.ok(&["confirm"])["confirmed"], Value::Null, "it is tried by the next boot");
    assert_eq!(board.boots(), (1, 2));
    board.start(1, 2);
    let status = board.ok(&["status"]);
    assert_eq!(
        (&status["slot"], &status["runs"]),
        (&"B".into(), &"desk-2-jetson-agx-xavier-tzdram32M".into())
    );
    assert_eq!(board.fails(&["install", &update], 3).0, "unconfirmed");
    // Until it is confirmed, the next boot is slot A.
    board.put("etc/carveout/update.yaml", "checks: [[\"false\"]]\n");
    assert_eq!(board.fails(&["confirm"], 1).0, "check-failed");
    assert_eq!(board.boots(), (0, 1));
    board.start(0, 3);
    assert_eq!(board.ok(&["confirm"])["confirmed"], Value::Null);
    let status = board.ok(&["status"]);
    assert_eq!(status["gone_back_from"], "desk-2-jetson-agx-xavier-tzdram32M");
    assert_eq!((&status["trial"], &status["security_version"]), (&Value::Null, &0.into()));
    // Once more, and it passes.
    board.put("etc/carveout/update.yaml", "checks: [[\"true\"]]\n");
    board.ok(&["install", &update]);
    board.start(1, 4);
    assert_eq!(board.ok(&["confirm"])["confirmed"], "desk-2-jetson-agx-xavier-tzdram32M");
    assert_eq!(board.boots(), (1, 2));
    let status = board.ok(&["status"]);
    assert_eq!((&status["active"]["digest"].is_string(), &status["security_version"]), (&true, &3.into()));
    assert_eq!(board.ok(&["install", &update])["written"], serde_json::json!([]));
    assert_eq!(board.fails(&["rollback"], 3).0, "both-slots");
    let old = board.update(1, 2, &payload(1, &[SPEC], &[]));
    assert_eq!(board.fails(&["install", &old], 1).0, "downgrade");
    assert_eq!(board.ok(&["install", &old, "--allow-downgrade"])["slot"], "A");
    assert_eq!(board.boots(), (0, 1));
    // Given up before it was tried, and while it runs.
    board.ok(&["rollback"]);
    assert_eq!(board.boots(), (1, 2));
    board.ok(&["install", &old, "--allow-downgrade"]);
    board.start(0, 5);
    board.ok(&["rollback"]);
    assert_eq!(board.boots(), (1, 2));
    assert_eq!(board.fails(&["confirm"], 3).0, "given-up");
}

#[test]
fn what_is_not_for_this_board_is_refused_and_nothing_is_written() {
    let board = Board::new();
    let other = board.update(2, 0, &payload(2, &[OTHER], &[]));
    let (code, message) = board.fails(&["install", &other], 1);
    assert!(code == "other-module" && message.contains(SPEC), "{message}");
    let keys = board.update(3, 0, &payload(3, &[SPEC], &["eks"]));
    assert_eq!(board.fails(&["install", &keys], 1).0, "has-ekb");
    let mut damaged = payload(4, &[SPEC], &[]);
    damaged[0] ^= 1;
    let damaged = board.update(4, 0, &damaged);
    assert_eq!(board.fails(&["install", &damaged], 1).0, "wrong-payload");
    board.put("etc/carveout/update.yaml", "board: jetson-xavier-nx\n");
    assert_eq!(board.fails(&["install", &keys], 1).0, "other-board");
    board.put("etc/carveout/update.yaml", "");
    // A battery that nothing charges; one that is charged, and mains.
    let good = board.update(5, 0, &payload(5, &[SPEC], &[]));
    let supply = |name: &str, facts: &[(&str, &str)]| {
        let folder = format!("sys/class/power_supply/{name}");
        fs::create_dir_all(board.path(&folder)).unwrap();
        facts.iter().for_each(|(fact, text)| board.put(&format!("{folder}/{fact}"), text));
    };
    supply("BAT0", &[("type", "Battery\n"), ("status", "Discharging\n"), ("capacity", "19\n")]);
    let (code, message) = board.fails(&["install", &good], 3);
    assert!(code == "battery" && message.contains("19 %"), "{message}");
    assert_eq!(board.boots(), (0, 1));
    board.put("etc/carveout/update.yaml", "battery: 19\n");
    board.ok(&["install", &good]);
    board.ok(&["rollback"]);
    board.put("etc/carveout/update.yaml", "");
    supply("AC", &[("type", "Mains\n"), ("online", "1\n")]);
    board.ok(&["install", &good]);
    board.ok(&["rollback"]);
    // No board that could be updated.
    board.put("proc/cmdline", "quiet\n");
    assert_eq!(board.fails(&["install", &good], 3).0, "no-slots");
    board.start(0, 1);
    let area = fs::read(board.path("dev/mmcblk0boot1")).unwrap();
    fs::write(board.path("dev/mmcblk0boot1"), &area[..AREA - 1]).unwrap();
    assert_eq!(board.fails(&["status"], 3).0, "no-slots");
    fs::write(board.path("dev/mmcblk0boot1"), &area).unwrap();
    board.put("var/slots.json", "{");
    assert_eq!(board.fails(&["status"], 3).0, "wrong-state");
    board.put("etc/nv_boot_control.conf", "TNSPEC x\n");
    assert_eq!(board.fails(&["status"], 3).0, "no-disk");
}

#[test]
fn nobody_is_believed_who_says_that_it_is_written() {
    let board = Board::new();
    let update = board.update(2, 0, &payload(2, &[SPEC], &[]));
    for (mode, code, exit) in [("lies", "no-slots", 3), ("fails", "engine", 3)] {
        board.put("usr/sbin/mode", mode);
        assert_eq!(board.fails(&["install", &update], exit).0, code, "{mode}");
        assert_eq!(board.boots(), (0, 1));
    }
    board.put("usr/sbin/mode", "");
    board.ok(&["install", &update]);
    board.ok(&["rollback"]);
    // Both slots are there now.
    for (mode, code, exit) in [("fails", "engine", 3), ("arms", "not-written", 1)] {
        let other = board.update(3, 0, &payload(3, &[SPEC], &[]));
        board.put("usr/sbin/mode", mode);
        assert_eq!(board.fails(&["install", &other], exit).0, code, "{mode}");
        assert_eq!(board.boots(), (0, 1), "{mode}");
        assert_eq!(board.ok(&["status"])["trial"], Value::Null);
        fs::remove_file(other).unwrap();
    }
    board.put("usr/sbin/mode", "");
    board.ok(&["install", &update]);
    board.start(1, 2);
    // What is tried was damaged meanwhile; then the engine only says that it has copied.
    let place = board.path("dev/disk/by-partlabel/secure-os_b");
    let whole = fs::read(&place).unwrap();
    fs::write(&place, &whole[1..]).unwrap();
    assert_eq!(board.fails(&["confirm"], 1).0, "not-written");
    assert_eq!(board.boots(), (0, 1));
    fs::write(&place, &whole).unwrap();
    board.put("usr/sbin/names", "");
    assert_eq!(board.fails(&["confirm"], 1).0, "not-written");
    board.put("usr/sbin/names", &PARTS.map(|(name, ..)| name).join(" "));
    assert_eq!(board.boots(), (1, 2));
    assert_eq!(board.ok(&["confirm"])["confirmed"], "desk-2-jetson-agx-xavier-tzdram32M");
}

/// The power goes at each write of NVIDIA's engine, of the update and of the copy behind the confirmation; the device boots a slot that
/// is whole, and ends with the update in both.
#[test]
fn power_may_go_at_each_write() {
    let first = Board::new();
    let update = first.update(2, 0, &payload(2, &[SPEC], &[]));
    let (mut cuts, mut old, mut new) = (0, 0, 0);
    for at in 0.. {
        let board = Board::new();
        fs::copy(first.path("etc/carveout/keys.d/maker.pub"), board.path("etc/carveout/keys.d/maker.pub"))
            .unwrap();
        board.put("usr/sbin/mode", &format!("dies {at}"));
        let (mut boot, mut cut) = (1, false);
        // What it says, unless the power went; then the device starts again.
        let mut run = |arguments: &[&str]| {
            let output = board.command(arguments).output().unwrap();
            let (slot, version) = board.boots();
            if output.status.code().is_some() {
                assert!(output.status.success(), "cut {at}: {output:?}");
                return Some((json(&output)["result"].clone(), slot));
            }
            assert!(!cut, "once");
            (cut, cuts) = (true, cuts + 1);
            (old, new) = (old + u32::from(version == 1), new + u32::from(version == 2));
            board.put("usr/sbin/mode", "");
            boot += 1;
            board.start(slot, boot);
            None
        };
        let mut stays = false;
        for _ in 0..6 {
            let Some((_, slot)) = run(&["install", &update]) else {
                // A device looks at each start.
                run(&["confirm"]);
                stays |= board.ok(&["status"])["active"].is_object();
                continue;
            };
            if stays {
                break;
            }
            board.start(slot, 100);
            let confirmed = run(&["confirm"]).or_else(|| run(&["confirm"]));
            stays = confirmed.is_some_and(|(done, _)| done["confirmed"].is_string());
        }
        assert!(stays, "cut {at}");
        assert_eq!(board.boots().1, 2, "cut {at}");
        if !cut {
            break;
        }
    }
    assert!(cuts >= 50 && old > 0 && new > 0, "{cuts} cuts, {old} old, {new} new");
}
