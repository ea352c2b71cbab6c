//! Updates of a running device: booted once, and confirmed or gone back from.

use super::{Sim, flashed, open, serves, update, write};
use crate::*;

fn boots(device: &mut Device<Sim>) -> String {
    device.boot().unwrap();
    serves(device)
}

fn bytes(sim: &Sim) -> Vec<u8> {
    sim.0.borrow().lasting.clone()
}

/// An update as a running device does it.
fn arm(device: &mut Device<Sim>, version: u8, parts: &[DevicePart]) -> Result<(), DeviceError> {
    let installed = write(device, version, parts)?;
    device.arm(installed)
}

#[test]
fn what_is_confirmed_stays() {
    let mut device = open(flashed(&[1]), None).1;
    assert!(matches!(device.confirm(), Err(DeviceError::NothingTried)));
    arm(&mut device, 2, &PARTS).unwrap();
    assert!(matches!(device.confirm(), Err(DeviceError::NothingTried)), "it was not booted yet");
    assert_eq!(serves(&mut device), "bundle-1", "nothing has changed before the next boot");
    assert_eq!(boots(&mut device), "bundle-2");
    assert_eq!(device.state().security_version, 1, "what is not confirmed shuts nothing out");
    device.confirm().unwrap();
    assert_eq!((boots(&mut device), device.state().security_version), ("bundle-2".into(), 2));
    device.rollback().unwrap();
    assert_eq!(boots(&mut device), "bundle-1");
}

#[test]
fn what_is_not_confirmed_is_gone_back_from() {
    let mut device = open(flashed(&[1]), None).1;
    arm(&mut device, 2, &PARTS).unwrap();
    assert_eq!(boots(&mut device), "bundle-2");
    assert_eq!(boots(&mut device), "bundle-1");
    assert_eq!(device.state().gone_back_from.as_deref(), Some("bundle-2"));
    assert_eq!(boots(&mut device), "bundle-1", "it stays there");
    // Given up before its boot, and after it.
    for boots_first in [false, true] {
        arm(&mut device, 3, &PARTS).unwrap();
        assert_eq!(device.state().gone_back_from, None);
        if boots_first {
            assert_eq!(boots(&mut device), "bundle-3");
        }
        device.abandon().unwrap();
        assert_eq!(boots(&mut device), "bundle-1");
    }
    assert!(matches!(device.abandon(), Err(DeviceError::NothingTried)));
    // A flash goes before an update.
    arm(&mut device, 4, &PARTS).unwrap();
    update(&mut device, 5, &[DevicePart::BootConfig]).unwrap();
    assert_eq!(boots(&mut device), "bundle-5");
    assert_eq!(device.state().trial, None);
}

/// A root filesystem that both have is written to by what is tried: what is gone back to has it as it was left.
#[test]
fn a_shared_root_filesystem_is_used_by_all_that_share_it() {
    let mut device = open(flashed(&[1]), None).1;
    arm(&mut device, 2, &[DevicePart::SecureOs]).unwrap();
    device.boot().unwrap();
    device.use_app().unwrap();
    device.boot().unwrap();
    let used = |installed: &Option<Installed>| installed.as_ref().unwrap().parts[&DevicePart::App].used;
    assert!(used(&device.state().active));
    // What was flashed before has the same one, too.
    let mut device = open(flashed(&[1]), None).1;
    update(&mut device, 2, &[DevicePart::SecureOs]).unwrap();
    device.use_app().unwrap();
    assert!(used(&device.state().active) && used(&device.state().previous));
}

/// Power goes at each operation of an update, of both boots and of the confirmation.
#[test]
fn whenever_power_goes_a_device_boots_one_bundle_whole() {
    let before = flashed(&[1, 2]);
    let whole = |device: &mut Device<Sim>| {
        arm(device, 3, &PARTS)?;
        device.boot()?;
        device.confirm()
    };
    let (sim, mut device) = open(before.clone(), None);
    whole(&mut device).unwrap();
    let operations = sim.0.borrow().done;
    let (mut points, mut old, mut new) = (0, 0, 0);
    for cut in 0..operations {
        for luck in 0..4 {
            let (sim, mut device) = open(before.clone(), Some(cut));
            assert!(whole(&mut device).is_err());
            let (sim, mut after) = open(sim.after_the_cut(luck + 97 * cut as u64), None);
            let first = boots(&mut after);
            let second = boots(&mut open(bytes(&sim), None).1);
            // What was tried once is not tried again; what was confirmed stays.
            assert!(first == second || (first == "bundle-3" && second == "bundle-2"), "{first}, {second}");
            points += 1;
            *if second == "bundle-2" { &mut old } else { &mut new } += 1;
            arm(&mut after, 4, &PARTS).unwrap();
            assert_eq!(boots(&mut after), "bundle-4");
        }
    }
    assert!(points > 100 && old > 0 && new > 0 && old + new == points, "{points}: {old}, {new}");
}

/// A state that knows nothing of updates has the same bytes as before.
#[test]
fn states_of_before_are_read() {
    let device = open(flashed(&[1]), None).1;
    let text = serde_json::to_string(device.state()).unwrap();
    assert!(!text.contains("trial") && !text.contains("gone_back"), "{text}");
}
