//! Which bundle the root filesystem came with, as it says itself.

use crate::error::UpdateError;
use crate::text::text;
use bundle::{IDENTITY_FILE, Identity, IdentityError};
use std::io;
use std::path::Path;

/// Reads it; none if the root filesystem says nothing of a bundle.
pub fn read(sysroot: &Path) -> Result<Option<Identity>, UpdateError> {
    let path = sysroot.join(IDENTITY_FILE.trim_start_matches('/'));
    let found = match text(&path) {
        Err(UpdateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    match Identity::parse(found.as_bytes()) {
        Ok(identity) => Ok(Some(identity)),
        Err(IdentityError::Blank) => Ok(None),
        Err(source) => Err(UpdateError::Identity { path, source }),
    }
}
