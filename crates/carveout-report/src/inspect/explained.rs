//! What is told of a file.

use carveout_host::outcome::Outcome;
use carveout_host::text::Text;
use serde_json::Value;
use std::path::Path;

/// What is told of a file.
pub struct Explained {
    /// For people.
    pub text: Text,
    /// The same for machines.
    pub json: Value,
    /// Whether it says that something is not as it must be.
    pub failed: bool,
}

impl Explained {
    /// What is as it must be.
    pub fn new(text: Text, json: Value) -> Self {
        Self { text, json, failed: false }
    }

    /// What is not.
    pub fn failed(text: Text, json: Value) -> Self {
        Self { text, json, failed: true }
    }

    /// What is printed of it.
    pub fn outcome(self, path: &Path) -> Outcome {
        let mut line = Text::from(format!("{}: ", path.display()));
        line.push(&self.text);
        Outcome { line: Some(line), json: self.json, failed: self.failed }
    }
}
