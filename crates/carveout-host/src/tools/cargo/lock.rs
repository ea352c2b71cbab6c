//! Cargo.lock: which packages there are, and where cargo takes them from.

mod source;

pub use source::{CrateSource, GitReference};

use crate::error::Result;
use crate::errors::CargoError;
use serde::Deserialize;
use std::path::Path;

/// A Cargo.lock.
#[derive(Deserialize)]
pub struct CargoLock {
    /// All but those of unused patches.
    pub package: Vec<Locked>,
    #[serde(default)]
    patch: Patches,
}

/// What Cargo.lock says of `[patch]`.
#[derive(Default, Deserialize)]
struct Patches {
    /// Those that no package takes the place of: cargo reads them all the same.
    #[serde(default)]
    unused: Vec<Locked>,
}

impl CargoLock {
    /// All packages that cargo reads.
    pub fn all(&self) -> impl Iterator<Item = &Locked> {
        self.package.iter().chain(&self.patch.unused)
    }

    /// That of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("Cargo.lock");
        let text = crate::files::read_to_string(&path)?;
        toml::from_str(&text).map_err(|e| CargoError::UnreadableLock { path, source: e.into() }.into())
    }
}

/// A package in it.
#[derive(Deserialize)]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where cargo takes it from; none: it is a package of this workspace, or of another folder.
    #[serde(default)]
    pub source: CrateSource,
    /// Of a registry's.
    pub checksum: Option<String>,
    #[serde(default)]
    /// Their names, with version and source where one alone could be meant otherwise.
    pub dependencies: Vec<String>,
}
