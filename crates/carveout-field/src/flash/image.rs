//! A file that is to become a device's root filesystem, or was one: what it is, before anything is written or called a backup.

use crate::device::seen::Seen;
use crate::errors::ImageError;
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_host::files::{NewFile, SECRET};
use carveout_host::sparse::same;
use carveout_host::ui::Ui;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use tegra_flash::filesystem::{RootError, RootFilesystem, root_filesystem};
use tegra_flash::sparse::{self, SparseError};

/// A raw image to write.
pub struct Given {
    /// Where it lies: the file itself, or what a sparse image was unpacked to.
    pub raw: PathBuf,
    /// The file that was named, and what it was when it was looked at.
    image: PathBuf,
    seen: Seen,
}

/// What is in a file that is an image of a root filesystem, raw or sparse.
pub fn look(path: &Path) -> Result<Result<RootFilesystem, RootError>> {
    let file = files::open(path)?;
    let length = file.metadata().at(path)?.len();
    match root_filesystem(&mut BufReader::new(file), length) {
        Err(RootError::Read(error)) => Err(Error::io(path, &error)),
        other => Ok(other),
    }
}

/// Looks at what was read of a device: an error if that is no root filesystem.
pub fn ensure_read(path: &Path, anyway: bool, advice: &str) -> Result<()> {
    match look(path)? {
        Err(error) if !anyway => {
            let advice = advice.into();
            Err(ImageError::ReadNoRootFilesystem { source: error.into(), advice }.into())
        }
        _ => Ok(()),
    }
}

/// An error if a folder has less room than `bytes`.
pub fn ensure_room(dir: &Path, bytes: u64) -> Result<()> {
    let stat = rustix::fs::statvfs(dir).map_err(|e| Error::io(dir, &e.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= bytes {
        return Ok(());
    }
    Err(ImageError::NotEnoughRoom { path: dir.into(), free, needed: bytes }.into())
}

/// A sparse image of a raw one, which is to be `to`.
pub fn to_sparse(raw: &NewFile, to: &Path, size: u64) -> Result<NewFile> {
    let sparse = NewFile::create(to, SECRET)?;
    let mut reader = BufReader::new(files::open(raw.path())?);
    sparse::encode(&mut reader, size, &mut sparse.file(), sparse::BLOCK_SIZE).map_err(|e| match e {
        SparseError::Write { error, .. } => Error::io(to, &error),
        other => ImageError::SparseNotMade { path: to.into(), source: other.into() }.into(),
    })?;
    // It is all that there will be of the root filesystem: it must stand for the same bytes.
    same(raw.path(), size, sparse.path())?;
    Ok(sparse)
}

impl Given {
    /// Looks at a file, which must hold a root filesystem of at most `size` bytes, the partition's. Sparse images are unpacked into
    /// `scratch`: what they do not care for would keep the partition's old bytes, which is not what was backed up. With `anyway` it
    /// need not be a filesystem.
    pub fn open(image: &Path, size: u64, scratch: &Path, anyway: bool, ui: &Ui) -> Result<Self> {
        let shown = image.display();
        let path = || image.to_owned();
        let metadata =
            fs::metadata(image).map_err(|source| ImageError::NotAccessible { path: path(), source })?;
        if metadata.is_dir() {
            return Err(ImageError::Folder { path: path() }.into());
        }
        if !metadata.is_file() {
            return Err(ImageError::NotAFile { path: path() }.into());
        }
        let seen = Seen::new(image, &metadata);
        let too_large = |bytes: u64| ImageError::TooLarge { path: path(), size: bytes, partition: size };
        match look(image)? {
            Ok(root) if root.raw_size > size => {
                let filesystem = root.ext4.bytes();
                if root.sparse || filesystem > size {
                    return Err(too_large(root.raw_size).into());
                }
                let (path, partition) = (path(), size);
                return Err(ImageError::Padded { path, size: root.raw_size, partition, filesystem }.into());
            }
            Ok(root) => ui.note(&format!("{shown}: {}", root.ext4)),
            Err(error) if !anyway => {
                let (path, advice) = (path(), error.remedy());
                return Err(ImageError::NoRootFilesystem { path, source: error.into(), advice }.into());
            }
            Err(error) => ui.note(&format!("{shown}: {error}; it is written all the same")),
        }
        let given = Self { raw: fs::canonicalize(image).at(image)?, image: image.into(), seen };
        match header(image)? {
            Some(header) if header.raw_size() > size => Err(too_large(header.raw_size()).into()),
            Some(_) => given.unpacked(scratch),
            None if !(1..=size).contains(&given.seen.size()) => Err(too_large(given.seen.size()).into()),
            None => Ok(given),
        }
    }

    /// Unpacks a sparse image.
    fn unpacked(mut self, scratch: &Path) -> Result<Self> {
        ensure_room(scratch, self.seen.size())?;
        self.raw = scratch.join("app.raw");
        let mut out = files::make(&self.raw)?;
        let mut reader = BufReader::new(files::open(&self.image)?);
        sparse::decode(&mut reader, &mut out)
            .map_err(|e| ImageError::DamagedSparse { path: self.image.clone(), source: e.into() })?;
        self.ensure_same("nothing has been written")?;
        Ok(self)
    }

    /// An error if the file was changed since it was looked at.
    pub fn ensure_same(&self, state: &str) -> Result<()> {
        self.seen.ensure_same(state)
    }
}

/// The header of a sparse image; nothing of a raw one.
fn header(image: &Path) -> Result<Option<sparse::Header>> {
    let read = sparse::Header::read(&mut BufReader::new(files::open(image)?));
    match read {
        Ok(header) => Ok(Some(header)),
        Err(SparseError::Magic | SparseError::Truncated { offset: 0..4, .. }) => Ok(None),
        Err(error) => Err(ImageError::DamagedSparse { path: image.into(), source: error.into() }.into()),
    }
}
