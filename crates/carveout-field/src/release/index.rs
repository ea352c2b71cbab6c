//! `index.json`: which releases there are, by channel, newest first.

use crate::errors::{ChannelError, ReleaseError};
use bundle::{MAX_SIGNATURE, Manifest, PublicKey};
use carveout_host::error::Result;
use carveout_host::tools::read_limited;
use carveout_keys::Signer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Its name.
pub const INDEX: &str = "index.json";
/// The name of its signature. Behind that the file has the index once more: so the two always fit, whoever copies them when.
pub const INDEX_SIGNATURE: &str = "index.json.minisig";
/// Version of the format that is written and read.
const FORMAT: u32 = 1;
/// Bytes of an index, at most.
pub const MAX_INDEX: u64 = 4 << 20;
/// Bytes of its signature with the index behind, at most.
pub const MAX_SIGNED: u64 = MAX_SIGNATURE + MAX_INDEX;
/// Lines of a signature of minisign's; minisign does not read what is behind.
const SIGNATURE_LINES: usize = 4;

/// All releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    format: u32,
    /// By channel, newest first.
    pub channels: BTreeMap<String, Vec<Entry>>,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The bundle's name, which its directory has, too.
    pub bundle: String,
    /// The product.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The board.
    pub board: String,
    /// Its security version.
    pub security_version: u32,
    /// The archive, relative to the index.
    pub archive: String,
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

impl Default for Index {
    fn default() -> Self {
        Self { format: FORMAT, channels: BTreeMap::new() }
    }
}

impl Entry {
    /// The entry of a release.
    pub fn new(manifest: &Manifest, size: u64, sha256: String) -> Self {
        let bundle = manifest.bundle_name();
        Self {
            archive: format!("{bundle}/{bundle}.tar.zst"),
            bundle,
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            board: manifest.board.clone(),
            security_version: manifest.security_version,
            size,
            sha256,
        }
    }

    /// Whether it is of the same product, board and carve-out: what devices may be updated with.
    fn follows(&self, other: &Self) -> bool {
        (&self.name, &self.board) == (&other.name, &other.board)
    }
}

impl Index {
    /// Reads an index and, with a key, checks who has signed it.
    pub fn parse(
        place: &str,
        text: &[u8],
        signature: Option<&[u8]>,
        key: Option<&PublicKey>,
    ) -> Result<Self> {
        let place = || place.to_owned();
        if let Some(key) = key {
            let signature = signature.ok_or_else(|| ChannelError::NoSignature { place: place() })?;
            key.verify(text, signature)
                .map_err(|e| ChannelError::BadSignature { place: place(), source: e.into() })?;
        }
        let index: Self = serde_json::from_slice(text)
            .map_err(|e| ChannelError::BadIndex { place: place(), source: e.into() })?;
        if index.format != FORMAT {
            let format = index.format;
            return Err(ChannelError::UnknownFormat { place: place(), format, known: FORMAT }.into());
        }
        let plain = |text: &str| bundle::is_plain(text, bundle::VERSION);
        for entry in index.channels.values().flatten() {
            let expected = format!("{0}/{0}.tar.zst", entry.bundle);
            // What becomes part of addresses and files' names.
            let start = format!("{}-{}-{}-tzdram", entry.name, entry.version, entry.board);
            let own = plain_name(&entry.bundle) && entry.bundle.strip_prefix(&start).is_some_and(plain);
            let sha = entry.sha256.len() == 64 && entry.sha256.bytes().all(|b| b.is_ascii_hexdigit());
            if !(own
                && sha
                && plain(&entry.name)
                && plain(&entry.version)
                && plain(&entry.board)
                && entry.archive == expected)
            {
                return Err(ChannelError::BadEntry { place: place(), entry: entry.bundle.clone() }.into());
            }
        }
        Ok(index)
    }

    /// The releases of a channel.
    pub fn channel(&self, place: &str, channel: &str) -> Result<&[Entry]> {
        self.channels.get(channel).map(Vec::as_slice).ok_or_else(|| {
            let channels = self.channels.keys().cloned().collect();
            ChannelError::NoSuchChannel { place: place.into(), channel: channel.into(), channels }.into()
        })
    }

    /// Puts a release first in a channel. Returns those that are kept no longer, so that `keep` of each product and board stay.
    pub fn add(&mut self, channel: &str, entry: Entry, keep: Option<usize>) -> Vec<Entry> {
        let entries = self.channels.entry(channel.into()).or_default();
        entries.retain(|old| old.bundle != entry.bundle);
        entries.insert(0, entry.clone());
        let mut kept = 0;
        let (stay, go): (Vec<Entry>, Vec<Entry>) = std::mem::take(entries).into_iter().partition(|old| {
            kept += usize::from(old.follows(&entry));
            !old.follows(&entry) || keep.is_none_or(|keep| kept <= keep)
        });
        *entries = stay;
        // Another channel may still have it.
        let in_use = |old: &Entry| self.channels.values().flatten().any(|entry| entry.bundle == old.bundle);
        go.into_iter().filter(|old| !in_use(old)).collect()
    }
}

