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
mod error;
mod header;
mod input;
mod reader;
mod summary;
#[cfg(test)]
mod tests;
mod writer;

pub use beginning::beginning;
pub use error::SparseError;
pub use header::{BLOCK_SIZE, Header, MAX_BLOCK_SIZE, is_sparse};
pub use reader::decode;
pub use summary::Summary;
pub use writer::{encode, encode_filesystem};
