//! What verbs tell, for machines.

use serde::{Deserialize, Serialize};
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

/// Of `fuzz`: what was tried, and what came of it.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fuzzed {
    /// Cases that were played.
    pub cases: u64,
    /// How long it took.
    pub seconds: f64,
    /// Ways from one block of the code to another that were taken.
    pub ways: u64,
    /// Cases that are kept because each goes a way of its own.
    pub corpus: u64,
    /// What was found, each once.
    pub found: Vec<FuzzFind>,
    /// Cases that found something once, and do not any more.
    pub mended: Vec<PathBuf>,
}

/// A case after which the trusted app did not serve on.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FuzzFind {
    /// What happened, in lines.
    pub report: String,
    /// The case.
    pub file: PathBuf,
    /// Whether the case was there before.
    pub known: bool,
    /// Seconds after which it was found.
    pub seconds: f64,
}

/// Of `fuzz --replay`: cases that were played again.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replayed {
    /// Each case.
    pub played: Vec<PlayedCase>,
}

/// A case that was played again.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlayedCase {
    /// The case.
    pub file: PathBuf,
    /// What happened, in lines; null if the trusted app served on.
    pub report: Option<String>,
}
