//! Some files of a bundle, for those who run or flash them.

use crate::file_entry::FileEntry;
use crate::format::MANIFEST;
use crate::hash::sha256;
use crate::limits::{MAX_EXTRACTED, MAX_TEXT};
use crate::manifest::{Manifest, ManifestError};
use crate::source::{Source, SourceError};
use std::collections::BTreeSet;
use std::io::{self, Read};

/// Why files cannot be had from a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The bundle cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its manifest cannot be believed.
    #[error("{MANIFEST}: {0}")]
    Manifest(#[from] ManifestError),
    /// A file is not the one that the manifest lists.
    #[error("{0}: is missing, or not the file that {MANIFEST} lists")]
    File(String),
}

/// Files with their contents.
pub type Extracted = Vec<(FileEntry, Vec<u8>)>;

/// Reads the wanted files whole and checks their checksums; the others are not looked at.
pub fn extract(
    source: &Source,
    wanted: impl Fn(&FileEntry) -> bool,
) -> Result<(Manifest, Extracted), ExtractError> {
    let mut manifest: Option<Result<Manifest, ManifestError>> = None;
    let mut files = Extracted::new();
    let (mut left, mut room) = (usize::MAX, MAX_EXTRACTED);
    // An archive is read from its front: an error ends that when all is there.
    let read = source.for_each(&mut |path, reader| {
        if path == MANIFEST {
            let mut text = String::new();
            reader.take(MAX_TEXT).read_to_string(&mut text)?;
            let parsed = Manifest::from_text(&text);
            left = parsed.as_ref().map_or(0, |m| m.files.iter().filter(|file| wanted(file)).count());
            manifest = Some(parsed);
        } else if let Some(Ok(manifest)) = &manifest
            && let Some(entry) = manifest.file(path).filter(|entry| wanted(entry))
        {
            let mut bytes = Vec::new();
            reader.take(room.min(entry.size.saturating_add(1))).read_to_end(&mut bytes)?;
            room = room.saturating_sub(bytes.len() as u64);
            if bytes.len() as u64 == entry.size && sha256(&bytes) == entry.sha256 {
                files.push((entry.clone(), bytes));
            }
            left -= 1;
        }
        if left == 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    });
    match read {
        Err(SourceError::Io { error, .. }) if left == 0 && error.kind() == io::ErrorKind::Interrupted => {}
        other => drop(other?),
    }
    let manifest = manifest.ok_or_else(|| ExtractError::File(MANIFEST.into()))??;
    let missing = manifest.files.iter().filter(|file| wanted(file));
    let found: BTreeSet<&str> = files.iter().map(|(entry, _)| entry.path.as_str()).collect();
    let mut missing = missing.filter(|file| !found.contains(file.path.as_str()));
    match missing.next() {
        Some(file) => Err(ExtractError::File(file.path.clone())),
        None => Ok((manifest, files)),
    }
}
