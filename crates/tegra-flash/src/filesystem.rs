//! What a file is that somebody gives as a root filesystem: only ext4 starts a board, as raw image or as Android sparse image.
//! Everything else is refused by its name, before a device is touched.

mod ext4;
mod magic;
#[cfg(any(test, feature = "test-image"))]
pub mod test_image;
#[cfg(test)]
mod tests;

pub use ext4::{Ext4, Ext4Error};
pub use magic::Known;

use crate::sparse::{self, SparseError};
use std::io::{self, Read};

/// Bytes of a file's beginning that tell what it is: btrfs has its magic number behind 64 KiB.
pub const HEAD: usize = 68 << 10;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A filesystem with a sound superblock.
    Ext4(Ext4),
    /// An Android sparse image: [`sparse::beginning`] tells of what.
    Sparse,
    /// Ext4's magic number is there, and the superblock is not sound.
    DamagedExt4(Ext4Error),
    /// Something else that is known.
    Other(Known),
    /// It has no bytes.
    Empty,
    /// Its beginning is all zeros.
    Zeros,
    /// None of these.
    Unknown,
}

/// What a file is that begins with `head`: [`HEAD`] bytes, or all that it has.
pub fn identify(head: &[u8]) -> Kind {
    if head.is_empty() {
        return Kind::Empty;
    }
    if sparse::is_sparse(head) {
        return Kind::Sparse;
    }
    let parsed = Ext4::parse(head);
    match (parsed, magic::known(head)) {
        (Ok(ext4), _) => Kind::Ext4(ext4),
        (Err(_), Some(known)) => Kind::Other(known),
        (Err(_), None) if head.iter().all(|byte| *byte == 0) => Kind::Zeros,
        (Err(error), None) if ext4::has_magic(head) => Kind::DamagedExt4(error),
        (Err(_), None) => Kind::Unknown,
    }
}

/// A root filesystem that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootFilesystem {
    /// What it is.
    pub ext4: Ext4,
    /// Whether its file is an Android sparse image.
    pub sparse: bool,
    /// Bytes of its raw image.
    pub raw_size: u64,
}

/// Why a file is no root filesystem.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// Reading failed.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// A sparse image that is none.
    #[error("a damaged Android sparse image: {0}")]
    Sparse(SparseError),
    /// Something else, called by its name.
    #[error("{within}{what}, no ext4 filesystem")]
    Other {
        /// `in the sparse image: ` or nothing.
        within: &'static str,
        /// What it is.
        what: &'static str,
        /// How to get a root filesystem of it.
        remedy: &'static str,
    },
    /// The superblock is not sound.
    #[error("{within}a damaged ext4 filesystem: {error}")]
    Damaged {
        /// `in the sparse image: ` or nothing.
        within: &'static str,
        /// What is wrong.
        error: Ext4Error,
    },
    /// The filesystem is cut off.
    #[error("{within}it is shorter than its superblock says: {found} bytes of {expected}")]
    CutOff {
        /// `in the sparse image: ` or nothing.
        within: &'static str,
        /// Bytes of the image.
        found: u64,
        /// Bytes of the filesystem.
        expected: u64,
    },
}

impl RootError {
    /// What helps.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Other { remedy, .. } => remedy,
            Self::Read(_) => "see whether the disk under the file is sound",
            Self::Sparse(_) | Self::Damaged { .. } | Self::CutOff { .. } => {
                "copy it again from where it was made, or take another backup"
            }
        }
    }
}

/// What a file of `length` bytes holds, if that is a root filesystem, raw or sparse. [`HEAD`] bytes of the raw image are looked at.
pub fn root_filesystem(file: &mut impl Read, length: u64) -> Result<RootFilesystem, RootError> {
    let mut head = Vec::new();
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    if identify(&head) != Kind::Sparse {
        let ext4 = ext4_of(&head, "", length)?;
        return Ok(RootFilesystem { ext4, sparse: false, raw_size: length });
    }
    let (header, raw) = sparse::beginning(&mut (&head[..]).chain(file), HEAD).map_err(RootError::Sparse)?;
    if raw.is_empty() && header.raw_size() > 0 {
        let within = "its first block";
        return Err(RootError::Sparse(SparseError::Truncated { offset: length, within }));
    }
    let ext4 = ext4_of(&raw, "in the sparse image: ", header.raw_size())?;
    Ok(RootFilesystem { ext4, sparse: true, raw_size: header.raw_size() })
}

fn ext4_of(head: &[u8], within: &'static str, length: u64) -> Result<Ext4, RootError> {
    let other = |what, remedy| Err(RootError::Other { within, what, remedy });
    match identify(head) {
        Kind::Ext4(ext4) if ext4.bytes() > length => {
            Err(RootError::CutOff { within, found: length, expected: ext4.bytes() })
        }
        Kind::Ext4(ext4) => Ok(ext4),
        Kind::DamagedExt4(error) => Err(RootError::Damaged { within, error }),
        Kind::Other(known) => other(known.what, known.remedy),
        Kind::Sparse => other("another Android sparse image", "unpack it with simg2img first"),
        Kind::Empty => other("an empty file", magic::NO_IMAGE),
        Kind::Zeros => other("all zeros at its beginning", magic::NO_IMAGE),
        Kind::Unknown if head.len() < ext4::OFFSET + ext4::SIZE => {
            other("a file of less than 2048 bytes", magic::NO_IMAGE)
        }
        Kind::Unknown => other("nothing that is known", magic::NO_IMAGE),
    }
}
