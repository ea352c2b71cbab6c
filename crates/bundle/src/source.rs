//! A bundle to read: a folder or a `.tar.zst`.

use crate::format::{MANIFEST, SUMS};
use crate::frames::{ARCHIVE_MAGIC, FrameReader};
use crate::hash::hash_blocks;
use crate::limits::MAX_TEXT;
use crate::manifest::Manifest;
use crate::open::open;
use crate::signature::{MAX_SIGNATURE, SIGNATURE};
use crate::writer::{DATA, PROGRAM};
use std::fs;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Bits of a mode: setuid, setgid, sticky.
const SPECIAL: u32 = 0o7000;
/// Bytes of zeros behind the last file of an archive, at most: tar fills up its last record.
const MAX_TAIL: u64 = 1 << 20;

/// Why a bundle cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Neither a folder nor an archive.
    #[error("{0}: no bundle: expected a bundle's folder or its .tar.zst")]
    NotABundle(PathBuf),
    /// Reading failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// Of what.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// Something that a bundle never holds.
    #[error("{path}: {what}")]
    Entry {
        /// Where.
        path: String,
        /// What it is.
        what: &'static str,
    },
}

/// A bundle's folder or archive.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder.
    Folder(PathBuf),
    /// A `.tar.zst`.
    Archive(PathBuf),
}

/// Whether a file can be read and begins as a bundle's archive does.
pub fn is_archive(path: &Path) -> bool {
    let mut magic = [0; ARCHIVE_MAGIC.len()];
    crate::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == ARCHIVE_MAGIC
}

impl Source {
    /// Finds out which of both a path is.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let metadata = fs::metadata(path).map_err(|error| SourceError::Io { path: path.into(), error })?;
        if metadata.is_dir() && path.join(MANIFEST).exists() {
            Ok(Self::Folder(path.into()))
        } else if metadata.is_file() {
            Ok(Self::Archive(path.into()))
        } else {
            Err(SourceError::NotABundle(path.into()))
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Archive(path) => path,
        }
    }

    /// Reads every file, manifest, checksums and signature first. `each` gets the path within the bundle and a reader. Returns the
    /// folder's name that an archive's files are in. It is an error that a file has more bytes than the manifest says, and, of an archive,
    /// that the manifest does not list one: what is skipped of an archive is unpacked, too.
    pub fn for_each(
        &self,
        each: &mut dyn FnMut(&str, &mut dyn Read) -> io::Result<()>,
    ) -> Result<Option<String>, SourceError> {
        let (archive, mut manifest) = (matches!(self, Self::Archive(_)), None::<Manifest>);
        self.for_each_with_meta(&mut |path, meta, reader| {
            let listed = manifest.as_ref().and_then(|manifest| manifest.file(path)).map(|file| file.size);
            let most = match (most_of(path), listed) {
                (Some(most), _) | (None, Some(most)) => most,
                (None, None) if archive => 0,
                (None, None) => u64::MAX,
            };
            if meta.size > most {
                let what = format!("{path} has {} bytes, allowed are {most}", meta.size);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            let mut reader = reader.take(most);
            if path != MANIFEST {
                return each(path, &mut reader);
            }
            let mut text = Vec::new();
            reader.read_to_end(&mut text)?;
            manifest = std::str::from_utf8(&text).ok().and_then(|text| Manifest::from_text(text).ok());
            each(path, &mut &text[..])
        })
    }

    /// The same without these limits; `each` gets what is known of a file before it is read.
    pub(crate) fn for_each_with_meta(&self, each: &mut Each) -> Result<Option<String>, SourceError> {
        match self {
            Self::Folder(folder) => read_folder(folder, each).map(|()| None),
            Self::Archive(archive) => read_archive(archive, each).map(Some),
        }
    }
}

/// What is known of a file before it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    /// 0644 or 0755 of an archive, anything of a folder.
    pub(crate) mode: u32,
    /// Bytes, as the archive or the filesystem says.
    pub(crate) size: u64,
}

