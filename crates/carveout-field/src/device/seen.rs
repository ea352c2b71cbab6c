//! Whether a file is still what it was when it was looked at.

use crate::errors::ImageError;
use carveout_host::error::{At, Result};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file, and what it was when it was looked at.
pub struct Seen {
    path: PathBuf,
    was: Was,
}

/// What tells that a file was changed: its bytes, when they were written, and which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Was(u64, i64, i64, u64);

impl From<&Metadata> for Was {
    fn from(metadata: &Metadata) -> Self {
        Self(metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino())
    }
}

impl Seen {
    /// Looks at a file.
    pub fn new(path: &Path, metadata: &Metadata) -> Self {
        Self { path: path.into(), was: metadata.into() }
    }

    /// Its bytes then.
    pub fn size(&self) -> u64 {
        self.was.0
    }

    /// An error if the file was changed since it was looked at. `state` says what a device has of it.
    pub fn ensure_same(&self, state: &str) -> Result<()> {
        let now = Was::from(&fs::metadata(&self.path).at(&self.path)?);
        if now == self.was {
            return Ok(());
        }
        let (path, state) = (self.path.clone(), state.into());
        Err(ImageError::Changed { path, size: now.0, before: self.was.0, state }.into())
    }
}
