//! Lines of signature and key files, read as minisign 0.11 reads them: what it accepts is accepted, what it refuses is not.
//!
//! Source: minisign 0.11, `sig_load` and `pubkey_load_file` of `src/minisign.c`, `trim` of `src/helpers.c`, `b64_to_bin` of
//! `src/base64.c`. It calls `fgets` with a buffer for each line, so that a line has a greatest length; it looks at no byte behind the
//! last line that it needs; a carriage return or a NUL ends a line's text wherever it stands.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// minisign ignores the bits of the last character that no byte needs.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The rest of a file.
pub struct Lines<'a>(pub &'a [u8]);

/// A line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// What stands before the first carriage return, line feed or NUL.
    pub text: &'a [u8],
    /// Whether the line feed was read: the line is not longer than its buffer, and not the last bytes of the file.
    pub ended: bool,
}

impl<'a> Lines<'a> {
    /// The next line, at most `most` bytes of it with its end; nothing at the end of the file.
    pub fn next(&mut self, most: usize) -> Option<Line<'a>> {
        let limited = self.0.get(..most).unwrap_or(self.0);
        let length = limited.iter().position(|byte| *byte == b'\n').map_or(limited.len(), |at| at + 1);
        let (line, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        // Of a C string there is no more than stands before its NUL.
        let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let ended = text.ends_with(b"\n");
        let text = text.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        (!line.is_empty()).then_some(Line { text, ended })
    }
}

/// The bytes that base64 text stands for.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

/// Base64 text as minisign writes it.
pub fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A comment for people: on one line, and without what a terminal would obey. A backslash is doubled.
pub fn shown(comment: &[u8]) -> String {
    let valid = |text: &str| text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    comment
        .utf8_chunks()
        .map(|chunk| {
            let bytes: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
            valid(chunk.valid()) + &bytes
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], most: usize) -> Vec<(&[u8], bool)> {
        let mut lines = Lines(bytes);
        std::iter::from_fn(|| lines.next(most)).map(|line| (line.text, line.ended)).collect()
    }

    #[test]
    fn lines_are_those_of_fgets() {
        assert_eq!(all(b"", 4), []);
        assert_eq!(all(b"ab\r\n\nc", 9), [(&b"ab"[..], true), (b"", true), (b"c", false)]);
        assert_eq!(all(b"abcd\n", 4), [(&b"abcd"[..], false), (b"", true)]);
        assert_eq!(all(b"a\rb\0c\nd\0\n", 9), [(&b"a"[..], false), (b"d", false)]);
    }

    #[test]
    fn base64_may_have_bits_too_many_and_no_character_too_few() {
        assert_eq!(decode(b"AAE="), Some(vec![0, 1]));
        assert_eq!(decode(b"AAF="), Some(vec![0, 1]));
        for text in ["", "AAE", "AA==AAE=", "A===", "AAE= ", "====", "AA=E"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn comments_are_shown_and_obeyed_by_no_terminal() {
        assert_eq!(shown("Größe \"geprüft\" — it's ok".as_bytes()), "Größe \"geprüft\" — it's ok");
        assert_eq!(shown(b"timestamp:1\tfile:a\thashed"), "timestamp:1\\tfile:a\\thashed");
        assert_eq!(shown(b"\x1b[2Jgone\xff\\\""), "\\u{1b}[2Jgone\\xff\\\\\"");
        assert_eq!(shown("a\u{202e}b".as_bytes()), "a\\u{202e}b");
    }
}
