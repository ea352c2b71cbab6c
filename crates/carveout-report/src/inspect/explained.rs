//! What is told of a file.

use carveout_host::outcome::Outcome;
use carveout_host::text::Text;
use serde::Serialize;
use serde_json::{Value, json};
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
    pub fn new(text: Text, found: impl Serialize) -> Self {
        Self { text, json: json!(found), failed: false }
    }

    /// What is not.
    pub fn failed(text: Text, found: impl Serialize) -> Self {
        Self { text, json: json!(found), failed: true }
    }

    /// What is printed of it.
    pub fn outcome(self, path: &Path) -> Outcome {
        let mut line = Text::from(format!("{}: ", path.display()));
        line.push(&self.text);
        Outcome { line: Some(line), json: self.json, failed: self.failed, ..Outcome::default() }
    }
}