/// Whether it is the name of a bundle, which leads nowhere else.
pub fn plain_name(name: &str) -> bool {
    name.len() <= 256 && !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.')
}

/// The index that a signature's file has behind the signature; none in the form of before, where the index is a file of its own
/// alone.
pub fn attached(signature: &[u8]) -> Option<&[u8]> {
    let ends = signature.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let (end, _) = ends.take(SIGNATURE_LINES).nth(SIGNATURE_LINES - 1)?;
    signature.get(end + 1..).filter(|text| text.starts_with(b"{"))
}

/// The text of an index and the file that signs it.
pub struct Signed {
    /// The index.
    pub text: Vec<u8>,
    /// The signature, and behind it the index once more. Empty if there is none.
    pub file: Vec<u8>,
    /// Whether the text comes from the signature's file.
    pub attached: bool,
}

impl Signed {
    /// Signs an index.
    pub fn new(index: &Index, signer: &Signer) -> Result<Self> {
        let text = serde_json::to_string_pretty(index)
            .map_err(|e| ReleaseError::IndexNotEncoded { source: e.into() })?
            + "\n";
        let file = signer.sign(text.as_bytes(), "carveout releases")? + &text;
        Ok(Self { text: text.into(), file: file.into(), attached: true })
    }

    /// Reads what a folder of releases has; none if it has no index.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let (path, signature) = (folder.join(INDEX), folder.join(INDEX_SIGNATURE));
        let file = if signature.exists() { read_limited(&signature, MAX_SIGNED)? } else { Vec::new() };
        let text = match attached(&file) {
            Some(text) => text.to_vec(),
            None if path.exists() => read_limited(&path, MAX_INDEX)?,
            None => return Ok(None),
        };
        let attached = attached(&file).is_some();
        Ok(Some(Self { text, file, attached }))
    }

    /// The index itself; with a key, it is checked who has signed it.
    pub fn index(&self, place: &Path, key: Option<&PublicKey>) -> Result<Index> {
        let signature = Some(&self.file[..]).filter(|file| !file.is_empty());
        Index::parse(&place.join(INDEX).display().to_string(), &self.text, signature, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, version: &str) -> Entry {
        let bundle = format!("{name}-{version}-virt-tzdram32M");
        Entry {
            archive: format!("{bundle}/{bundle}.tar.zst"),
            bundle,
            name: name.into(),
            version: version.into(),
            board: "virt".into(),
            security_version: 0,
            size: 1,
            sha256: "0".repeat(64),
        }
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.version.as_str()).collect()
    }

    #[test]
    fn a_channel_keeps_the_newest_of_each_product() {
        let mut index = Index::default();
        for version in ["1", "2", "3"] {
            assert_eq!(index.add("stable", entry("a", version), None), []);
        }
        assert_eq!(index.add("stable", entry("b", "7"), Some(2)), []);
        index.add("beta", entry("a", "1"), None);
        let gone = index.add("stable", entry("a", "4"), Some(2));
        // Version 1 is in the other channel still.
        assert_eq!(names(&gone), ["2"]);
        assert_eq!(names(index.channel("x", "stable").unwrap()), ["4", "7", "3"]);
        let error = index.channel("x", "nightly").unwrap_err();
        assert_eq!(error.message, "x: has no channel nightly; there are beta, stable");
        assert_eq!(names(&index.add("stable", entry("a", "4"), Some(2))), Vec::<&str>::new());
        assert_eq!(names(index.channel("x", "stable").unwrap()), ["4", "7", "3"]);
    }

    #[test]
    fn entries_that_lead_elsewhere_are_refused() {
        let mut index = Index::default();
        index.add("stable", entry("a", "1"), None);
        let text = serde_json::to_string(&index).unwrap();
        assert_eq!(Index::parse("x", text.as_bytes(), None, None).unwrap(), index);
        for (old, new) in [
            ("a-1-virt-tzdram32M/a-1-virt-tzdram32M.tar.zst", "../../etc/passwd"),
            ("a-1-virt-tzdram32M/a", "https://elsewhere/a"),
            ("a-1-virt-tzdram32M", ".."),
            ("\"format\":1", "\"format\":2"),
            ("\"name\"", "\"nome\""),
            ("0000", "000"),
        ] {
            let bad = text.replace(old, new);
            assert_ne!(bad, text, "{old}");
            assert!(Index::parse("x", bad.as_bytes(), None, None).is_err(), "{bad}");
        }
        let key = PublicKey::from_raw([7; 32]);
        let error = Index::parse("x", text.as_bytes(), None, Some(&key)).unwrap_err();
        assert_eq!(error.code, "field::channel::no-signature", "{error}");
    }

    #[test]
    fn a_signature_carries_its_index_and_may_have_none() {
        let four = "untrusted comment: x\nA\ntrusted comment: {\nB\n";
        assert_eq!(attached(format!("{four}{{\"format\":1}}\n").as_bytes()).unwrap(), b"{\"format\":1}\n");
        for bare in ["", "{}", "\n\n\n", four, &format!("{four}\n\ngarbage"), four.trim_end()] {
            assert_eq!(attached(bare.as_bytes()), None, "{bare}");
        }
    }
}
