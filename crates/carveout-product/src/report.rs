//! Config errors with file, line and the offending text.

use super::locate::{Step, line};
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
    pub fn at(&self, path: &[Step], what: &str) -> Error {
        let names: Vec<String> = path.iter().map(show).collect();
        let name = names.concat();
        self.on_line(line(self.text, path), &format!("{}: {what}", name.trim_start_matches('.')))
    }

    /// An error of a value that must not be shown.
    pub fn hidden(&self, path: &[Step], what: &str) -> Error {
        let number = line(self.text, path);
        Error::usage(format!("{}:{number}: {what}", self.path.display()))
            .remedy(format!("edit line {number} of {}", self.path.display()))
    }

    /// An error of the YAML reader.
    pub fn yaml(&self, error: &serde_yaml::Error) -> Error {
        let number = error.location().map_or(1, |l| l.line());
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or(&message);
        self.on_line(number, &format!("{what}{}", suggestion(what)))
    }

    /// An error about a line.
    pub fn on_line(&self, number: usize, what: &str) -> Error {
        let text = self.text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
        // A PIN or a password must not be in a config; where it is, it must not get into a log as well.
        let (what, text) = (without_secrets(what), without_secrets(text));
        let text: String = text.chars().take(SHOWN).collect();
        let message = format!("{}:{number}: {what}\n  {number:>4} | {text}", self.path.display());
        Error::usage(message).remedy(format!("edit line {number} of {}", self.path.display()))
    }
}

fn show(step: &Step) -> String {
    match step {
        Step::Key(key) => format!(".{key}"),
        Step::Index(index) => format!("[{index}]"),
    }
}

/// For "unknown field `x`, expected one of `a`, `b`": the nearest right name.
fn suggestion(message: &str) -> String {
    if !message.contains("unknown field `") && !message.contains("unknown variant `") {
        return String::new();
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let wrong = names.next().unwrap_or_default();
    nearest(wrong, names).map(|near| format!(". Did you mean `{near}`?")).unwrap_or_default()
}
