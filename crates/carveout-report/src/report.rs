//! All that the page shows.

use crate::records::Flashed;
use bundle::{Diff, Manifest};
use carveout_keys::Authenticity;
use tegra_flash::Layout;
use trusty_image::Plan;

/// Who is known to have made a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Nobody: it is not signed.
    Unsigned,
    /// It is signed, and nobody has looked by whom.
    NotChecked {
        /// What the signature says of itself.
        trusted_comment: String,
    },
    /// The holder of a key.
    Verified {
        /// minisign's name of the key.
        key_id: String,
        /// What the signature says of itself.
        trusted_comment: String,
    },
}

impl From<Authenticity> for Signature {
    fn from(authenticity: Authenticity) -> Self {
        match authenticity {
            Authenticity::Unsigned => Self::Unsigned,
            Authenticity::NotChecked(claim) => Self::NotChecked { trusted_comment: claim.comment },
            Authenticity::Verified { key, comment } => {
                Self::Verified { key_id: key.to_string(), trusted_comment: comment }
            }
        }
    }
}

/// A package of the root filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

/// What differs from the release before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Name of that bundle.
    pub from: String,
    /// What differs, and what must be flashed for it.
    pub diff: Diff,
}

/// All that the page shows.
#[derive(Clone, Debug)]
pub struct Report {
    /// The bundle's manifest.
    pub manifest: Manifest,
    /// Whether it is signed.
    pub signature: Signature,
    /// The plan, made again of the bundle's own files.
    pub plan: Plan,
    /// The partition layout.
    pub layout: Layout,
    /// The root filesystem's packages.
    pub packages: Vec<Package>,
    /// What differs from the release before, if one was given.
    pub changes: Option<Changes>,
    /// Flashes of this very bundle, the latest first.
    pub records: Vec<Flashed>,
}
