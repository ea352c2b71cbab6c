//! Superblocks for tests.

use super::ext4::{OFFSET, SIZE, checksum};

/// The first 2048 bytes of an ext4 filesystem of `size` bytes in blocks of 4096, with a sound superblock; all else is missing.
pub fn head(size: u64) -> Vec<u8> {
    let mut block = [0; SIZE];
    let mut put = |offset: usize, bytes: &[u8]| {
        if let Some(place) = block.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    let blocks = size / 4096;
    let groups = blocks.div_ceil(0x8000) as u32;
    put(0, &(groups * 0x2000).to_le_bytes());
    put(0x04, &(blocks as u32).to_le_bytes());
    put(0x150, &((blocks >> 32) as u32).to_le_bytes());
    for (offset, value) in [
        (0x18, 2),
        (0x1c, 2),
        (0x20, 0x8000),
        (0x24, 0x8000),
        (0x28, 0x2000),
        (0x4c, 1),
        (0x5c, 0x3c),
        (0x60, 0x2c2),
        (0x64, 0x46b),
    ] {
        put(offset, &u32::to_le_bytes(value));
    }
    put(0x38, &[0x53, 0xef, 1, 0]);
    put(0x58, &[0, 1]);
    put(0x175, &[1]);
    let sum = checksum(&block);
    if let Some(place) = block.last_chunk_mut() {
        *place = sum.to_le_bytes();
    }
    [&[0; OFFSET][..], &block].concat()
}

/// A whole image of `size` bytes; behind the superblock each byte is `fill`.
pub fn image(size: usize, fill: u8) -> Vec<u8> {
    let mut image = head(size as u64);
    image.resize(size, fill);
    image
}
