//! Any disk image: it is a device or it is not, and what is read of it lies within its partitions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use virt_device::{Device, Disk, Part};

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

fuzz_target!(|data: &[u8]| {
    let size = data.len() as u64;
    let Ok(mut device) = Device::open(Memory(Cursor::new(data.to_vec())), size) else { return };
    for space in device.partitions().values() {
        assert!(space.start + space.size <= size);
    }
    for part in [Part::BootConfig, Part::SecureOs, Part::App] {
        if let Ok(mut reader) = device.read(part, None) {
            assert!(io::copy(&mut reader, &mut io::sink()).is_ok_and(|read| read <= size));
        }
    }
    let _ = device.rollback();
});
