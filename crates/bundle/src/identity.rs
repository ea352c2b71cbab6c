//! What a root filesystem says of the bundle that it came with, on the device: `/usr/lib/carveout/bundle.json`.
//!
//! The file has always the same bytes in number. A root filesystem is built with a [`blank`] in its place, so that it is the same for all
//! versions of a product; [`Identity::to_bytes`] is written over it when a bundle is made. So two root filesystems can be told to differ
//! in that file alone.

use crate::manifest::{Manifest, NAME, VERSION, bundle_name, is_plain};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trusty_image::Tzdram;

/// Where it lies in the root filesystem.
pub const IDENTITY_FILE: &str = "/usr/lib/carveout/bundle.json";
/// Bytes of the file.
pub const IDENTITY_SIZE: usize = 1024;
/// Version of the format.
const FORMAT: u32 = 1;

/// Which bundle a root filesystem came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Identity {
    /// 1.
    pub format: u32,
    /// The bundle's name, as its folder has it.
    pub bundle: String,
    /// The product's name.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// The board that it is for.
    pub board: String,
    /// The product's security version.
    pub security_version: u32,
}

/// Where the identity lies in the image of a root filesystem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IdentityPlace {
    /// Bytes before it in the image.
    pub offset: u64,
    /// SHA-256 of the image with the blank in its place: the same for two images that differ in their identity alone. As it was when the
    /// bundle was made; `verify` compares the identity itself, and does not digest the image a second time.
    pub content: String,
}

/// Why a file is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// It is the blank: the root filesystem was not taken from a bundle.
    #[error("is blank: this root filesystem did not come with a bundle")]
    Blank,
    /// It is something else.
    #[error("is none: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of a later carveout.
    #[error("has format {0}, this carveout knows {FORMAT}")]
    Format(u32),
    /// It says what no bundle is called.
    #[error("has a name that no bundle has: `{0}`")]
    Name(String),
}

impl Identity {
    /// The identity of a bundle that is going to be made.
    pub fn new(name: &str, version: &str, board: &str, tzdram: Tzdram, security_version: u32) -> Self {
        let bundle = bundle_name(name, version, board, tzdram);
        let [name, version, board] = [name, version, board].map(String::from);
        Self { format: FORMAT, bundle, name, version, board, security_version }
    }

    /// The identity of a bundle.
    pub fn of(manifest: &Manifest) -> Self {
        let Manifest { name, version, board, tzdram, security_version, .. } = manifest;
        Self::new(name, version, board, *tzdram, *security_version)
    }

    /// The file's bytes: JSON in a line, filled up with spaces.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.resize(IDENTITY_SIZE - 1, b' ');
        bytes.push(b'\n');
        bytes
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdentityError> {
        if bytes == blank() {
            return Err(IdentityError::Blank);
        }
        let found: Self = serde_json::from_slice(bytes)?;
        if found.format != FORMAT {
            return Err(IdentityError::Format(found.format));
        }
        // A bundle's name is made of the others, and of a number.
        let names = [(&found.name, NAME), (&found.version, VERSION), (&found.board, NAME)];
        if let Some((name, _)) = names.into_iter().find(|(name, more)| !is_plain(name, more)) {
            return Err(IdentityError::Name(name.escape_debug().to_string()));
        }
        let start = format!("{}-{}-{}-", found.name, found.version, found.board);
        match found.bundle.strip_prefix(&start).is_some_and(|end| is_plain(end, NAME)) {
            true => Ok(found),
            false => Err(IdentityError::Name(found.bundle.escape_debug().to_string())),
        }
    }
}

/// What has the place of the identity before there is a bundle. No program has these bytes, so they are found in an image.
pub fn blank() -> Vec<u8> {
    let mut text = "carveout: no bundle yet\n".to_owned();
    let mut digest = Sha256::digest(&text);
    while text.len() < IDENTITY_SIZE {
        text.push_str(&hex::encode(digest));
        digest = Sha256::digest(digest);
    }
    text.truncate(IDENTITY_SIZE - 1);
    text.push('\n');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::manifest_text;

    fn identity() -> Identity {
        Identity::of(&Manifest::from_text(&manifest_text()).unwrap())
    }

    #[test]
    fn an_identity_is_read_as_it_was_written() {
        let bytes = identity().to_bytes();
        assert_eq!((bytes.len(), bytes.last()), (IDENTITY_SIZE, Some(&b'\n')));
        assert_eq!(Identity::parse(&bytes).unwrap(), identity());
        // The longest names that a manifest can have.
        let long = "x".repeat(64);
        let longest = Identity {
            format: FORMAT,
            bundle: format!("{long}-{long}-{long}-tzdram4095M"),
            name: long.clone(),
            version: long.clone(),
            board: long,
            security_version: u32::MAX,
        };
        assert_eq!(longest.to_bytes().len(), IDENTITY_SIZE);
        assert_eq!(Identity::parse(&longest.to_bytes()).unwrap(), longest);
    }

    #[test]
    fn what_is_no_identity_is_told() {
        let told = |bytes: &[u8]| Identity::parse(bytes).unwrap_err().to_string();
        assert_eq!(blank().len(), IDENTITY_SIZE);
        assert!(told(&blank()).starts_with("is blank"));
        assert!(told(b"").starts_with("is none: "));
        let with = |change: fn(&mut Identity)| {
            let mut changed = identity();
            change(&mut changed);
            told(&changed.to_bytes())
        };
        assert_eq!(with(|identity| identity.format = 2), "has format 2, this carveout knows 1");
        assert_eq!(with(|identity| identity.name = "a b".into()), "has a name that no bundle has: `a b`");
        assert!(with(|identity| identity.bundle = "../other".into()).contains("`../other`"));
        assert!(with(|identity| identity.bundle += "/x").contains("/x`"));
    }
}
