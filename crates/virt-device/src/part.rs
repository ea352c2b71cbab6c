//! Parts of a device, and the two slots of each.

use serde::{Deserialize, Serialize};
use tegra_flash::slots;

/// The partition with the flash state.
pub const STATE: &str = "UDA";

/// What is written as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DevicePart {
    /// The misc boot config, in which the carve-out is.
    BootConfig,
    /// The secure-os image.
    SecureOs,
    /// The root filesystem.
    App,
}

/// All parts.
pub const PARTS: [DevicePart; 3] = [DevicePart::BootConfig, DevicePart::SecureOs, DevicePart::App];

impl DevicePart {
    /// The partition of a slot.
    pub fn partition(self, slot: Slot) -> &'static str {
        let [a, b] = match self {
            Self::BootConfig => slots::MB1_BCT,
            Self::SecureOs => slots::SECURE_OS,
            Self::App => slots::APP,
        };
        match slot {
            Slot::A => a,
            Slot::B => b,
        }
    }
}

/// One of the two places of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}
