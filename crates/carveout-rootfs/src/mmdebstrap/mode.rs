//! Who may reach what hooks read.

use carveout_host::error::{At, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Gives a file or a folder a mode.
pub(super) fn open(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).at(path)
}
