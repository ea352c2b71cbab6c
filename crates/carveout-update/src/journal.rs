//! What was done, a line each, and that only one does it at a time.

use crate::error::UpdateError;
use serde_json::json;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The journal: JSON, a line for each event.
const JOURNAL: &str = "update.jsonl";
/// Bytes from which on the journal begins anew, with the old one kept beside it.
const MOST: u64 = 1 << 20;

/// Whoever may write in its folder leads us nowhere else.
const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// The journal of a device, while one works on it.
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens it, and refuses if another one has it.
    pub fn open(folder: &Path) -> Result<Self, UpdateError> {
        let path = folder.join(JOURNAL);
        let failed = |source| UpdateError::Io { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(|source| UpdateError::Io { path: folder.into(), source })?;
        let open = || OpenOptions::new().append(true).create(true).custom_flags(NO_LINK).open(&path);
        let mut file = open().map_err(failed)?;
        lock(&file).map_err(|error| error.unwrap_or(UpdateError::Busy))?;
        if file.metadata().map_err(failed)?.len() > MOST {
            fs::rename(&path, path.with_extension("jsonl.old")).map_err(failed)?;
            file = open().map_err(failed)?;
            lock(&file).map_err(|error| error.unwrap_or(UpdateError::Busy))?;
        }
        Ok(Self { path, file })
    }

    /// Notes an event, so that it lasts. The clock may be wrong: the order of the lines counts.
    pub fn note(&mut self, event: &str, bundle: &str) -> Result<(), UpdateError> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let line = format!("{}\n", json!({ "time": seconds, "event": event, "bundle": bundle }));
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| UpdateError::Io { path: self.path.clone(), source })
    }
}

/// Nothing of an error is told if another one has the lock.
fn lock(file: &File) -> Result<(), Option<UpdateError>> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(None),
        // Not every filesystem has locks.
        Err(TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}
