//! What can be wrong with a manifest.

use crate::format::FORMAT;
use crate::limits::MAX_BYTES;

/// Why a manifest cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON of this form.
    #[error("{0}")]
    Json(String),
    /// A later format.
    #[error("format {0}; this carveout reads formats 1 to {FORMAT}: use a newer one")]
    Format(u32),
    /// Bytes have been changed.
    #[error("its own digest does not match: it has been changed")]
    Digest,
    /// A name that may not become part of a file's name.
    #[error("`{0}` is no name: letters, digits and -_. are allowed, 64 characters at most")]
    Name(String),
    /// Files that are listed twice or in another order.
    #[error("its files are not sorted, or one is listed twice")]
    Order,
    /// Names that are one on some filesystems.
    #[error("`{0}` and another file differ in case alone")]
    Case(String),
    /// More than any device holds.
    #[error("its files have more than {} GiB", MAX_BYTES >> 30)]
    TooLarge,
    /// More of something than any bundle has.
    #[error("it lists {found} {what}, allowed are {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// A path that does not stay within the bundle.
    #[error("`{0}` is no path within a bundle")]
    Path(String),
}
