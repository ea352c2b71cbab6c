//! The virt board's device: a disk image with a GPT (UEFI 2.10, chapter 5), two slots of each part, and a note of which
//! slots are active.
//!
//! ```text
//! MB1_BCT  MB1_BCT_b     the boot config with the carve-out
//! secure-os  secure-os_b the secure-os image
//! APP  APP_b             the root filesystem
//! UDA                    two copies of the flash state, see [`State`]
//! ```
//!
//! What is active is never written to. New contents go to the other slot, are synced, read back and compared; only then does
//! one write of the state make them active. Whenever the power goes, the device has the old contents or the new ones, whole.
//! The old ones stay where they are: to roll back is another write of the state.

mod behind;
mod device;
mod disk;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use device::Device;
pub use disk::Disk;
pub use state::{FORMAT, Installed, MAX_NUMBER, Placed, State};
pub use table::{MAX_DEVICE, MAX_ENTRIES, Space, needed, read as read_table};

use serde::{Deserialize, Serialize};
use std::io;
use tegra_flash::slots;

/// The partition with the flash state.
pub const STATE: &str = "UDA";

/// What is written as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The misc boot config, in which the carve-out is.
    BootConfig,
    /// The secure-os image.
    SecureOs,
    /// The root filesystem.
    App,
}

/// All parts.
pub const PARTS: [Part; 3] = [Part::BootConfig, Part::SecureOs, Part::App];

impl Part {
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

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The disk cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No disk image of a device.
    #[error("no virt device, which is a GPT disk image: {0}")]
    NoTable(String),
    /// A partition is missing.
    #[error("has no partition {0}")]
    Missing(String),
    /// Contents do not fit.
    #[error("partition {partition} has {size} bytes, {wanted} are to be written")]
    TooLarge {
        /// Which partition.
        partition: &'static str,
        /// Its size.
        size: u64,
        /// What is to be written.
        wanted: u64,
    },
    /// The disk is too small for its partitions.
    #[error("has {size} bytes, the layout needs {needed}")]
    TooSmall {
        /// Its size.
        size: u64,
        /// What it should have.
        needed: u64,
    },
    /// A layout with sizes that no device has.
    #[error("partition {partition} is to have {size} bytes, and a device has {MAX_DEVICE} (16 TiB) at most")]
    Layout {
        /// The largest partition.
        partition: String,
        /// Its size.
        size: u64,
    },
    /// A flash state whose number no device reaches.
    #[error(
        "its flash state has the number {0}, which no device reaches by flashing ({MAX_NUMBER} at most): it has been changed"
    )]
    Number(u64),
    /// What was read back is not what was written, or is there no more.
    #[error(
        "partition {partition} does not hold what was written to it: sha256 {found}, expected {expected}"
    )]
    Contents {
        /// Which partition.
        partition: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// What came is not what was announced.
    #[error("what was to be written to {partition} has changed: sha256 {found}, expected {expected}")]
    Source {
        /// Which partition.
        partition: &'static str,
        /// What came.
        found: String,
        /// What was announced.
        expected: String,
    },
    /// A later carveout has flashed it.
    #[error("its flash state has format {0}, this carveout knows {FORMAT}: use a newer one")]
    Format(u32),
    /// The state does not fit its place.
    #[error("the flash state has {0} bytes, more than fit")]
    LargeState(usize),
    /// There is nothing to go back to.
    #[error("there is no bundle to go back to")]
    NoPrevious,
}