/// Bytes that a file has at most whose size no manifest says.
pub(crate) fn most_of(path: &str) -> Option<u64> {
    match path {
        MANIFEST | SUMS => Some(MAX_TEXT),
        SIGNATURE => Some(MAX_SIGNATURE),
        _ => None,
    }
}

type Each<'a> = dyn FnMut(&str, Meta, &mut dyn Read) -> io::Result<()> + 'a;

fn read_folder(folder: &Path, each: &mut Each) -> Result<(), SourceError> {
    let mut paths = Vec::new();
    walk(folder, "", &mut paths)?;
    paths.sort_by_key(|path| (rank(path), path.clone()));
    for path in paths {
        let full = folder.join(&path);
        let error = |error| SourceError::Io { path: full.clone(), error };
        let mut file = open(&full).map_err(error)?;
        let metadata = file.metadata().map_err(error)?;
        let meta = Meta { mode: metadata.permissions().mode() & 0o777, size: metadata.len() };
        each(&path, meta, &mut file).map_err(error)?;
    }
    Ok(())
}

fn rank(path: &str) -> usize {
    let first = [MANIFEST, SUMS, SIGNATURE];
    first.iter().position(|p| *p == path).unwrap_or(first.len())
}

fn walk(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> Result<(), SourceError> {
    let error = |error| SourceError::Io { path: folder.join(prefix), error };
    for entry in fs::read_dir(folder.join(prefix)).map_err(error)? {
        let entry = entry.map_err(error)?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(error)?;
        if kind.is_dir() {
            walk(folder, &format!("{path}/"), paths)?;
        } else if kind.is_file() {
            let mode = entry.metadata().map_err(error)?.permissions().mode();
            if mode & SPECIAL != 0 {
                return Err(SourceError::Entry {
                    path,
                    what: "is setuid, setgid or sticky: a bundle's files never are",
                });
            }
            paths.push(path);
        } else {
            return Err(SourceError::Entry {
                path,
                what: "neither a file nor a folder: a bundle holds no others",
            });
        }
    }
    Ok(())
}

/// Returns the name of the folder that the archive's files are in.
fn read_archive(archive: &Path, each: &mut Each) -> Result<String, SourceError> {
    let error = |error| SourceError::Io { path: archive.into(), error };
    let file = BufReader::new(open(archive).map_err(error)?);
    let mut tar = tar::Archive::new(FrameReader::new(file));
    let mut top = None;
    // Raw: an extension's declared size would be read into memory. Ours have none.
    for entry in tar.entries().map_err(error)?.raw(true) {
        let mut entry = entry.map_err(error)?;
        let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let header = entry.header();
        if header.entry_type() != tar::EntryType::Regular {
            return Err(SourceError::Entry {
                path: full,
                what: "no regular file: a bundle's archive holds no others",
            });
        }
        let mode = header.mode().map_err(error)?;
        let owner = (header.uid().map_err(error)?, header.gid().map_err(error)?);
        if ![DATA, PROGRAM].contains(&mode) || owner != (0, 0) {
            let what = "has another mode or owner than 0644 or 0755, 0:0";
            return Err(SourceError::Entry { path: full, what });
        }
        let Some((folder, path)) = full.split_once('/') else {
            return Err(SourceError::Entry { path: full, what: "lies outside the bundle's folder" });
        };
        if top.get_or_insert(folder.to_owned()) != folder {
            return Err(SourceError::Entry { path: full, what: "lies outside the bundle's folder" });
        }
        let meta = Meta { mode, size: entry.size() };
        each(path, meta, &mut entry).map_err(error)?;
    }
    // The checksum of a frame is checked only when all of it has been read.
    let mut tail = 0;
    let zeros = hash_blocks(tar.into_inner(), |block| {
        tail += block.len() as u64;
        if tail > MAX_TAIL {
            return Err(io::Error::other("zeros without end behind the last file"));
        }
        if block.iter().all(|b| *b == 0) {
            Ok(())
        } else {
            Err(io::Error::other("more than zeros behind the last file"))
        }
    });
    zeros.map_err(error)?;
    Ok(top.unwrap_or_default())
}
