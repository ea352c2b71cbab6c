//! What verbs tell, for machines.

use serde::Serialize;
use std::path::PathBuf;

/// Of `new`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Made {
    /// The folder of the workspace or of the app.
    pub folder: String,
}

/// Of `release`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Released {
    /// The folder of the release.
    pub release: String,
    /// The channel.
    pub channel: String,
    /// Identifier of the key that signs.
    pub key_id: String,
    /// Whether it was released before, the same, and nothing was changed.
    pub already: bool,
}

/// Of `assemble app`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppAssembled {
    /// True.
    pub ok: bool,
}

/// Of `assemble bundle`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BundleAssembled {
    /// The folder of the bundle.
    pub bundle: PathBuf,
}

/// Of `assemble boot-config`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootConfigAssembled {
    /// The boot configs that have the carve-out now.
    pub files: Vec<PathBuf>,
}
