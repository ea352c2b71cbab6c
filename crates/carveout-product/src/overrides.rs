//! What the command line says of a product.

use std::path::PathBuf;

/// What the command line overrides.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Size of the carve-out in bytes.
    pub tzdram: Option<u64>,
    /// Name of a board.
    pub board: Option<String>,
    /// Build no root filesystem.
    pub without_rootfs: bool,
    /// NVIDIA's BSP.
    pub bsp: Option<PathBuf>,
    /// NVIDIA's public sources.
    pub sources: Option<PathBuf>,
    /// NVIDIA's licence has been read and is accepted.
    pub accept_license: bool,
}
