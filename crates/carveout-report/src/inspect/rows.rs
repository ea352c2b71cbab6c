//! What is told of a file, row by row.

use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A file of which no more is told.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfSize {
    /// The file.
    pub size: usize,
}

/// What a file of minisign says.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Minisign {
    /// The key's identifier; none of a secret key with a password.
    pub key: Option<String>,
    /// The comment that is signed, of a signature.
    pub trusted_comment: Option<String>,
}

/// A misc boot config of a BSP.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BspConfig {
    /// Its path in the BSP.
    pub file: PathBuf,
    /// Whether flash.sh reads it.
    pub in_force: bool,
    /// Size and alignment of its carve-out; none if it cannot be read.
    pub tzdram: Option<(u64, u64)>,
}

/// A partition of a layout.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LayoutPartition {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its size: a number, a placeholder, or `the rest`.
    pub size: String,
    /// The file that is written to it.
    pub file: Option<String>,
}

/// A partition of a disk.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiskPartition {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: u64,
}

/// A carve-out (TZDRAM) as it was read, which need not be one that the kernel boots in.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CarveOutRead {
    /// Its size in bytes.
    pub size: u64,
    /// Its alignment in bytes.
    pub alignment: u64,
}

/// A bootloader update payload.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bup {
    /// How many entries it has.
    pub entries: u32,
    /// The payload.
    pub size: u32,
    /// The partitions that it writes.
    pub partitions: BTreeSet<String>,
    /// The modules that it is for.
    pub modules: BTreeSet<String>,
    /// Its parts, in its order; none of a format later than L4T R32's, and of a damaged one.
    pub parts: Vec<PayloadPart>,
    /// What is wrong with it.
    pub damage: Option<String>,
}

/// A part of an update payload.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PayloadPart {
    /// The partition that it is for, without a slot.
    pub partition: String,
    /// The TNSPEC of the module that it is for; empty: all.
    pub module: String,
    /// Version of the part.
    pub version: u32,
    /// When it is written: 0 always.
    pub operation: u32,
    /// Bytes.
    pub size: usize,
    /// SHA-256 of it.
    pub sha256: String,
    /// Of a part with the boot config: the carve-out in it.
    pub tzdram: Option<CarveOutRead>,
}
