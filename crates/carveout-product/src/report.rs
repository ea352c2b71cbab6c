//! Config errors with file, line and the offending text.

use super::locate::{Step, duplicate, line};
use crate::errors::ConfigError;
use carveout_host::error::{Error, nearest};
use carveout_keys::secret::without_secrets;
use std::path::Path;

/// Characters of a line that an error shows.
const SHOWN: usize = 160;

/// A file being read, for errors that point into it.
pub struct Reporter<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl Reporter<'_> {
    /// An error about the value at `path`.
    pub fn at(&self, path: &[Step], fault: impl Into<Error>) -> Error {
        self.on_line(line(self.text, path), of_key(path, fault))
    }

    /// An error of a value that must not be shown.
    pub fn hidden(&self, path: &[Step], fault: impl Into<Error>) -> Error {
        self.told(line(self.text, path), of_key(path, fault))
    }

    /// An error of the YAML reader.
    pub fn yaml(&self, error: &serde_yaml::Error) -> Error {
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or(&message);
        let fault = kind(what);
        let number = match &fault {
            // The reader tells where the mapping begins, and of a second document nothing.
            ConfigError::DuplicateKey { .. } => duplicate(self.text),
            ConfigError::TwoDocuments => second_document(self.text),
            ConfigError::Malformed { .. } => at_position(what, self.text),
            _ => None,
        };
        self.on_line(number.or(error.location().map(|l| l.line())).unwrap_or(1), fault)
    }

    /// An error about a line.
    pub fn on_line(&self, number: usize, fault: impl Into<Error>) -> Error {
        let text = self.text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
        let text: String = without_secrets(text).chars().take(SHOWN).collect();
        self.told(number, cleaned(fault.into())).with_lines(format_args!("  {number:>4} | {text}"))
    }

    fn told(&self, number: usize, mut error: Error) -> Error {
        let path = self.path.display();
        error.remedy.get_or_insert_with(|| format!("edit line {number} of {path}"));
        error.within(format_args!("{path}:{number}")).fact("path", path.to_string()).fact("line", number)
    }
}

/// A fault of the value at `path`, with its name.
fn of_key(path: &[Step], fault: impl Into<Error>) -> Error {
    let names: String = path.iter().map(show).collect();
    let name = names.trim_start_matches('.');
    fault.into().within(name).fact("key", name)
}

/// A PIN or a password must not be in a config; where it is, it must not get into a log as well.
fn cleaned(mut error: Error) -> Error {
    error.message = without_secrets(&error.message);
    for fact in error.facts.iter_mut().flat_map(|facts| facts.values_mut()) {
        if let Some(text) = fact.as_str().map(without_secrets) {
            *fact = text.into();
        }
    }
    error
}

fn show(step: &Step) -> String {
    match step {
        Step::Key(key) => format!(".{key}"),
        Step::Index(index) => format!("[{index}]"),
    }
}

/// What is wrong, by the words of serde and its YAML reader. The first of them counts: behind it stands what the config
/// says.
fn kind(message: &str) -> ConfigError {
    type Kind = fn(&str) -> ConfigError;
    let kinds: [(&str, Kind); 8] = [
        ("containing more than one document", |_| ConfigError::TwoDocuments),
        ("unknown field `", |m| ConfigError::UnknownKey { source: m.into(), meant: meant(m) }),
        ("unknown variant `", |m| ConfigError::UnknownValue { source: m.into(), meant: meant(m) }),
        ("missing field `", |m| ConfigError::MissingKey { source: m.into() }),
        ("duplicate field `", |m| ConfigError::DuplicateKey { source: m.into() }),
        ("duplicate entry ", |m| ConfigError::DuplicateKey { source: m.into() }),
        ("invalid type: ", |m| ConfigError::WrongType { source: in_words(m).into() }),
        ("invalid value: ", |m| ConfigError::WrongType { source: in_words(m).into() }),
    ];
    let found = kinds.into_iter().filter_map(|(words, kind)| Some((message.find(words)?, kind)));
    match found.min_by_key(|(at, _)| *at) {
        Some((_, kind)) => kind(message),
        None => ConfigError::Malformed { source: message.into() },
    }
}

/// For "unknown field `x`, expected one of `a`, `b`": the nearest right name.
fn meant(message: &str) -> Option<String> {
    let mut names = message.split('`').skip(1).step_by(2);
    let wrong = names.next().unwrap_or_default();
    nearest(wrong, names).map(str::to_owned)
}

/// The line of a character whose position the reader tells.
fn at_position(message: &str, text: &str) -> Option<usize> {
    let position: usize = message.rsplit_once(" at position ")?.1.parse().ok()?;
    Some(text.get(..position)?.matches('\n').count() + 1)
}

/// The line at which a second document begins.
fn second_document(text: &str) -> Option<usize> {
    let (mut begun, mut ended) = (false, false);
    for (index, line) in text.lines().enumerate() {
        ended |= line == "...";
        let content = !(line.trim().is_empty() || line.starts_with(['#', '%']) || line == "...");
        if line == "---" || line.starts_with("--- ") || ended && content {
            if begun {
                return Some(index + 1);
            }
            begun = true;
        }
        begun |= content;
    }
    None
}

/// A message of another type than is expected, without Rust's names of types.
fn in_words(message: &str) -> String {
    let Some((before, rest)) = message.split_once("invalid type: ") else { return message.into() };
    let Some((found, expected)) = rest.rsplit_once(", expected ") else { return message.into() };
    let word = |name: &str| match name {
        "unit value" => "nothing".into(),
        "map" | "a map" => "a mapping".into(),
        "sequence" | "a sequence" => "a list".into(),
        name if name.starts_with("struct ") => "a mapping".into(),
        name if name.starts_with("enum ") || name.starts_with("a YAML tag") => "a word".into(),
        name => name.to_owned(),
    };
    format!("{before}wrong type: {}, expected {}", word(found), word(expected))
}
