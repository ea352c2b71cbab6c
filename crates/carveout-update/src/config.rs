//! Whose updates a device takes, and what must pass before one stays.

use crate::error::UpdateError;
use crate::text::text;
use bundle::{PublicKey, UpdateArchive};
use serde::Deserialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folder of public keys.
const KEYS: &str = "keys.d";
/// What must pass.
const SETTINGS: &str = "update.yaml";

/// `update.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Commands, each with its arguments, that must end with success before an update stays.
    pub checks: Vec<Vec<String>>,
    /// Seconds that each of them may take.
    pub timeout: u32,
    /// Percent that the battery must have, if nothing else feeds the device.
    pub battery: u8,
    /// The board, as bundles name it: of a Jetson, which cannot tell, and for which others are released, too.
    pub board: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { checks: Vec::new(), timeout: 60, battery: 20, board: None }
    }
}

impl Settings {
    /// Reads them; without a file there are none.
    pub fn read(folder: &Path) -> Result<Self, UpdateError> {
        let path = folder.join(SETTINGS);
        match text(&path) {
            Ok(found) if found.trim().is_empty() => Ok(Self::default()),
            Ok(found) => {
                serde_yaml::from_str(&found).map_err(|source| UpdateError::Settings { path, source })
            }
            Err(UpdateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(error),
        }
    }
}

/// The keys whose owners may update this device.
pub fn keys(folder: &Path) -> Result<Vec<PublicKey>, UpdateError> {
    let folder = folder.join(KEYS);
    let mut paths: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(UpdateError::Io { path: folder, source }),
    };
    paths.retain(|path| path.extension().is_some_and(|end| end == "pub"));
    paths.sort();
    let key = |path: PathBuf| {
        PublicKey::parse_file(text(&path)?.as_bytes()).map_err(|source| UpdateError::Key { path, source })
    };
    paths.into_iter().map(key).collect()
}

/// An update that one of the keys has signed.
pub fn check_signature(update: &UpdateArchive, folder: &Path, unsigned: bool) -> Result<(), UpdateError> {
    let bundle = update.manifest.bundle_name();
    let Some(signed) = &update.signed else {
        return if unsigned { Ok(()) } else { Err(UpdateError::Unsigned { bundle }) };
    };
    let keys = keys(folder)?;
    if unsigned && keys.is_empty() {
        return Ok(());
    }
    let mut last = None;
    for key in &keys {
        match signed.check(key) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    Err(UpdateError::OtherKey { bundle, keys: keys.len(), folder: folder.join(KEYS), last })
}
