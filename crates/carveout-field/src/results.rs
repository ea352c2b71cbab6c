//! What verbs tell, for machines.

use crate::device::record::Record;
use bundle::Difference;
use serde::Serialize;

/// Of `verify`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verified {
    /// True.
    pub ok: bool,
    /// The bundle's name.
    pub bundle: String,
    /// Identifier of the key that signed it, if `--key` was given.
    pub signed_by: Option<String>,
}

/// Of `diff`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Compared {
    /// The least scope that writes all that differs: `none`, `app`, `secure-os` or `full`.
    pub scope: &'static str,
    /// Whether the scopes secure-os and app, one after the other, write it as well: `scope` is then full.
    pub in_two_steps: bool,
    /// What of it an update of a running device leaves as it is; none if the new bundle has no update.
    pub left_by_update: Option<Vec<String>>,
    /// One by one: what the manifest says, boot configs, packages, files.
    pub differences: Vec<Difference>,
}

/// Of `flash --dry-run`, of virt devices.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DevicePlans {
    /// The devices.
    pub devices: Vec<String>,
    /// What would be written to each: `none`, `app`, `secure-os` or `full`.
    pub scopes: Vec<&'static str>,
}

/// Of `flash --dry-run`, of boards; of `flash`, if there is nothing to write.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoardsPlan {
    /// USB bus and port of each board.
    pub boards: Vec<String>,
    /// What would be written to each module that the bundle is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules: Option<Vec<String>>,
    /// The plan in words.
    pub plan: String,
}

/// Of `flash`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flashed {
    /// The record of each device.
    pub boards: Vec<Record>,
}

/// Of `backup`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackedUp {
    /// The file that was made.
    pub file: String,
    /// The record.
    pub record: Record,
}

/// Of `restore` and `rollback`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recorded {
    /// The record.
    pub record: Record,
}
