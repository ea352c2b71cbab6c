//! Small texts: settings, keys, and what the kernel and NVIDIA's scripts write.

use crate::error::UpdateError;
use std::io::Read;
use std::path::Path;

/// Largest one that is read, in bytes.
const MOST: u64 = 64 << 10;

/// A text of a size that such files have.
pub fn text(path: &Path) -> Result<String, UpdateError> {
    let failed = |source| UpdateError::Io { path: path.into(), source };
    let mut text = String::new();
    let file = bundle::open(path).map_err(failed)?;
    file.take(MOST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
