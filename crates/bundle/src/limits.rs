//! What a bundle may have at most. Whoever made it may be an enemy: nothing is read, kept or searched without one of these.

/// Largest manifest or checksum file that is read, in bytes: [`MAX_FILES`] files take some 30 MiB with the longest paths, real ones
/// 1 MiB at most.
pub const MAX_TEXT: u64 = 16 << 20;
/// Bytes of all files of a bundle, at most. The eMMC of a Xavier has 32 GiB.
pub const MAX_BYTES: u64 = 64 << 30;
/// Files of a bundle, at most. NVIDIA's flash package with all modules has some thousands.
pub const MAX_FILES: usize = 100_000;
/// Partitions that all files together name, at most: a layout of NVIDIA's has 64, and each module may have files of its own.
pub const MAX_WRITES: usize = 8192;
/// Modules of a board, at most: NVIDIA has made nine of Xavier.
pub const MAX_MODULES: usize = 64;
/// Bytes of all files whose structure is checked, or that are hashed though no manifest names their size: images of some MiB, TAs that
/// fit into such an image.
pub const MAX_CHECKED: u64 = 64 << 20;
/// Bytes of all files that are taken out of a bundle into memory.
pub const MAX_EXTRACTED: u64 = 192 << 20;
