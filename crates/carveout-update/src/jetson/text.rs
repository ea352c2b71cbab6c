//! Small texts, as the kernel and NVIDIA's scripts write them.

use crate::error::UpdateError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest text that is read.
const MAX_TEXT: u64 = 64 << 10;

/// A small text.
pub fn text(path: &Path) -> Result<String, UpdateError> {
    let failed = |source| UpdateError::Io { path: path.into(), source };
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(MAX_TEXT).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
