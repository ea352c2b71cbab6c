//! The header of a sparse image, and the numbers of the format.

use super::error::SparseError;
use super::input::{Input, WORD};
use std::io::Read;

/// Bytes of a block in the images of NVIDIA's flash tools, and of ext4.
pub const BLOCK_SIZE: u32 = 4096;
/// Bytes of a block, at most; also the size of the one buffer that a conversion takes. The format has no limit, but
/// nothing is allocated by a size that a file announces.
pub const MAX_BLOCK_SIZE: u32 = 1 << 20;

pub(super) const MAGIC: u32 = 0xed26_ff3a;
pub(super) const MAJOR_VERSION: u32 = 1;
pub(super) const FILE_HEADER: u32 = 28;
pub(super) const CHUNK_HEADER: u32 = 12;
pub(super) const RAW: u32 = 0xcac1;
pub(super) const FILL: u32 = 0xcac2;
pub(super) const DONT_CARE: u32 = 0xcac3;
pub(super) const CRC32: u32 = 0xcac4;

/// The header of a sparse image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes a block, a multiple of 4, at most [`MAX_BLOCK_SIZE`].
    pub block_size: u32,
    /// Blocks of the raw image.
    pub blocks: u32,
    /// Chunks that follow.
    pub chunks: u32,
    /// Bytes of a chunk's header, at least 12.
    pub(super) chunk_header: u32,
}

impl Header {
    /// Reads and checks the header, and leaves `sparse` where the first chunk begins. [`decode`](super::decode) wants to read it
    /// again.
    pub fn read(sparse: &mut impl Read) -> Result<Self, SparseError> {
        Self::from_input(&mut Input::new(sparse))
    }

    /// Bytes of the raw image, at most 2^52. A few bytes can announce as much: compare it with what the image is to
    /// fit into before it is decoded.
    pub fn raw_size(&self) -> u64 {
        u64::from(self.block_size) * u64::from(self.blocks)
    }

    pub(super) fn from_input(input: &mut Input<'_, impl Read>) -> Result<Self, SparseError> {
        let within = "the file header";
        let [magic] = input.words(within)?;
        if magic != MAGIC {
            return Err(SparseError::Magic);
        }
        let [version, sizes, block_size, blocks, chunks, _checksum] = input.words(within)?;
        let field = |offset, field, found, expected: &str| {
            Err(SparseError::Field { offset, field, found, expected: expected.into() })
        };
        // sparse_format.h: higher major versions are to be rejected, higher minor versions allowed.
        let major = version & 0xffff;
        if major != MAJOR_VERSION {
            return field(4, "major version", major, "0x1");
        }
        let (file_header, chunk_header) = (sizes & 0xffff, sizes >> 16);
        if file_header < FILE_HEADER {
            return field(8, "file header size", file_header, "at least 0x1c");
        }
        if chunk_header < CHUNK_HEADER {
            return field(10, "chunk header size", chunk_header, "at least 0xc");
        }
        if !is_block_size(block_size) {
            return field(12, "block size", block_size, "a multiple of 4 from 0x4 to 0x100000");
        }
        input.skip(file_header - FILE_HEADER, within)?;
        Ok(Self { block_size, blocks, chunks, chunk_header })
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let sizes = FILE_HEADER | self.chunk_header << 16;
        let words = [MAGIC, MAJOR_VERSION, sizes, self.block_size, self.blocks, self.chunks, 0];
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}

/// Whether a file that starts with `head` (4 bytes suffice) is a sparse image.
pub fn is_sparse(head: &[u8]) -> bool {
    head.starts_with(&MAGIC.to_le_bytes())
}

pub(super) fn is_block_size(bytes: u32) -> bool {
    bytes.is_multiple_of(WORD) && (WORD..=MAX_BLOCK_SIZE).contains(&bytes)
}
