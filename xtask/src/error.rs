//! Errors that people read: what failed, on which file or value, what would be right, and what mends it.

use std::fmt;
use std::io;
use std::path::Path;

/// Exit codes of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A check failed.
    Check = 1,
    /// Wrong usage or config.
    Usage = 2,
    /// The environment lacks something.
    Environment = 3,
}

/// An expected failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// How the process ends.
    pub exit: Exit,
    /// What failed, on which file or value, and what would be right.
    pub message: String,
    /// The command or edit that mends it.
    pub remedy: Option<String>,
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), remedy: None }
    }

    /// A check failed.
    pub fn check(message: impl Into<String>) -> Self {
        Self::new(Exit::Check, message)
    }

    /// Wrong usage or config.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The environment lacks something.
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(Exit::Environment, message)
    }

    /// Adds what mends it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// A failed access to a file.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        let message = format!("{}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::environment(message)
                .remedy("free some space there and run the command again: what is built already stays"),
            io::ErrorKind::PermissionDenied => Self::environment(message)
                .remedy("run the command as the user who owns the file, or change its owner"),
            _ => Self::check(message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  help: {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Names the file in an I/O error.
pub trait At<T> {
    /// Turns an I/O error on `path` into an [`Error`].
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| Error::io(path, &error))
    }
}

/// The candidate nearest to `name`, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.into_iter().map(|c| (strsim::damerau_levenshtein(name, c), c));
    let (distance, best) = scored.min()?;
    (distance <= (best.len().max(name.len()) / 2).max(1)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let all = ["echo-srv", "small-echo-srv", "virt"];
        assert_eq!(nearest("ehco-srv", all), Some("echo-srv"));
        assert_eq!(nearest("virtual", all), Some("virt"));
        assert_eq!(nearest("xyz", all), None);
    }

    #[test]
    fn a_full_disk_is_the_environments() {
        let error = Error::io(Path::new("/x"), &io::ErrorKind::StorageFull.into());
        assert_eq!(error.exit, Exit::Environment);
        assert!(error.to_string().contains("help: free some space"));
    }
}
