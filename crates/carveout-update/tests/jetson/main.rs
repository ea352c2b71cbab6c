//! Updates of a Jetson: a folder stands for the device, and a program for NVIDIA's engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod apps;
mod board;
#[path = "../../../../xtask/tests/report/small.rs"]
#[allow(dead_code)]
mod small;

use board::{AREA, Board, COMPATIBLE_SPEC, OTHER, PARTS, SPEC, json, payload};
use serde_json::Value;
use std::fs;

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
    assert!(code == "other-module" && message.contains(COMPATIBLE_SPEC), "{message}");
    let keys = board.update(3, 0, &payload(3, &[SPEC], &["eks"]));
    assert_eq!(board.fails(&["install", &keys], 1).0, "has-ekb");
    // A device that does not say which SKU it is.
    let conf = fs::read_to_string(board.path("etc/nv_boot_control.conf")).unwrap();
    board.put("etc/nv_boot_control.conf", &conf.replace("-0004-K.0-", "---").replace("-0004-", "--"));
    let mut both = payload(3, &[OTHER, SPEC], &[]);
    *both.last_mut().unwrap() ^= 1;
    let both = board.update(3, 0, &both);
    let (code, message) = board.fails(&["install", &both], 1);
    assert!(code == "several-modules" && message.contains("two different parts MB1_BCT"), "{message}");
    board.put("etc/nv_boot_control.conf", &conf);
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
    assert!(cuts >= 25 && old > 0 && new > 0, "{cuts} cuts, {old} old, {new} new");
}
