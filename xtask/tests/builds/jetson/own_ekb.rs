//! The EKB that a board has been given, in a full flash.

use super::device::Bus;
use super::flash::{bundle, flash, in_use};
use std::fs;
use std::path::Path;
use tegra_bct::signed::Signed;
use tegra_flash::Ekb;
use tegra_flash::ekb::{Key, Root};

/// The bundle's file for the partition, and one like it with keys of somebody's own.
fn files() -> [Vec<u8>; 2] {
    let ours = fs::read(bundle().join("flash/common/eks_sigheader.img.encrypt")).unwrap();
    let key = Key::parse(b"00112233445566778899aabbccddeeff").unwrap();
    let ekb = Ekb::seal(&Root::new(&key, &[7; 16]), &[key.clone(), key], None).unwrap();
    let own = [Signed::parse(&ours).unwrap().header, &ekb].concat();
    [ours, own]
}

#[test]
fn a_board_keeps_an_ekb_of_its_own_unless_it_is_told_otherwise() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 1);
    let [ours, own] = files();
    let slots = ["eks", "eks_b"];
    let provision = || {
        board.reset();
        slots.iter().for_each(|slot| board.fill(slot, &own));
    };
    let has = |wanted: &[u8]| slots.iter().all(|slot| board.partition(slot).unwrap().starts_with(wanted));
    let left = || {
        let entries = fs::read_dir(bus.home().join("carveout/flash-records")).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with("ekb-")).count()
    };

    provision();
    let dry = bus.xtask(flash(&["--keep-app", "--dry-run"]));
    assert!(dry.stderr().contains("an EKB of the board's own stays"), "{}", dry.stderr());
    let ran = bus.xtask(flash(&["--keep-app"]));
    let said = ran.stderr();
    ran.ok();
    assert!(said.contains("board 1-2: has an EKB of its own, and keeps it; --ekb replace"), "{said}");
    assert!(has(&own) && left() == 0);

    // The power is cut between the flash and the last write of it.
    provision();
    board.script(&["--write eks_b fail"]);
    let failed = bus.xtask(flash(&["--keep-app"])).fails(1);
    let named =
        failed.split("run the command again with --ekb ").nth(1).unwrap_or_else(|| panic!("{failed}"));
    let kept = named.split_whitespace().next().unwrap();
    assert_eq!((fs::read(kept).unwrap().starts_with(&own), left()), (true, 1));
    slots.iter().for_each(|slot| board.fill(slot, &ours));
    board.script(&[]);
    board.reset();
    bus.xtask(flash(&["--keep-app", "--ekb", kept])).ok();
    assert!(has(&own) && Path::new(kept).exists(), "what was named is not removed");

    provision();
    bus.xtask(flash(&["--keep-app", "--ekb", "replace"])).ok();
    assert!(has(&ours));

    // One that everybody has is nobody's own, and none of a board without partitions can be read.
    let known = Ekb::seal(&Root::sample(), &[Key::parse(b"00112233445566778899aabbccddeeff").unwrap()], None);
    let known = [Signed::parse(&ours).unwrap().header, &known.unwrap()].concat();
    board.reset();
    slots.iter().for_each(|slot| board.fill(slot, &known));
    bus.xtask(flash(&["--keep-app"])).ok();
    assert!(has(&ours));
    board.reset();
    board.script(&["--read eks fail"]);
    let ran = bus.xtask(flash(&["--keep-app"]));
    assert!(ran.stderr().contains("no EKB can be read of it; it gets the bundle's"), "{}", ran.stderr());
    ran.ok();

    board.script(&[]);
    for (options, why) in [
        (&["--scope", "secure-os", "--ekb", "replace"][..], "--ekb is for --scope full"),
        (&["--ekb", "/dev/null"], "/dev/null"),
        (&["--ekb", "Cargo.toml"], "Cargo.toml: is no signed file of NVIDIA's"),
    ] {
        board.reset();
        let calls = board.calls().len();
        let refused = bus.xtask(flash(options)).fails(2);
        assert!(refused.contains(why) && board.calls().len() == calls, "{refused}");
    }
}
