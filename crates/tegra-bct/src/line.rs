//! One line of a misc boot-config file.

use crate::error::Defect;
use std::ops::Range;

/// A key's value and where its digits lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: u64,
    /// Of the digits, within the file.
    pub range: Range<usize>,
    /// 1-based.
    pub line: usize,
}

/// Parses a line that starts at `offset` of the file. `None` for comments and empty lines.
pub fn parse_line(raw: &[u8], offset: usize, line: usize) -> Result<Option<(String, Entry)>, Defect> {
    let text = std::str::from_utf8(raw).map_err(|_| Defect::NotAscii)?;
    if text.trim().is_empty() || text.trim_start().starts_with('#') {
        return Ok(None);
    }
    let code = text.split('#').next().unwrap_or_default();
    if !code.bytes().all(|b| matches!(b, b'\t' | b'\r' | b'\n' | b' '..=b'~')) {
        return Err(Defect::NotAscii);
    }
    let (assignment, behind) = match code.split_once(';') {
        Some((assignment, behind)) => (assignment, Some(behind.trim())),
        None => (code, None),
    };
    let Some((key, value)) = assignment.split_once('=') else {
        let word = assignment.trim();
        return Err(if is_key(word) { Defect::NoEquals(word.into()) } else { Defect::Syntax });
    };
    let key = key.trim();
    if !is_key(key) {
        return Err(Defect::Key(key.into()));
    }
    let digits = value.trim();
    match behind {
        None => return Err(Defect::NoSemicolon(key.into())),
        Some(behind) if !behind.is_empty() => return Err(Defect::Trailing(behind.into())),
        Some(_) if digits.is_empty() => return Err(Defect::NoValue(key.into())),
        Some(_) => {}
    }
    let number = number(key, digits)?;
    let start = offset + assignment.len() - value.trim_start().len();
    let entry = Entry { value: number, range: start..start + digits.len(), line };
    Ok(Some((key.into(), entry)))
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c))
}

fn number(key: &str, digits: &str) -> Result<u64, Defect> {
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (rest, radix) = hexadecimal.map_or((digits, 10), |rest| (rest, 16));
    if rest.is_empty() || !rest.chars().all(|c| c.is_digit(radix)) {
        return Err(Defect::Value { key: key.into(), value: digits.into() });
    }
    u64::from_str_radix(rest, radix).map_err(|_| Defect::TooBig { key: key.into(), value: digits.into() })
}
