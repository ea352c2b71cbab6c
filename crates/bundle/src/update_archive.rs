//! What of a bundle a running device needs, as an archive of its own: `…-update.tar.zst`.
//!
//! It is the bundle's archive without the other files. Manifest, checksums and signature are the bundle's own, byte for byte, so that
//! whoever trusts the bundle's key can verify each file of it; nothing is signed again.

use crate::archive;
use crate::extract::ExtractError;
use crate::file_entry::{FileEntry, Role};
use crate::format::{MANIFEST, SUMS};
use crate::frames::Frames;
use crate::hash::{hash_blocks, sha256};
use crate::limits::MAX_TEXT;
use crate::manifest::{Manifest, ManifestError};
use crate::signature::{MAX_SIGNATURE, SIGNATURE};
use crate::source::{Source, SourceError};
use crate::sums;
use crate::verify::Signed;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

/// How the name of an update archive ends.
pub const UPDATE_SUFFIX: &str = "-update.tar.zst";

/// Why an archive is no update.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateArchiveError {
    /// It cannot be read, or a file of it is not the one that the manifest lists.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The checksums are not those of the manifest.
    #[error("{SUMS}: is missing, or does not agree with {MANIFEST}")]
    Sums,
    /// The bundle is for a board, and has no payload that updates a running one.
    #[error(
        "the bundle has nothing that a running device could write: it was built without an update payload"
    )]
    NoUpdate,
}

/// An update, or a whole bundle, every file of which has been read and is the one that the manifest lists.
#[derive(Clone, Debug)]
pub struct UpdateArchive {
    /// What it is of.
    pub manifest: Manifest,
    /// SHA-256 of the manifest, by which a device knows the bundle.
    pub digest: String,
    /// The signature, if there is one. It has not been checked.
    pub signed: Option<Signed>,
    /// The files that are in it.
    pub files: BTreeSet<String>,
}

impl From<SourceError> for UpdateArchiveError {
    fn from(error: SourceError) -> Self {
        ExtractError::from(error).into()
    }
}

impl Manifest {
    /// Whether a running device needs a file: what is written to its boot slots, and client apps.
    pub fn is_of_update(&self, file: &FileEntry) -> bool {
        match file.role {
            Role::Update | Role::ClientApp => true,
            Role::SecureOs | Role::BootConfig => self.device.is_none() && !file.partitions.is_empty(),
            _ => false,
        }
    }

    /// The name of its update archive.
    pub fn update_name(&self) -> String {
        format!("{}{UPDATE_SUFFIX}", self.bundle_name())
    }

    /// Whether it has anything that a running device could write to its boot slots.
    pub fn has_update(&self) -> bool {
        self.files.iter().any(|file| file.role != Role::ClientApp && self.is_of_update(file))
    }
}

/// Writes the update archive of a bundle. Whoever calls it has verified the bundle.
pub fn write_update(
    source: &Source,
    manifest: &Manifest,
    mtime: u64,
    out: &Path,
) -> Result<(), UpdateArchiveError> {
    if !manifest.has_update() {
        return Err(UpdateArchiveError::NoUpdate);
    }
    let failed = |error| SourceError::Io { path: out.into(), error };
    let frames = Frames::default();
    let mut writer = archive::Writer::new(&manifest.bundle_name(), mtime, &frames, out).map_err(failed)?;
    source.for_each(&mut |path, reader| match (path, manifest.file(path)) {
        (MANIFEST | SUMS | SIGNATURE, _) => {
            let mut text = Vec::new();
            reader.take(MAX_TEXT).read_to_end(&mut text)?;
            writer.add(path, text.len() as u64, false, &text[..], None)
        }
        (_, Some(file)) if manifest.is_of_update(file) => {
            writer.add(path, file.size, file.executable, reader, None)
        }
        _ => io::copy(reader, &mut io::sink()).map(drop),
    })?;
    writer.finish().map_err(failed)?;
    Ok(())
}

impl UpdateArchive {
    /// Reads an update archive, or a bundle, once and whole.
    pub fn read(source: &Source) -> Result<Self, UpdateArchiveError> {
        let (mut manifest, mut digest) = (None::<Result<Manifest, ManifestError>>, String::new());
        let (mut text, mut signature, mut files) = (None, None, BTreeSet::new());
        let mut wrong = None;
        let stop = || io::Error::from(io::ErrorKind::Interrupted);
        let read = source.for_each(&mut |path, reader| {
            let mut whole = |most| {
                let mut bytes = Vec::new();
                Read::take(&mut *reader, most).read_to_end(&mut bytes).map(|_| bytes)
            };
            match path {
                MANIFEST => {
                    let bytes = whole(MAX_TEXT)?;
                    digest = sha256(&bytes);
                    manifest = Some(Manifest::from_text(&String::from_utf8_lossy(&bytes)));
                }
                SUMS => text = Some(String::from_utf8_lossy(&whole(MAX_TEXT)?).into_owned()),
                SIGNATURE => signature = Some(whole(MAX_SIGNATURE)?),
                _ => {
                    // A damaged manifest is told below.
                    let Some(Ok(manifest)) = &manifest else { return Err(stop()) };
                    let entry = manifest.file(path);
                    let found = hash_blocks(reader, |_| Ok(()))?;
                    if entry.is_none_or(|entry| (entry.size, &entry.sha256) != (found.size, &found.sha256)) {
                        wrong = Some(path.to_owned());
                        return Err(stop());
                    }
                    files.insert(path.to_owned());
                }
            }
            Ok(())
        });
        if let Some(path) = wrong {
            return Err(ExtractError::File(path).into());
        }
        let manifest = match (manifest, read) {
            (Some(Err(error)), _) => return Err(ExtractError::from(error).into()),
            // Whatever comes first in its place is more than is allowed of an unknown file.
            (None, Err(SourceError::Io { error, .. })) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(ExtractError::File(MANIFEST.into()).into());
            }
            (_, Err(error)) => return Err(error.into()),
            (None, Ok(_)) => return Err(ExtractError::File(MANIFEST.into()).into()),
            (Some(Ok(manifest)), Ok(_)) => manifest,
        };
        let sums = text.filter(|text| *text == sums::to_text(&manifest.files, &digest));
        let sums = sums.ok_or(UpdateArchiveError::Sums)?;
        if !manifest.has_update() {
            return Err(UpdateArchiveError::NoUpdate);
        }
        let missing =
            manifest.files.iter().find(|file| manifest.is_of_update(file) && !files.contains(&file.path));
        if let Some(file) = missing {
            return Err(ExtractError::File(file.path.clone()).into());
        }
        let signed = signature.map(|signature| Signed { sums, signature });
        Ok(Self { manifest, digest, signed, files })
    }

    /// The files of one role that are in it.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &FileEntry> {
        let files = self.manifest.files.iter().filter(move |file| file.role == role);
        files.filter(|file| self.files.contains(&file.path))
    }
}
