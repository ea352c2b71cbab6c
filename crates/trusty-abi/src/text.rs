//! Text of others, as people may see it: nothing in it commands a terminal, hides, turns around or begins a line.
//!
//! Names, messages and consoles come out of bundles, devices and programs that anyone may have made. Whatever shows one puts it in
//! by [`Shown`]; whatever writes to a terminal writes through [`Lines`].

use core::fmt::{self, Display, Write};

/// Whether a character is not seen, but does something: commands a terminal, turns the direction of a line around, or hides.
///
/// The control characters C0, DEL and C1; Unicode's format characters (Cf) and line ends; fillers that look like nothing; tags, in
/// which text can be hidden.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// A value within a line of ours: what is unseen is escaped as Rust writes it, ends of lines and tabs too.
#[derive(Clone, Copy, Debug)]
pub struct Shown<T>(pub T);

/// Lines that are put together already: ends of lines and tabs stay, what else is unseen is escaped.
#[derive(Clone, Copy, Debug)]
pub struct Lines<T>(pub T);

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(Escape(f, ""), "{}", self.0)
    }
}

impl<T: Display> Display for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(Escape(f, "\n\t"), "{}", self.0)
    }
}

/// Escapes what is unseen, but for the characters that may stay.
struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>, &'static str);

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if is_unseen(c) && !self.1.contains(c) {
                write!(self.0, "{}", c.escape_default())
            } else {
                self.0.write_char(c)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use super::*;
    use alloc::format;

    const HOSTILE: &str = "\x1b]0;x\x07\x1b[2J\u{9b}31m\r\nok: verified\u{202e}\t\u{7f}\u{e0041}é✓";

    #[test]
    fn a_value_stays_within_its_line() {
        assert_eq!(
            format!("{}", Shown(HOSTILE)),
            "\\u{1b}]0;x\\u{7}\\u{1b}[2J\\u{9b}31m\\r\\nok: verified\\u{202e}\\t\\u{7f}\\u{e0041}é✓"
        );
    }

    #[test]
    fn lines_keep_their_ends_alone() {
        let shown = format!("{}", Lines(HOSTILE));
        assert!(shown.contains("\\r\nok: verified\\u{202e}\t"), "{shown}");
        assert!(!shown.chars().any(|c| is_unseen(c) && !"\n\t".contains(c)), "{shown}");
        assert_eq!(format!("{}", Lines("a\n\tb é ✓ 日本")), "a\n\tb é ✓ 日本");
    }
}
