//! Releases: a directory each, and an index of them by channel.

pub mod fetch;
pub mod index;
pub mod notes;
mod seen;
pub mod store;

/// The public key's and the checksums' names in a release are those of a bundle.
pub const SUMS: &str = bundle::SUMS;
/// Their signature.
pub const SIGNATURE: &str = bundle::SIGNATURE;
