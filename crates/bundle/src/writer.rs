//! Writes a bundle's folder.

use crate::hash::{copy_hashed, sha256};
use crate::manifest::{
    AppEntry, FORMAT, FileEntry, Inputs, MANIFEST, Manifest, ManifestError, Partition, Plan, Role, SUMS,
    Tzdram,
};
use crate::verify::Problem;
use crate::{structure, sums};
use std::path::{Path, PathBuf};
use std::{fs, io};
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

/// What the manifest says besides the files.
#[derive(Clone, Debug)]
pub struct Description {
    /// The product's name.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// The board.
    pub board: String,
    /// The carve-out.
    pub tzdram: Tzdram,
    /// What it was built from.
    pub inputs: Inputs,
    /// The TAs, in the secure-os image's order.
    pub trusted_apps: Vec<AppEntry>,
    /// Budgets.
    pub plan: Plan,
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
            let path = if from.exists() { to } else { from.into() };
            WriterError::Io { path, error }
        })?;
        let partitions = partitions.iter().map(|p| (*p).into()).collect();
        let (size, sha256) = (hashed.size, hashed.sha256);
        self.files.push(FileEntry { path: path.into(), role, size, sha256, partitions });
        Ok(())
    }

    /// The digest of a file added before.
    pub fn sha256(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|f| f.path == path).map(|f| f.sha256.as_str())
    }

    /// How full the partitions of a layout get, and what does not fit.
    pub fn partition_plan(&self, layout_path: &str, layout: &Layout) -> (Vec<Partition>, Vec<Problem>) {
        structure::partition_plan(&self.files, layout_path, layout)
    }

    /// Writes the manifest and the checksums.
    pub fn finish(mut self, description: Description) -> Result<Manifest, WriterError> {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        let Description { name, version, board, tzdram, inputs, trusted_apps, plan } = description;
        let flash = Manifest::flash_digests(&self.files);
        let files = self.files;
        let digest = String::new();
        let format = FORMAT;
        let manifest = Manifest {
            format,
            name,
            version,
            board,
            tzdram,
            inputs,
            trusted_apps,
            plan,
            files,
            flash,
            digest,
        };
        let text = manifest.to_text()?;
        let sums = sums::to_text(&manifest.files, &sha256(text.as_bytes()));
        for (name, text) in [(MANIFEST, &text), (SUMS, &sums)] {
            let path = self.folder.join(name);
            fs::write(&path, text).map_err(|error| WriterError::Io { path, error })?;
        }
        Ok(Manifest::from_text(&text)?)
    }
}
