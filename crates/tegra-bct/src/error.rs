//! What can be wrong with a misc boot-config file.

use crate::family::Family;
use std::fmt;

/// Defects of a file that are told, at most: a text that is no config at all has one in each line.
pub const MAX_DEFECTS: usize = 100;

/// One kind of defect. Where NVIDIA's parser lets it pass, the text says what would become of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// The file starts with a byte-order mark.
    #[error("the file starts with a byte-order mark: save it as plain ASCII")]
    ByteOrderMark,
    /// The file is far too large.
    #[error("the file has {0} bytes: a misc boot-config file has a few KiB")]
    TooLarge(usize),
    /// More defects than are told.
    #[error("more than {MAX_DEFECTS} defects: the others are not shown")]
    More,
    /// The file has no line with a value.
    #[error("the file has no `key = value;` line: an empty boot config would be flashed")]
    Empty,
    /// Bytes that are no ASCII text.
    #[error("the line is no ASCII text")]
    NotAscii,
    /// Neither a comment nor `key = value;`.
    #[error("expected `key = value;`, a `#` comment or an empty line")]
    Syntax,
    /// A key with characters that no key has.
    #[error("`{0}` is no key: letters, digits, `_`, `.` and `[]` are allowed")]
    Key(String),
    /// No `=` behind the key.
    #[error("`=` is missing behind `{0}`")]
    NoEquals(String),
    /// Nothing between `=` and `;`.
    #[error("the value of `{0}` is empty: NVIDIA's parser would lose other fields")]
    NoValue(String),
    /// A value that is no number.
    #[error("`{value}` is no value for `{key}`: write a decimal or 0x… number without unit")]
    Value {
        /// The key.
        key: String,
        /// What stands there.
        value: String,
    },
    /// A number of more than 64 bits.
    #[error("`{value}` of `{key}` does not fit into 64 bits")]
    TooBig {
        /// The key.
        key: String,
        /// What stands there.
        value: String,
    },
    /// The `;` is missing.
    #[error("`;` is missing behind the value of `{0}`: NVIDIA's parser would swallow the next line")]
    NoSemicolon(String),
    /// Something other than a `#` comment behind the `;`.
    #[error("`{0}` behind the `;` is no comment: comments start with `#`")]
    Trailing(String),
    /// The key stands on an earlier line already. An error for the carve-out's keys, a warning for all others: NVIDIA's own
    /// configs of AGX Xavier Industrial have some twice.
    #[error("`{key}` stands on line {first} already: NVIDIA's parser takes the last")]
    Duplicate {
        /// The key.
        key: String,
        /// Line of the first.
        first: usize,
    },
    /// The key stands nowhere.
    #[error("`{0}` is missing: NVIDIA's parser would take 0. Add the line `{0} = <value>;`")]
    Missing(String),
    /// The file is another of NVIDIA's configs, which can have no carve-out.
    #[error(
        "this is a {0}: it has no such key. The carve-out is in tegra194-mb1-bct-misc-*.cfg of the same folder, for TX2 in \
         tegra186-mb1-bct-misc-*.cfg"
    )]
    Family(Family),
    /// The key stands nowhere, and no other key tells what the file is.
    #[error(
        "`{0}` is missing, and no key of the file is one of a misc boot config of t194: is it the right file?"
    )]
    Unknown(String),
}

/// A defect and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CfgError {
    /// 1-based line; for a missing key the last one.
    pub line: usize,
    /// The line's text, at most 100 characters.
    pub text: String,
    /// What is wrong.
    pub defect: Defect,
}

impl fmt::Display for CfgError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.defect)?;
        if !self.text.is_empty() {
            write!(f, " (found: {})", self.text)?;
        }
        Ok(())
    }
}

/// All defects of a file, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CfgErrors(
    /// The defects, by line.
    pub Vec<CfgError>,
);

impl fmt::Display for CfgErrors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CfgErrors {}
