//! Text for people, in which no value of others begins a line, hides or commands the terminal.
//!
//! Lines of ours are made by [`Text`]; an [`Error`](crate::error::Error) and a note are blocks ([`block`]). [`crate::ui`] prints them.

use similar::{ChangeTag, TextDiff};
use std::fmt::{self, Arguments, Display, Write};
use trusty_abi::text::is_unseen;
pub use trusty_abi::text::{Lines, Shown};

/// How a line behind the first begins that belongs to a block.
const INDENT: &str = "  ";
/// What only an error itself says.
const HELP: &str = "  help:";

/// Several lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// None yet.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// What a program of ours has written, whole: its lines are its own.
    pub fn ours(text: &str) -> Self {
        Self(Lines(text).to_string())
    }

    /// A line, and more of them that are indented: see [`block`].
    pub fn block(text: &str) -> Self {
        Self(block(text))
    }

    /// Values, each in a line.
    pub fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> Self {
        let mut text = Self::new();
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// What `writeln!` calls: one line, whatever the values in it are.
    pub fn write_fmt(&mut self, line: Arguments) -> fmt::Result {
        let line = line.to_string();
        match line.strip_suffix('\n') {
            Some(line) => writeln!(self.0, "{}", Shown(line)),
            None => write!(self.0, "{}", Shown(line)),
        }
    }

    /// Adds words of ours.
    pub fn push_str(&mut self, text: &'static str) {
        self.0.push_str(text);
    }

    /// Adds the lines of another.
    pub fn push(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// The lines, further to the right.
    pub fn indented(&self) -> Self {
        Self(self.0.lines().map(|line| format!("{INDENT}{line}\n")).collect())
    }

    /// As it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str>> From<T> for Text {
    /// One line.
    fn from(line: T) -> Self {
        Self(Shown(line.as_ref()).to_string())
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message of several lines, as errors and notes are: those behind the first are indented. An end of line that is not followed by
/// that is none of ours, but came in with a value: it is escaped, as is all else that is unseen.
pub fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.split('\n').enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if number > 0 {
            let end = line.is_empty() && lines.peek().is_none();
            let ours = end || line.starts_with(INDENT) && !line.starts_with(HELP);
            out.push_str(if ours { "\n" } else { "\\n" });
        }
        let _ = write!(out, "{}", Lines(line));
    }
    out
}

/// JSON in which whatever is unseen is escaped, as JSON does: machines read the very same.
pub fn seen_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_unseen(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Lines that differ between two texts, as far as the first few: `- ` stands before those of the first, `+ ` before those of the other.
pub fn difference(old: &str, new: &str) -> String {
    const SHOWN: usize = 12;
    let diff = TextDiff::from_lines(old, new);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    let mut lines = changes.map(|change| format!("{INDENT}{} {}", change.tag(), change.value().trim_end()));
    let shown: Vec<String> = lines.by_ref().take(SHOWN).collect();
    match lines.count() {
        0 => shown.join("\n"),
        more => format!("{}\n{INDENT}… {more} lines more", shown.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_by_line() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "  - b\n  + c");
        assert_eq!(difference("a\nb\n", "b\na\n"), "  + b\n  - b");
        let many: String = (0..50).map(|n| format!("{n}\n")).collect();
        assert!(difference("", &many).ends_with("  + 11\n  … 38 lines more"));
    }

    #[test]
    fn a_value_begins_no_line() {
        let mut text = Text::block("what, 5 bytes\n  more\nok: verified\n  help: run x\n   \x1b\n");
        let _ = writeln!(text, "  name {:<4}|", "a\n  b\r\n");
        text.push_str("  end\n");
        assert_eq!(
            text.as_str(),
            "what, 5 bytes\n  more\\nok: verified\\n  help: run x\n   \\u{1b}\n  name a\\n  b\\r\\n|\n  end\n"
        );
        assert_eq!(Text::from("a\nb\t").as_str(), "a\\nb\\t");
        assert_eq!(Text::lines(["a\nb", "c"]).indented().as_str(), "  a\\nb\n  c\n");
        assert_eq!(Text::ours("a\n\tb\x07").as_str(), "a\n\tb\\u{7}");
    }

    #[test]
    fn machines_read_the_very_same() {
        let value = serde_json::json!({ "a\u{9b}": "b\u{202e}\u{7f}\u{e0041}\n\\u{1b}é" });
        for text in [value.to_string(), format!("{value:#}")] {
            let seen = seen_json(&text);
            assert!(!seen.chars().any(|c| c != '\n' && is_unseen(c)), "{seen}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&seen).unwrap(), value);
        }
    }
}
