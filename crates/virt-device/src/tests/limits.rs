//! Numbers that no device has.

use super::{Sim, blank, flashed, layout, open, serves};
use crate::*;

#[test]
fn sizes_near_the_end_of_64_bits_are_refused() {
    for size in [u64::MAX, u64::MAX - 511, u64::MAX - (1 << 20), 1 << 63, MAX_DEVICE + 1] {
        let mut partitions = layout();
        partitions.push(("huge".into(), size));
        let error = needed(&partitions).unwrap_err();
        assert!(matches!(&error, DeviceError::Layout { partition, .. } if partition == "huge"), "{error}");
        assert!(Device::create(Sim::of(blank(), None), 1 << 20, &partitions).is_err());
    }
    assert_eq!(needed(&[("a".into(), 1)]).unwrap(), 3 << 20);
}

#[test]
fn a_number_that_no_device_reaches_is_refused() {
    let bytes = flashed(&[1]);
    let (_, device) = open(bytes.clone(), None);
    let (space, state) = (device.partitions()[STATE], device.state().clone());
    for (number, refused) in [(u64::MAX, true), (MAX_NUMBER + 1, true), (MAX_NUMBER, false)] {
        let mut disk = Sim::of(bytes.clone(), None);
        crate::state::write(&mut disk, space, number, &state).unwrap();
        let opened = Device::open(disk, bytes.len() as u64);
        assert_eq!(matches!(opened, Err(DeviceError::Number(found)) if found == number), refused, "{number}");
    }
    let mut disk = Sim::of(bytes.clone(), None);
    crate::state::write(&mut disk, space, MAX_NUMBER, &state).unwrap();
    let mut device = Device::open(disk, bytes.len() as u64).unwrap();
    assert!(matches!(device.remember(7), Err(DeviceError::Number(_))));
    assert_eq!(serves(&mut device), "bundle-1");
}

/// The second header counts where the first is damaged: both are looked at before the reader that panics.
#[test]
fn headers_with_other_entries_are_refused() {
    let good = flashed(&[1]);
    let size = good.len() as u64;
    for (field, value) in [(84, 64_u32), (84, 0), (84, 256), (80, u32::MAX), (80, MAX_ENTRIES + 1)] {
        for (damaged, changed) in [(None, 512), (Some(512), good.len() - 512)] {
            let mut bytes = good.clone();
            if let Some(at) = damaged {
                bytes[at] ^= 1;
            }
            bytes[changed + field..][..4].copy_from_slice(&value.to_le_bytes());
            let mut header = bytes[changed..changed + 92].to_vec();
            header[16..20].fill(0);
            let sum = crc32(&header);
            bytes[changed + 16..][..4].copy_from_slice(&sum.to_le_bytes());
            let error = Device::open(Sim::of(bytes, None), size).unwrap_err().to_string();
            assert!(error.contains("allowed are 1024 of 128"), "{error}");
        }
    }
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
