//! What a conversion tells.

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
