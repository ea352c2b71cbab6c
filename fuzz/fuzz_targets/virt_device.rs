//! Disk images that were a device before some bytes were changed, and any others: a device or none, and what is read of it
//! lies within its partitions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::LazyLock;
use virt_device::{Device, Disk, Installed, DevicePart, STATE, needed};

#[derive(Debug)]
struct Memory(Cursor<Vec<u8>>);

impl Read for Memory {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Write for Memory {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Disk for Memory {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PARTS: [DevicePart; 3] = [DevicePart::BootConfig, DevicePart::SecureOs, DevicePart::App];

/// A device that two bundles have been flashed to, without contents.
static DEVICE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let names = ["MB1_BCT", "MB1_BCT_b", "secure-os", "secure-os_b", "APP", "APP_b"];
    let mut partitions: Vec<(String, u64)> = names.map(|name| (name.to_owned(), 4096)).into();
    partitions.push((STATE.to_owned(), 128 << 10));
    let size = needed(&partitions).expect("the sizes are small");
    let disk = Memory(Cursor::new(vec![0; size as usize]));
    let mut device = Device::create(disk, size, &partitions).expect("a new device");
    // SHA-256 of nothing.
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for bundle in ["one", "two"] {
        let parts =
            PARTS.map(|part| (part, device.write(part, &mut io::empty(), 0, nothing, bundle).expect("room")));
        let (bundle, board, digest) = (bundle.to_owned(), "virt".to_owned(), nothing.to_owned());
        device
            .switch(Installed { bundle, board, digest, security_version: 0, parts: parts.into() })
            .expect("room");
    }
    device.into_disk().0.into_inner()
});

/// The table's both copies and the flash state are what is changed: six bytes of input are a place there, and what comes to it.
fn changed(data: &[u8]) -> Vec<u8> {
    let mut bytes = DEVICE.clone();
    let size = bytes.len();
    let state = size - (2 << 20);
    for edit in data.chunks_exact(6) {
        let within = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let at = match edit[0] % 4 {
            0 => within,
            1 => size - 1 - within,
            2 => state + within,
            _ => state + (64 << 10) + within,
        };
        if let Some(place) = bytes.get_mut(at..at + 3) {
            place.copy_from_slice(&edit[3..]);
        }
    }
    bytes
}

fuzz_target!(|data: &[u8]| {
    for bytes in [data.to_vec(), changed(data)] {
        let size = bytes.len() as u64;
        let Ok(mut device) = Device::open(Memory(Cursor::new(bytes)), size) else { continue };
        for space in device.partitions().values() {
            assert!(space.start + space.size <= size);
        }
        for part in PARTS {
            if let Ok(mut reader) = device.read(part, None) {
                assert!(io::copy(&mut reader, &mut io::sink()).is_ok_and(|read| read <= size));
            }
        }
        let _ = device.rollback();
    }
});
