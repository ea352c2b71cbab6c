//! Why a device cannot be used.

use crate::limits::{FORMAT, MAX_DEVICE, MAX_NUMBER};
use std::io;

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
    /// There is no update that could be confirmed or given up.
    #[error("no update is being tried")]
    NothingTried,
}
