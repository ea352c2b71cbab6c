//! What is wrong with a bundle.

use std::fmt;

/// Something wrong with a file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path within the bundle.
    pub file: String,
    /// What was found and what was expected.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // A file's name may hold what a terminal would obey.
        write!(f, "{}: {}", self.file.escape_debug(), self.what)
    }
}
