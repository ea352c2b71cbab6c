//! Errors that people read: what failed, on which file or value, what would be right, and what mends it.

use crate::text::block;
use serde_json::{Map, Value, json};
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
    /// A signal has ended it, as shells count: 128 and SIGINT's 2.
    Interrupted = 130,
}

impl Exit {
    /// What scripts read; it never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Check => "check-failed",
            Self::Usage => "wrong-usage",
            Self::Environment => "environment-lacks",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An expected failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// How the process ends.
    pub exit: Exit,
    /// What failed, on which file or value, and what would be right. Lines behind the first are indented: see [`block`].
    pub message: String,
    /// The command or edit that mends it.
    pub remedy: Option<String>,
    /// What else is known, by name: for machines.
    pub facts: Option<Box<Map<String, Value>>>,
    /// What has failed besides, independently of this.
    pub others: Vec<Error>,
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), remedy: None, facts: None, others: Vec::new() }
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

    /// A signal came. What is built already stays.
    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted; the same command continues")
    }

    /// Adds what is known for machines, which read it beside the message.
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// What has failed, all of it: the first decides the exit code. None if nothing has. The same failure is told once.
    pub fn all(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut all: Vec<Self> = Vec::new();
        for mut error in errors {
            let others = std::mem::take(&mut error.others);
            for error in std::iter::once(error).chain(others) {
                if !all.iter().any(|known| known.message == error.message) {
                    all.push(error);
                }
            }
        }
        let others = all.split_off(all.len().min(1));
        all.pop().map(|first| Self { others, ..first })
    }

    /// This failure and the others, each by itself.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// For machines: of each failure code, message, remedy, exit code and what else is known; the first is the `error`.
    pub fn json(&self) -> Value {
        let one = |error: &Self| {
            let mut value = error.facts.as_deref().cloned().unwrap_or_default();
            value.insert("code".into(), error.exit.code().into());
            value.insert("message".into(), error.message.as_str().into());
            value.insert("remedy".into(), json!(error.remedy));
            value.insert("exit".into(), (error.exit as u8).into());
            Value::Object(value)
        };
        json!({ "error": one(self), "errors": self.each().map(one).collect::<Vec<_>>() })
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
            io::ErrorKind::ReadOnlyFilesystem => Self::environment(message)
                .remedy("mount that filesystem writable, or name a folder on another one"),
            _ if error.get_ref().is_some_and(|inner| inner.is::<bundle::NotAFile>()) => {
                Self::usage(message).remedy("name a regular file; `ls -l` tells what is there")
            }
            _ => Self::check(message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&block(&self.message))?;
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  help: {}", block(remedy))?;
        }
        self.others.iter().try_for_each(|other| write!(f, "\nerror: {other}"))
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
    fn several_failures_are_all_told_once_each() {
        let both = [
            Error::check("no app").remedy("write it").fact("app", "x"),
            Error::environment("no network"),
            Error::check("no app"),
        ];
        let error = Error::all(both).unwrap();
        assert_eq!(error.to_string(), "no app\n  help: write it\nerror: no network");
        let nested = Error::all([Error::usage("first"), error]).unwrap();
        assert_eq!(nested.exit, Exit::Usage);
        let value = nested.json();
        assert_eq!(
            value["error"],
            json!({ "code": "wrong-usage", "message": "first", "remedy": null, "exit": 2 })
        );
        let messages: Vec<_> = value["errors"].as_array().unwrap().iter().map(|e| &e["message"]).collect();
        assert_eq!(messages, ["first", "no app", "no network"]);
        assert_eq!((&value["errors"][1]["app"], &value["errors"][2]["exit"]), (&json!("x"), &json!(3)));
        assert_eq!(Error::all([]), None);
    }

    #[test]
    fn a_full_disk_is_the_environments() {
        let error = Error::io(Path::new("/x"), &io::ErrorKind::StorageFull.into());
        assert_eq!(error.exit, Exit::Environment);
        assert!(error.to_string().contains("help: free some space"));
    }
}
