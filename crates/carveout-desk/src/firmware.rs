//! The firmware: programs of crates/desk-firmware, as they are read.

use crate::errors::ImageError;
use carveout_host::error::{At, Result};
use std::fs;
use std::path::Path;

/// The package.
pub const PACKAGE: &str = "desk-firmware";
/// The programs of it.
pub const MONITOR: &str = "desk-monitor";
/// See [`MONITOR`].
pub const AGENT: &str = "desk-agent";
/// The kernel for tests.
pub const TEST_KERNEL: &str = "desk-test-kernel";

/// One of the programs.
pub fn program(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    let bytes = fs::read(&path).at(&path)?;
    if bytes.is_empty() { Err(ImageError::EmptyFirmware { path }.into()) } else { Ok(bytes) }
}
