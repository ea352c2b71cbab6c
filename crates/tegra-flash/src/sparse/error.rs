//! Why an image cannot be converted.

use std::io;

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
