//! What clients of Linux do to a trusted app, one action a line: what a fuzzer tries, keeps, and what a unit test does again.
//!
//! ```text
//! # A line of '#' is for people.
//! connect com.example.echo
//! send 0 68656c6c6f
//! bulk 0 7 0001
//! close 0
//! ```
//!
//! Connections are counted from 0, in the order of their `connect`. `send` is a message in hexadecimal digits, `bulk` a transfer of
//! `tipc-bulk` with its tag. An action on a connection that is not there, or is closed, does nothing.

use std::fmt;

/// Most bytes of a case's text: with them it is read.
pub const MAX_TEXT: usize = 4 << 20;
/// Most actions of a case.
pub const MAX_ACTIONS: usize = 256;

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It connects to a port.
    Connect(String),
    /// It sends a message.
    Send(usize, Vec<u8>),
    /// It makes a bulk transfer with a tag.
    Bulk(usize, u32, Vec<u8>),
    /// It closes a connection.
    Close(usize),
}

/// Actions, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Case(pub Vec<Action>);

/// Why a text is no case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl std::error::Error for CaseError {}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl Case {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        if text.len() > MAX_TEXT {
            return Err(CaseError { line: 1, why: "a case has at most 4 MiB" });
        }
        let mut actions = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if actions.len() == MAX_ACTIONS {
                return Err(CaseError { line, why: "a case has at most 256 actions" });
            }
            actions.push(Action::parse(text).map_err(|why| CaseError { line, why })?);
        }
        Ok(Self(actions))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|action| writeln!(f, "{action}"))
    }
}

impl Action {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const FORMS: &str =
            "is none of `connect PORT`, `send CONNECTION HEX`, `bulk CONNECTION TAG HEX`, `close CONNECTION`";
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |text: &str| text.parse().map_err(|_| "the number of a connection is expected");
        let tag = |text: &str| text.parse().map_err(|_| "a tag is a number of 32 bits");
        match *words.as_slice() {
            ["connect", port] => Ok(Self::Connect(port.to_owned())),
            ["send", to] => Ok(Self::Send(number(to)?, Vec::new())),
            ["send", to, hex] => Ok(Self::Send(number(to)?, bytes(hex)?)),
            ["bulk", to, of] => Ok(Self::Bulk(number(to)?, tag(of)?, Vec::new())),
            ["bulk", to, of, hex] => Ok(Self::Bulk(number(to)?, tag(of)?, bytes(hex)?)),
            ["close", to] => Ok(Self::Close(number(to)?)),
            _ => Err(FORMS),
        }
    }

    /// How many bytes it sends.
    pub fn size(&self) -> usize {
        match self {
            Self::Send(_, bytes) | Self::Bulk(_, _, bytes) => bytes.len(),
            Self::Connect(_) | Self::Close(_) => 0,
        }
    }

    /// The bytes that it sends, if it does.
    pub fn content(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::Send(_, bytes) | Self::Bulk(_, _, bytes) => Some(bytes),
            Self::Connect(_) | Self::Close(_) => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter, bytes: &[u8]| bytes.iter().try_for_each(|b| write!(f, "{b:02x}"));
        match self {
            Self::Connect(port) => write!(f, "connect {port}"),
            Self::Send(to, bytes) => write!(f, "send {to} ").and_then(|()| hex(f, bytes)),
            Self::Bulk(to, tag, bytes) => write!(f, "bulk {to} {tag} ").and_then(|()| hex(f, bytes)),
            Self::Close(to) => write!(f, "close {to}"),
        }
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, &'static str> {
    const WHY: &str = "bytes are pairs of hexadecimal digits";
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(pair).collect::<Option<_>>().ok_or(WHY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_case_is_told_with_its_line() {
        for (text, line, why) in [
            ("connect a\nsnd 0 00", 2, "is none of"),
            ("\n# x\nsend 0 0", 3, "pairs of hexadecimal"),
            ("send x 00", 1, "number of a connection"),
            ("bulk 0 4294967296 00", 1, "32 bits"),
            ("send 0 é0", 1, "pairs of hexadecimal"),
            (&"close 0\n".repeat(257), 257, "at most 256"),
        ] {
            let error = Case::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.why.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_case_is_read_as_it_was_written(
            to in 0usize..9, tag: u32, sent: Vec<u8>, port in "[a-z.]{1,20}"
        ) {
            let case = Case(vec![
                Action::Connect(port),
                Action::Send(to, sent.clone()),
                Action::Bulk(to, tag, sent),
                Action::Close(to),
            ]);
            prop_assert_eq!(Case::parse(&case.to_string()), Ok(case));
        }

        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = Case::parse(&text);
        }
    }
}
