//! The types of a board's file, as written.

use bundle::Recovery;
use serde::Deserialize;
use std::path::PathBuf;
use tegra_flash::{BoardId, Fits};
use trusty_image::Soc;

/// A board, `configs/boards/NAME.yaml`. A workspace's own boards come before carveout's of the same name. Paths are relative to
/// this file; of a board with `l4t`, its own or of one that it extends, they are relative to the BSP's `Linux_for_Tegra`. A board needs all
/// keys, and so does `l4t`, which only boards with NVIDIA's L4T have; what its file leaves out must be in one that it extends.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Board"))]
#[serde(deny_unknown_fields)]
pub struct BoardFile {
    /// Its name, that of the file.
    pub name: String,
    /// A board that has all that this one does not say: a carrier of a team's own extends the developer kit with its module.
    pub extends: Option<String>,
    /// Its misc boot configs. What one that it extends says of them counts only if this one says nothing.
    pub boot_config: Option<BootConfigFile>,
    /// Its partition layout.
    pub layout: Option<PathBuf>,
    /// What a board with NVIDIA's L4T has besides.
    pub l4t: Option<L4tBoardFile>,
}

/// Misc boot configs of a board.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "BootConfig"))]
#[serde(deny_unknown_fields)]
pub struct BootConfigFile {
    /// That of the cold boot.
    pub cold_boot: PathBuf,
    /// That of flashing, of another name. Without it the first serves for both, as those of TX2 do.
    pub flash: Option<PathBuf>,
}

/// What a board with NVIDIA's L4T has besides.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "L4tBoard"))]
#[serde(deny_unknown_fields)]
pub struct L4tBoardFile {
    /// Its SoC: `t194` (Xavier) or `t186` (TX2).
    pub soc: Option<Soc>,
    /// Name of the board for NVIDIA's scripts: that of its `*.conf` in the BSP.
    pub flash_name: Option<String>,
    /// Its root device, likewise, such as `mmcblk0p1`.
    pub root_device: Option<String>,
    /// meta-tegra's MACHINE.
    pub machine: Option<String>,
    /// NVIDIA's secure-os image in the BSP.
    pub secure_os: Option<PathBuf>,
    /// Size of the partition APP where the product has no root filesystem.
    pub app_size: Option<String>,
    /// What it is in recovery mode.
    pub recovery: Option<Recovery>,
    /// The modules that may sit on it. What one may be, no other may be.
    pub modules: Option<Vec<Module>>,
    /// Pinned downloads.
    pub downloads: Option<Downloads>,
}

/// A module, by the name that a product uses for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its name, such as `32gb`: that of its folder in the bundle, so not `common`.
    pub name: String,
    /// Its identity, for which NVIDIA's scripts sign.
    pub id: BoardId,
    /// Which others of its number take the same files: those for which NVIDIA's script chooses the same. Without it those of its SKU, fab
    /// and revision alone.
    #[serde(default)]
    pub fits: Vec<Fits>,
    /// What update payloads call it: number, fab, SKU and revision, such as `2888-400-0004-`. Without it running devices are not updated.
    #[serde(default)]
    pub update: Vec<String>,
}

/// Pinned downloads.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Downloads {
    /// The BSP.
    pub bsp: Download,
    /// The public sources.
    pub sources: Download,
}

/// A pinned download.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// Where from.
    pub url: String,
    /// What must come.
    pub sha256: String,
}
