//! What names a result.

use bundle::sha256;
use carveout_host::error::{At, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The inputs of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(pub(crate) BTreeMap<String, String>);

impl Key {
    /// The inputs of a stage: first of all a digest of its own code, which a build script of `stage_code` writes.
    pub fn of(code: &str) -> Self {
        Self::default().with("code", code)
    }

    /// Adds an input.
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.insert(name.into(), value.to_string());
        self
    }

    /// Adds several inputs, such as versions of tools.
    pub fn with_all(self, inputs: impl IntoIterator<Item = (String, String)>) -> Self {
        inputs.into_iter().fold(self, |key, (name, value)| key.with(name, value))
    }

    /// Adds the contents of a file that the caller names: a link counts as what it leads to.
    pub fn with_file(self, name: &str, path: &Path) -> Result<Self> {
        let hashed = bundle::hash_file(path).at(path)?;
        Ok(self.with(name, hashed.sha256))
    }

    /// The digest of all inputs.
    pub fn digest(&self) -> String {
        let lines: String = self.0.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        sha256(lines.as_bytes())
    }
}
