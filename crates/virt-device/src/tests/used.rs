//! A root filesystem that a system writes to.

use super::{flashed, open, serves, update};
use crate::*;

/// Changes a byte of APP's first slot.
fn changed(mut bytes: Vec<u8>) -> Vec<u8> {
    let device = open(bytes.clone(), None).1;
    let space = device.partitions()[DevicePart::App.partition(Slot::A)];
    bytes[space.start as usize + (400 << 10)] ^= 1;
    bytes
}

#[test]
fn what_is_used_may_change_and_is_still_gone_back_to() {
    let (sim, mut device) = open(flashed(&[1]), None);
    device.use_app().unwrap();
    let number = sim.0.borrow().done;
    device.use_app().unwrap();
    assert_eq!(sim.0.borrow().done, number, "it is noted once");
    let bytes = changed(sim.0.borrow().lasting.clone());
    let (sim, mut device) = open(bytes, None);
    update(&mut device, 2, &PARTS).unwrap();
    assert!(!device.state().active.as_ref().unwrap().parts[&DevicePart::App].used, "a new one is not used");
    device.rollback().unwrap();
    let placed = device.state().active.as_ref().unwrap().parts[&DevicePart::App].clone();
    assert!(placed.used && placed.slot == Slot::A);
    // Its other parts are compared all the same.
    let mut bytes = sim.0.borrow().lasting.clone();
    let space = device.partitions()[DevicePart::SecureOs.partition(Slot::B)];
    bytes[space.start as usize] ^= 1;
    let error = open(bytes, None).1.rollback().unwrap_err();
    assert!(matches!(error, DeviceError::Contents { partition: "secure-os_b", .. }), "{error}");
}

#[test]
fn what_is_not_used_may_not_change() {
    let (sim, mut device) = open(flashed(&[1]), None);
    update(&mut device, 2, &PARTS).unwrap();
    let bytes = changed(sim.0.borrow().lasting.clone());
    let error = open(bytes, None).1.rollback().unwrap_err();
    assert!(matches!(error, DeviceError::Contents { partition: "APP", .. }), "{error}");
}

/// Power goes at each operation of the note: the device has its bundle, noted or not.
#[test]
fn a_note_that_loses_power_leaves_the_device_whole() {
    let bytes = flashed(&[1]);
    for cut in 0..8 {
        let (sim, mut device) = open(bytes.clone(), Some(cut));
        let noted = device.use_app().is_ok();
        for luck in 0..4 {
            let mut device = open(sim.after_the_cut(luck), None).1;
            let used = device.state().active.as_ref().unwrap().parts[&DevicePart::App].used;
            assert!(used || !noted, "cut {cut}, luck {luck}");
            assert_eq!(serves(&mut device), "bundle-1");
        }
    }
}

/// A state that knows nothing of it is one of an unused root filesystem, and has the same bytes as before.
#[test]
fn states_of_before_are_read() {
    let device = open(flashed(&[1]), None).1;
    let text = serde_json::to_string(device.state()).unwrap();
    assert!(!text.contains("used"), "{text}");
    assert_eq!(&serde_json::from_str::<FlashState>(&text).unwrap(), device.state());
}
