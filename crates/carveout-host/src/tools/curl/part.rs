//! What has come of a download so far: FILE.part, which the next run continues.

use crate::error::{At, Error, Result};
use crate::errors::DownloadError;
use crate::files;
use crate::ui::Ui;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Locked for as long as it is written: two runs may want the same file.
pub struct PartFile {
    path: PathBuf,
    file: File,
    /// Bytes that are there.
    pub length: u64,
}

impl PartFile {
    /// Opens or makes it. Nothing if another run has completed `whole` meanwhile.
    pub fn open(path: PathBuf, whole: &Path, ui: &Ui) -> Result<Option<Self>> {
        // A link would lead our writes elsewhere, a FIFO would keep us waiting.
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).custom_flags(flags);
            let opened = options.open(&path).and_then(|file| file.metadata().map(|of| (file, of)));
            let (file, metadata) = match opened {
                Ok((file, metadata)) if metadata.is_file() => (file, metadata),
                Err(error) if fs::symlink_metadata(&path).map_or(true, |there| there.is_file()) => {
                    return Err(Error::io(&path, &error));
                }
                _ => return Err(DownloadError::PartNotAFile { path }.into()),
            };
            if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
                ui.note(&format!("{}: another carveout downloads it; waiting for that", path.display()));
                files::hold(&file, &path, || ())?;
            }
            if whole.exists() {
                return Ok(None);
            }
            // Whoever had the lock has renamed or removed what we have opened.
            let same = fs::symlink_metadata(&path)
                .is_ok_and(|now| (now.dev(), now.ino()) == (metadata.dev(), metadata.ino()));
            if same {
                let length = file.metadata().at(&path)?.len();
                return Ok(Some(Self { path, file, length }));
            }
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.length)).at(&self.path)?;
        self.file.write_all(bytes).at(&self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Begins anew.
    pub fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).at(&self.path)?;
        self.length = 0;
        Ok(())
    }

    /// Its sum.
    pub fn sha256(&self) -> Result<String> {
        Ok(bundle::hash_file(&self.path).at(&self.path)?.sha256)
    }

    /// It is whole: it gets its name.
    pub fn finish(self, whole: &Path) -> Result<()> {
        self.file.sync_all().at(&self.path)?;
        fs::rename(&self.path, whole).at(whole)
    }

    /// It is of no use.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).at(&self.path)
    }
}
