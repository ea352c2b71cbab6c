//! Config errors with file, line and the offending text.

use super::locate::{Step, line};
use super::pkcs11::without_pin;
use crate::error::{Error, nearest};
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
        let shown = |text: &str| without_user(&without_pin(text));
        let (what, text) = (shown(what), shown(text));
        let text: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        let message = format!("{}:{number}: {what}\n  {number:>4} | {text}", self.path.display());
        Error::usage(message).remedy(format!("edit line {number} of {}", self.path.display()))
    }
}

/// The text without users and passwords of URLs.
fn without_user(text: &str) -> String {
    let mut parts = text.split("://");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let end = part.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(part.len());
        let rest = part.get(..end).and_then(|host| host.rfind('@')).and_then(|at| part.get(at..));
        match rest {
            Some(rest) => format!("{shown}://…{rest}"),
            None => format!("{shown}://{part}"),
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_urls_are_not_shown() {
        for (text, shown) in [
            ("a: https://me:pass@host/x, b: http://other/y", "a: https://…@host/x, b: http://other/y"),
            ("[ 'http://me@host', 'http://u:p@q@host/' ]", "[ 'http://…@host', 'http://…@host/' ]"),
            ("file:///srv/a@b", "file:///srv/a@b"),
            ("no url: me@host", "no url: me@host"),
        ] {
            assert_eq!(without_user(text), shown);
        }
    }
}
