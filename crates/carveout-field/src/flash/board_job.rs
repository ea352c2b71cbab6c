//! What is done with boards.

use super::image::Given;
use super::request::EkbChoice;
use crate::device::package::Package;
use std::path::Path;
use tegra_flash::Scope;

/// What is done with each board.
pub struct BoardJob<'a> {
    /// The bundle.
    pub package: &'a Package,
    /// How much is written.
    pub scope: Scope,
    /// The board's own root filesystem is read first, and put back.
    pub keep_app: bool,
    /// A raw image to write as root filesystem instead of the bundle's own.
    pub app: Option<Given>,
    /// Where it is kept meanwhile, and afterwards.
    pub backup_dir: &'a Path,
    /// Whether a smaller security version than the board has had is accepted.
    pub downgrade: bool,
    /// Whether secure-os alone may be written where the carve-out of the board cannot be read.
    pub carve_out_unseen: bool,
    /// Whether what is on an SD card is left alone: a full flash of the rest.
    pub without_card: bool,
    /// What becomes of the board's EKB in a full flash.
    pub ekb: EkbChoice,
    /// Whether a root filesystem that is kept may be something else than ext4.
    pub raw_anyway: bool,
}
