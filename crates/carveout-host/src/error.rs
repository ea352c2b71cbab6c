//! Errors that people read: what failed, on which file or value, what would be right, and what mends it.

pub(crate) mod catalog;
mod exit;
mod macros;

pub use catalog::{Cause, Entry, Field, facts};
pub use exit::Exit;

use crate::errors::FileError;
use crate::text::block;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::io;
use std::path::Path;

/// An expected failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which failure it is, as scripts read it; it never changes.
    pub code: &'static str,
    /// How the process ends.
    pub exit: Exit,
    /// What failed, on which file or value, and what would be right. Lines behind the first are indented: see [`block`].
    pub message: String,
    /// The command or edit that mends it.
    pub remedy: Option<String>,
    /// What else is known, by name: for machines.
    pub facts: Option<Box<Map<String, Value>>>,
    /// Why, from the nearest cause to the first; what the message says already is not repeated.
    pub causes: Box<[String]>,
    /// What has failed besides, independently of this.
    pub others: Box<[Error]>,
}

/// A failure, for machines.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// Which failure it is: a code of errors.md. It never changes.
    pub code: &'static str,
    /// The kind of failure in a word: `check-failed`, `wrong-usage`, `environment-lacks` or `interrupted`.
    pub kind: &'static str,
    /// The exit code of that kind.
    pub exit: u8,
    /// What failed, for people.
    pub message: String,
    /// The command or edit that mends it; null without one.
    pub remedy: Option<String>,
    /// Why, from the nearest cause to the first.
    pub causes: Vec<String>,
    /// The values that the failure is about, by the names of errors.md.
    pub facts: Map<String, Value>,
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        let (message, code) = (message.into(), exit.kind());
        Self {
            code,
            exit,
            message,
            remedy: None,
            facts: None,
            causes: Box::default(),
            others: Box::default(),
        }
    }

    /// A failure of a crate's own kind: see [`crate::errors!`].
    pub fn of(
        code: &'static str,
        exit: Exit,
        error: &dyn std::error::Error,
        help: Option<String>,
        facts: Map<String, Value>,
    ) -> Self {
        let message = error.to_string();
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        causes.retain(|cause| !message.contains(cause.as_str()));
        let facts = (!facts.is_empty()).then(|| Box::new(facts));
        Self { code, exit, message, remedy: help, facts, causes: causes.into(), others: Box::default() }
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
        all.pop().map(|first| Self { others: others.into(), ..first })
    }

    /// This failure and the others, each by itself.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// For machines: this failure and the others, each with its code, kind, exit code, message, remedy, causes and facts.
    pub fn json(&self) -> Vec<Failure> {
        let one = |error: &Self| Failure {
            code: error.code,
            kind: error.exit.kind(),
            exit: error.exit as u8,
            message: error.message.clone(),
            remedy: error.remedy.clone(),
            causes: error.causes.to_vec(),
            facts: error.facts.as_deref().cloned().unwrap_or_default(),
        };
        self.each().map(one).collect()
    }

    /// The same, told of something: it stands before the message.
    pub fn within(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same with lines behind the message.
    pub fn with_lines(mut self, lines: impl fmt::Display) -> Self {
        self.message = format!("{}\n{lines}", self.message);
        self
    }

    /// Adds what mends it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// A failed access to a file.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        FileError::of(path, error).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&block(&self.message))?;
        self.causes.iter().try_for_each(|cause| write!(f, "\n  cause: {}", block(cause)))?;
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  help: {}", block(remedy))?;
        }
        self.others.iter().try_for_each(|other| write!(f, "\nerror: {other}"))
    }
}

impl std::error::Error for Error {}

impl Field for Error {
    fn fact(&self) -> Option<Value> {
        None
    }

    fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

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

/// The candidate nearest to `name`, if one is near enough to be meant. One that goes on where `name` ends is nearer than any other.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let begins = |c: &str| name.len() > 2 && c.starts_with(name);
    let scored = candidates.into_iter().map(|c| (!begins(c), strsim::damerau_levenshtein(name, c), c));
    let (_, distance, best) = scored.min()?;
    (distance <= (best.len().max(name.len()) / 2).max(1)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn near_names_are_found() {
        let all = ["echo-srv", "small-echo-srv", "virt"];
        assert_eq!(nearest("ehco-srv", all), Some("echo-srv"));
        assert_eq!(nearest("virtual", all), Some("virt"));
        assert_eq!(nearest("xyz", all), None);
        let boards = ["jetson-agx-xavier", "jetson-xavier-nx-devkit", "jetson-xavier-nx-devkit-emmc"];
        assert_eq!(nearest("jetson-xavier-nx", boards), Some("jetson-xavier-nx-devkit"));
        assert_eq!(nearest("jetson-agx-xavir", boards), Some("jetson-agx-xavier"));
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
        let values = json!(nested.json());
        assert_eq!(
            values[0],
            json!({ "code": "wrong-usage", "kind": "wrong-usage", "exit": 2, "message": "first", "remedy": null, "causes": [], "facts": {} })
        );
        let messages: Vec<_> = values.as_array().unwrap().iter().map(|value| &value["message"]).collect();
        assert_eq!(messages, ["first", "no app", "no network"]);
        assert_eq!((&values[1]["facts"]["app"], &values[2]["exit"]), (&json!("x"), &json!(3)));
        assert_eq!(Error::all([]), None);
    }

    #[test]
    fn a_full_disk_is_the_environments() {
        let error = Error::io(Path::new("/x"), &io::ErrorKind::StorageFull.into());
        assert_eq!((error.code, error.exit), ("host::file::disk-full", Exit::Environment));
        assert!(error.to_string().contains("help: free some space"));
    }
}
