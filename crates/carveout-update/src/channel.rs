//! A channel of releases in a folder: a share, a stick, or what the product has fetched by means of its own.

use crate::config::keys;
use crate::error::UpdateError;
use bundle::UPDATE_SUFFIX;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// The signed index: a signature in minisign's format, and behind it the index.
pub const INDEX: &str = "index.json.minisig";
/// Bytes of both, at most.
pub const MOST: u64 = (4 << 20) + (16 << 10);
/// Lines of a signature.
const SIGNATURE_LINES: usize = 4;
/// Version of the index that is read.
const FORMAT: u32 = 1;

/// What is wanted of a channel.
pub struct Wanted<'a> {
    /// Which of its channels.
    pub channel: &'a str,
    /// Whose releases.
    pub product: &'a str,
    /// For which board; none: it is not known, and what is taken says whether it fits.
    pub board: Option<&'a str>,
}

#[derive(Deserialize)]
struct Index {
    format: u32,
    channels: BTreeMap<String, Vec<Release>>,
}

#[derive(Deserialize)]
struct Release {
    bundle: String,
    name: String,
    board: String,
}

impl Wanted<'_> {
    /// The update archive of the newest release below the folder, by an index that one of the keys has signed and that is in the file.
    pub fn newest(&self, path: &Path, config: &Path) -> Result<String, UpdateError> {
        let path = path.to_owned();
        let failed = |source| UpdateError::Io { path: path.clone(), source };
        let mut bytes = Vec::new();
        bundle::open(&path).and_then(|file| file.take(MOST).read_to_end(&mut bytes)).map_err(failed)?;
        let wrong = |reason: String| UpdateError::Channel { path: path.clone(), reason };
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').take(SIGNATURE_LINES);
        let length = lines.map(<[u8]>::len).sum();
        let (signature, text) = bytes.split_at_checked(length).unwrap_or_default();
        let keys = keys(config)?;
        if !keys.iter().any(|key| key.verify(text, signature).is_ok()) {
            return Err(wrong(format!("is signed by none of the {} keys of this device", keys.len())));
        }
        let index: Index = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
        if index.format != FORMAT {
            return Err(wrong(format!("has format {}, this carveout-update knows {FORMAT}", index.format)));
        }
        let releases = index.channels.get(self.channel);
        let releases = releases.ok_or_else(|| wrong(format!("has no channel {}", self.channel)))?;
        let fits = |release: &&Release| {
            release.name == self.product && self.board.is_none_or(|board| release.board == board)
        };
        let newest = releases.iter().find(fits);
        let newest = newest.ok_or_else(|| {
            let board = self.board.map(|board| format!(" for the board {board}")).unwrap_or_default();
            wrong(format!("{} has no release of {}{board}", self.channel, self.product))
        })?;
        // It becomes part of a path.
        if newest.bundle.contains(['/', '\\', '\0', '?', '#', '%']) || newest.bundle.starts_with('.') {
            return Err(wrong("names a release as no release is called".into()));
        }
        Ok(format!("{0}/{0}{UPDATE_SUFFIX}", newest.bundle))
    }
}
