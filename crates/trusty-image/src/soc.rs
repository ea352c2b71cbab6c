//! The SoCs of the boards.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An SoC of NVIDIA's with a Trusty of L4T R32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Soc {
    /// Tegra194: Xavier.
    #[default]
    T194,
    /// Tegra186: Jetson TX2.
    T186,
}

impl Soc {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::T194, Self::T186];

    /// How NVIDIA's tools are told of it.
    pub fn chip(self) -> &'static str {
        match self {
            Self::T194 => "0x19",
            Self::T186 => "0x18",
        }
    }

    /// The revision of the chip on boards as they are sold, for which NVIDIA's scripts choose files (CHIPREV, L4T R32.7).
    pub fn revision(self) -> u8 {
        match self {
            Self::T194 => 2,
            Self::T186 => 0,
        }
    }

    /// Its name in NVIDIA's sources, in file names and in boards' files.
    pub fn word(self) -> &'static str {
        match self {
            Self::T194 => "t194",
            Self::T186 => "t186",
        }
    }

    /// Whether it is Tegra194, which manifests of before did not say.
    pub fn is_t194(&self) -> bool {
        *self == Self::T194
    }
}

impl fmt::Display for Soc {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::T194 => "t194 (Xavier)",
            Self::T186 => "t186 (Jetson TX2)",
        })
    }
}
