//! The format of bundles: its version, and the files that each has.

/// Version of the format that this crate writes. It reads this one and those before: format 1 has no modes and no `made_of`.
pub const FORMAT: u32 = 2;
/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of the checksum file.
pub const SUMS: &str = "SHA256SUMS";
