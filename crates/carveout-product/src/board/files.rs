//! The files of a board, and which of them says what.

use crate::locate::{Step, line};
use crate::report::Reporter;
use carveout_host::error::Error;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a board: its own, then those of the boards that it extends.
#[derive(Clone, Debug, Default)]
pub struct Files {
    all: Vec<(PathBuf, String)>,
    /// By a key, such as `l4t.flash_name`: which file's value counts.
    said: BTreeMap<&'static str, usize>,
}

impl Files {
    /// Adds the next one.
    pub fn add(&mut self, path: PathBuf, text: String) {
        self.all.push((path, text));
    }

    /// The file that was added last says a key.
    pub fn says(&mut self, key: &'static str) {
        self.said.insert(key, self.all.len().saturating_sub(1));
    }

    /// Where they lie.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.all.iter().map(|(path, _)| path)
    }

    /// An error about a key: of the file that says it, or of the board's own.
    pub fn at(&self, key: &str, fault: impl Into<Error>) -> Error {
        let Some((path, text)) = self.of(key) else { return fault.into() };
        Reporter { path, text }.at(&steps(key), fault)
    }

    /// The file and line that say a key.
    pub fn place(&self, key: &str) -> String {
        let place = |(path, text): (&Path, &str)| format!("{}:{}", path.display(), line(text, &steps(key)));
        self.of(key).map(place).unwrap_or_default()
    }

    fn of(&self, key: &str) -> Option<(&Path, &str)> {
        let index = self.said.get(key).copied().unwrap_or_default();
        self.all.get(index).map(|(path, text)| (path.as_path(), text.as_str()))
    }
}

fn steps(key: &str) -> Vec<Step<'_>> {
    key.split('.').map(Step::Key).collect()
}
