//! The Android sparse image format, in which the root filesystem is sent to a device. Streams; memory is bounded.
//!
//! All fields are little endian. File header, 28 bytes: `u32` magic 0xed26ff3a, `u16` major version (1), `u16` minor
//! version (0), `u16` size of this header, `u16` size of a chunk's header, `u32` bytes a block, `u32` blocks of the
//! raw image, `u32` chunks, `u32` checksum (0: AOSP neither computes nor checks it). Chunk header, 12 bytes: `u16`
//! type, `u16` reserved, `u32` blocks of the raw image, `u32` bytes of header and data. Data: of RAW (0xcac1) the
//! blocks; of FILL (0xcac2) a word that is repeated; of DONT_CARE (0xcac3) none; of CRC32 (0xcac4) a checksum. Longer
//! headers are allowed, what is unknown in them is skipped. Source: `libsparse/sparse_format.h` and
//! `libsparse/sparse_read.cpp` of AOSP.

mod beginning;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use beginning::beginning;
pub use reader::decode;
pub use writer::{encode, encode_filesystem};

use reader::Input;
use std::io::{self, Read};

/// Bytes of a block in the images of NVIDIA's flash tools, and of ext4.
pub const BLOCK_SIZE: u32 = 4096;
/// Bytes of a block, at most; also the size of the one buffer that a conversion takes. The format has no limit, but
/// nothing is allocated by a size that a file announces.
pub const MAX_BLOCK_SIZE: u32 = 1 << 20;

const MAGIC: u32 = 0xed26_ff3a;
const MAJOR_VERSION: u32 = 1;
const FILE_HEADER: u32 = 28;
const CHUNK_HEADER: u32 = 12;
const RAW: u32 = 0xcac1;
const FILL: u32 = 0xcac2;
const DONT_CARE: u32 = 0xcac3;
const CRC32: u32 = 0xcac4;
const WORD: u32 = 4;

/// Why an image cannot be converted. Offsets are counted from where the image begins in its stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SparseError {
    /// The magic is missing.
    #[error("offset 0x0: no magic; a sparse image starts with 3a ff 26 ed")]
    Magic,
    /// A field of a header has a value that it must not have.
    #[error("offset 0x{offset:x}: {field} is 0x{found:x}, expected {expected}")]
    Field {
        /// Where the field lies in the sparse image.
        offset: u64,
        /// Its name.
        field: &'static str,
        /// What was found.
        found: u32,
        /// What would be right.
        expected: String,
    },
    /// The input ends too early.
    #[error("offset 0x{offset:x}: the input ends here, within {within}")]
    Truncated {
        /// Where the input ends.
        offset: u64,
        /// What is incomplete.
        within: &'static str,
    },
    /// The sparse image goes on behind its last chunk.
    #[error("offset 0x{offset:x}: more bytes follow the last of {chunks} chunks, expected the end")]
    Trailing {
        /// Where they begin.
        offset: u64,
        /// Chunks that the header announces.
        chunks: u32,
    },
    /// A sparse image cannot have blocks of this size.
    #[error("blocks of {0} bytes are not possible: expected a multiple of 4 from 4 to 1048576, usually 4096")]
    BlockSize(u32),
    /// The raw image is no number of blocks.
    #[error(
        "a raw image of {size} bytes is no multiple of the block size, {block_size} bytes; pad it with zeros"
    )]
    RawSize {
        /// Its bytes.
        size: u64,
        /// Bytes a block.
        block_size: u32,
    },
    /// The raw image has more blocks than the header can count.
    #[error(
        "a raw image of {size} bytes has more than 4294967295 blocks of {block_size} bytes; use larger blocks"
    )]
    TooLarge {
        /// Its bytes.
        size: u64,
        /// Bytes a block.
        block_size: u32,
    },
    /// Reading failed.
    #[error("reading the input at offset 0x{offset:x}: {error}")]
    Read {
        /// Where in the input.
        offset: u64,
        /// The system's word.
        error: io::Error,
    },
    /// Writing or seeking failed.
    #[error("writing the output at offset 0x{offset:x}: {error}")]
    Write {
        /// Where in the output.
        offset: u64,
        /// The system's word.
        error: io::Error,
    },
}

/// What a conversion read and wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the raw image.
    pub raw_size: u64,
    /// Bytes of the sparse image.
    pub sparse_size: u64,
    /// Chunks of the sparse image.
    pub chunks: u32,
}

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
    chunk_header: u32,
}

impl Header {
    /// Reads and checks the header, and leaves `sparse` where the first chunk begins. [`decode`] wants to read it
    /// again.
    pub fn read(sparse: &mut impl Read) -> Result<Self, SparseError> {
        Self::from_input(&mut Input::new(sparse))
    }

    /// Bytes of the raw image, at most 2^52. A few bytes can announce as much: compare it with what the image is to
    /// fit into before it is decoded.
    pub fn raw_size(&self) -> u64 {
        u64::from(self.block_size) * u64::from(self.blocks)
    }

    fn from_input(input: &mut Input<'_, impl Read>) -> Result<Self, SparseError> {
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

    fn to_bytes(self) -> Vec<u8> {
        let sizes = FILE_HEADER | self.chunk_header << 16;
        let words = [MAGIC, MAJOR_VERSION, sizes, self.block_size, self.blocks, self.chunks, 0];
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}

/// Whether a file that starts with `head` (4 bytes suffice) is a sparse image.
pub fn is_sparse(head: &[u8]) -> bool {
    head.starts_with(&MAGIC.to_le_bytes())
}

fn is_block_size(bytes: u32) -> bool {
    bytes.is_multiple_of(WORD) && (WORD..=MAX_BLOCK_SIZE).contains(&bytes)
}
