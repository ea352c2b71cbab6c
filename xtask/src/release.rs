//! Releases: a directory each, and an index of them by channel.

pub mod fetch;
pub mod index;
pub mod notes;
pub mod provenance;
mod seen;
pub mod sources;
pub mod store;

/// The public key's and the checksums' names in a release are those of a bundle.
pub const SUMS: &str = bundle::SUMS;
/// Their signature.
pub const SIGNATURE: &str = bundle::SIGNATURE;
