//! What a bundle says of the real board that it is flashed to.
//!
//! ```text
//! flash/common/…      what all modules get: NVIDIA's tools, signed files, lists, licences
//! flash/<module>/…    what one module gets
//! flash/tegraflash/…  instead of both, of a bundle that BitBake has made: meta-tegra's flash package without the root filesystem
//! ```

use serde::{Deserialize, Serialize};
use tegra_flash::{BoardId, Fits};
use trusty_image::Soc;
use uuid::Uuid;

/// Folder of all that a flash host needs.
pub const FLASH: &str = "flash";
/// Folder in it of what all modules get.
pub const COMMON: &str = "common";
/// The payload that updates a running device.
pub const UPDATE_PAYLOAD: &str = "update/bl_update_payload";
/// Folder in it of meta-tegra's flash package.
pub const TEGRAFLASH: &str = "tegraflash";

/// The secure-os image in meta-tegra's package.
pub const fn tos_image(soc: Soc) -> &'static str {
    match soc {
        Soc::T194 => "tos-trusty_t194.img",
        Soc::T186 => "tos-trusty.img",
    }
}

/// The board's side of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its SoC; a bundle of before did not say it, and was for t194.
    #[serde(default, skip_serializing_if = "Soc::is_t194")]
    pub soc: Soc,
    /// The modules that it has files for.
    pub modules: Vec<ModuleEntry>,
    /// What the board is in recovery mode; a bundle of before did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Which boards it is signed for.
    pub fused: Fused,
    /// Bytes of the partition APP.
    pub app_size: u64,
    /// Files of the BSP that were not there: what is made of them is not in the bundle.
    pub lacks: Vec<String>,
    /// NVIDIA's own TAs in the secure-os image, behind the bundle's.
    pub stock_trusted_apps: Vec<Uuid>,
    /// What is in the folder `flash`.
    #[serde(default, skip_serializing_if = "FlashPackage::is_modules")]
    pub flash_package: FlashPackage,
    /// Whether its update payload has the EKB (partition `eks`), which takes the place of a device's keys.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub update_eks: bool,
}

/// A board in recovery mode, as its host sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// What people call it, such as `Jetson AGX Xavier`.
    pub name: String,
    /// Its USB product id: four hexadecimal digits, such as `7019`.
    pub usb_product: String,
    /// How it gets there, for whoever stands before it.
    pub how: String,
}

/// Of which kind the folder `flash` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FlashPackage {
    /// Signed files for each module, as NVIDIA's mass flash has them.
    #[default]
    Modules,
    /// meta-tegra's: its `doflash.sh` finds out which module there is, and signs.
    Tegraflash,
    /// There is none: the bundle is made of parts, without an image.
    None,
}

impl FlashPackage {
    fn is_modules(&self) -> bool {
        *self == Self::Modules
    }
}

/// A module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ModuleEntry {
    /// Its name, and that of its folder.
    pub name: String,
    /// Its identity.
    pub id: BoardId,
    /// Which others of its number take the same files; none: those of its SKU, fab and revision alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<Fits>,
    /// Its names in the update payload (TNSPEC); none where the bundle has no payload for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub update_specs: Vec<String>,
}

/// What a board's fuses demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Fused {
    /// Nothing: a board as it is sold.
    No,
    /// Signatures.
    Pkc,
    /// Signatures and encryption.
    PkcSbk,
}

impl Device {
    /// The module that a board's identity fits.
    pub fn module(&self, id: &BoardId) -> Option<&ModuleEntry> {
        self.modules.iter().find(|module| module.id.fits(&module.fits, id))
    }
}
