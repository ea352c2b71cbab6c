//! What verbs tell, for machines.

use carveout_host::ui::Row;
use serde::Serialize;
use std::path::PathBuf;

/// Of `image`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Built {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// The same as `.tar.zst`.
    pub archive: String,
    /// The stages that were run.
    pub stages: Vec<Row>,
}

/// Of `trusted-apps`, `secure-os`, `client-apps` and `rootfs`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartBuilt {
    /// The folder with what was built.
    pub directory: PathBuf,
    /// The stages that were run.
    pub stages: Vec<Row>,
}

/// Of `key`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Key {
    /// The key's identifier.
    pub key_id: String,
    /// The public key as minisign writes it.
    pub public: String,
}

/// Of `ekb new`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ekb {
    /// The new file.
    pub ekb: PathBuf,
    /// Its bytes.
    pub size: usize,
    /// How many keys it has.
    pub keys: usize,
}

/// Of `ekb show`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EkbShown {
    /// Its bytes.
    pub size: usize,
    /// Its IV in hexadecimal.
    pub iv: String,
    /// How many keys it has, if NVIDIA's default key opens it: then they are no secret.
    pub sample_keys: Option<usize>,
}

/// Of `ekb check`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EkbChecked {
    /// How many keys it has.
    pub keys: usize,
    /// Whether they were compared with given ones.
    pub compared: bool,
}

/// Of `ekb luks`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LuksPassphrase {
    /// What luks-srv answers, in hexadecimal: a secret.
    pub passphrase: String,
}

/// Of `report`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reported {
    /// The page.
    pub report: PathBuf,
    /// The bundle's name.
    pub bundle: String,
}

/// Of `doctor`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checked {
    /// True.
    pub ok: bool,
    /// All that was looked for.
    pub needs: Vec<Need>,
}

/// What a host needs.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Need {
    /// A package, a program or a setting.
    pub what: String,
    /// `ok`, `later` or `missing`.
    pub state: String,
    /// What it is for.
    pub why: String,
}

/// Of `manual`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Manual {
    /// The Debian package.
    pub package: String,
    /// How many man pages it has.
    pub pages: usize,
}

/// Of `completions`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Completions {
    /// The script.
    pub script: String,
}
