//! Writes a bundle's folder.

use crate::file_entry::{FileEntry, Role};
use crate::format::{FORMAT, MANIFEST, SUMS};
use crate::hash::{copy_hashed, hash_file, sha256};
use crate::identity::{IDENTITY_SIZE, Identity, IdentityPlace, blank};
use crate::manifest::{Manifest, ManifestError, Partition};
use crate::problem::Problem;
use crate::trace::MadeOf;
use crate::{structure, sums};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tegra_flash::Layout;

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// Reading or writing a file failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// The manifest cannot be written.
    #[error("{MANIFEST}: {0}")]
    Manifest(#[from] ManifestError),
}

/// Mode of a program.
pub(crate) const PROGRAM: u32 = 0o755;
/// Mode of all else.
pub(crate) const DATA: u32 = 0o644;

/// Gives a file its mode, whatever the umask; whether it is a program.
fn set_mode(role: Role, path: &Path) -> io::Result<bool> {
    let executable = role == Role::Flash && begins_as_program(path)?;
    let mode = if executable { PROGRAM } else { DATA };
    fs::set_permissions(path, Permissions::from_mode(mode)).map(|()| executable)
}

/// Whether a file of the flash folder is run: a script or an ELF file. Its mode where it comes from does not count: it depends on
/// how that was unpacked.
fn begins_as_program(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    crate::open::open(path)?.take(4).read_to_end(&mut head)?;
    Ok(head.starts_with(b"#!") || head == *b"\x7fELF")
}

/// Fills a folder with a bundle's files.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    files: Vec<FileEntry>,
}

impl Writer {
    /// Writes into an empty folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), files: Vec::new() }
    }

    /// Copies a file into the bundle.
    pub fn add(
        &mut self,
        role: Role,
        path: &str,
        from: &Path,
        partitions: &[&str],
    ) -> Result<(), WriterError> {
        let to = self.folder.join(path);
        let parent = to.parent().unwrap_or(&self.folder).to_owned();
        fs::create_dir_all(&parent).map_err(|error| WriterError::Io { path: parent, error })?;
        let hashed = copy_hashed(from, &to).map_err(|error| {
            let path = if from.exists() { to.clone() } else { from.into() };
            WriterError::Io { path, error }
        })?;
        let executable = set_mode(role, &to).map_err(|error| WriterError::Io { path: to, error })?;
        let partitions = partitions.iter().map(|p| (*p).into()).collect();
        let (path, size, sha256) = (path.into(), hashed.size, hashed.sha256);
        let (made_of, identity) = (None, None);
        self.files.push(FileEntry { path, role, size, sha256, partitions, executable, made_of, identity });
        Ok(())
    }

    /// Writes the identity over the blank that is at this offset of the file that was added last.
    pub(crate) fn identify(&mut self, offset: u64, identity: &Identity) -> Result<(), WriterError> {
        let Some(file) = self.files.last_mut() else { return Ok(()) };
        let path = self.folder.join(&file.path);
        let place = |path: &Path| {
            let image = OpenOptions::new().read(true).write(true).open(path)?;
            let mut found = vec![0; IDENTITY_SIZE];
            image.read_exact_at(&mut found, offset)?;
            if found != blank() {
                return Err(io::Error::other(format!("has no place for an identity at byte {offset}")));
            }
            image.write_all_at(&identity.to_bytes(), offset)?;
            image.sync_all()?;
            hash_file(path)
        };
        let hashed = place(&path).map_err(|error| WriterError::Io { path, error })?;
        let content = std::mem::replace(&mut file.sha256, hashed.sha256);
        file.identity = Some(IdentityPlace { offset, content });
        Ok(())
    }

    /// Says of the file that was added last what it was made of.
    pub fn made_of(&mut self, made_of: MadeOf) {
        if let Some(file) = self.files.last_mut() {
            file.made_of = Some(made_of);
        }
    }

    /// Where it writes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is in the bundle by now.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// How full the partitions of a layout get, and what does not fit. `app_size` is [`crate::Device::app_size`], for a real
    /// board.
    pub fn partition_plan(
        &self,
        layout_path: &str,
        layout: &Layout,
        app_size: Option<u64>,
    ) -> (Vec<Partition>, Vec<Problem>) {
        structure::partition_plan(&self.files, layout_path, layout, app_size)
    }

    /// Writes the manifest and the checksums. `files`, `flash`, `format` and `digest` of the manifest are filled in here.
    pub fn finish(mut self, mut manifest: Manifest) -> Result<Manifest, WriterError> {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        manifest.format = FORMAT;
        manifest.flash = Manifest::flash_digests(&self.files);
        manifest.files = self.files;
        let text = manifest.to_text()?;
        let sums = sums::to_text(&manifest.files, &sha256(text.as_bytes()));
        for (name, text) in [(MANIFEST, &text), (SUMS, &sums)] {
            let path = self.folder.join(name);
            fs::write(&path, text).map_err(|error| WriterError::Io { path, error })?;
        }
        Ok(Manifest::from_text(&text)?)
    }
}
