//! CRC-32C (Castagnoli) of a whole transfer.

use crc::{CRC_32_ISCSI, Crc, Digest};

static CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The checksum of what has passed so far.
#[derive(Clone)]
pub struct Checksum(Digest<'static, u32>);

impl Checksum {
    pub fn new() -> Self {
        Self(CRC_32C.digest())
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn value(&self) -> u32 {
        self.0.clone().finalize()
    }
}

impl core::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(f, "0x{:08x}", self.value())
    }
}
