//! Texts that may be a secret which was given where the name of a file is expected: none is shown.

use crate::errors::SignError;
use crate::pkcs11::without_pin;
use carveout_host::error::Error;
use std::path::Path;

/// Characters of base64 in a row that are no word or path.
const RUN: usize = 40;
/// Those of them without a slash.
const SEGMENT: usize = 24;
/// Digits of the shortest key that is written as a hexadecimal number.
const DIGITS: usize = 32;

/// Whether what names a file is the text of a key instead, as `--sign "$(cat KEY)"` gives it.
pub fn is_text(given: &str) -> bool {
    let digits: String =
        given.split_whitespace().map(|word| word.strip_prefix("0x").unwrap_or(word)).collect();
    let is_number = digits.len() >= DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
    !Path::new(given).exists()
        && (given.contains("-----BEGIN")
            || given.contains("untrusted comment:")
            || without_keys(given) != given
            || is_number)
}

/// The text of an option that names a key, as it may be shown.
pub fn shown(given: &str) -> String {
    if is_text(given) {
        format!("({} characters, not shown: they may be a secret)", given.chars().count())
    } else {
        without_secrets(given)
    }
}

/// The error of an option that was given a key's text.
pub fn given_as_text(option: &str) -> Error {
    SignError::TextGiven { option: option.into() }.into()
}

/// Whether there is a secret key in a text, whatever else: one of minisign's, or a PEM.
pub fn is_secret_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
        || text.split_whitespace().any(|word| {
            bundle::secret_key(format!("\n{word}").as_bytes()).is_some_and(|key| key.starts_with(b"Ed"))
        })
}

/// A text for people, without what must be in no log: PINs, users and passwords of URLs, keys.
pub fn without_secrets(text: &str) -> String {
    without_keys(&without_user(&without_pin(text)))
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

/// A text for people, in which what looks like base64 of a key is left out.
fn without_keys(text: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(|c| !is_base64(c)) {
        let run = part.trim_end_matches(|c| !is_base64(c));
        let mixed = |segment: &str| {
            let has = |class: fn(&u8) -> bool| segment.bytes().any(|b| class(&b));
            let letters = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
            segment.len() >= SEGMENT && letters && has(u8::is_ascii_digit)
        };
        if run.len() >= RUN && run.split('/').any(mixed) {
            out.push('…');
            out.push_str(part.strip_prefix(run).unwrap_or_default());
        } else {
            out.push_str(part);
        }
    }
    out
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

    #[test]
    fn keys_are_told_from_names() {
        let line = format!("RWRTY0Iy{}/Ab1+", "aB3d".repeat(40));
        for text in [
            &format!("untrusted comment: minisign secret key\n{line}\n"),
            &line,
            "-----BEGIN PRIVATE KEY-----",
            "0x12345678 0x9abcdef0 0x12345678 0x9abcdef0",
            &"0f".repeat(16),
        ] {
            assert!(is_text(text), "{text}");
            assert!(!shown(text).contains(text.trim()), "{text}");
        }
        for name in [
            "release.key",
            "nowhere/2026-03/release.key",
            "/home/SomeBody1/work/products/camera/keys/signing/release",
            "pkcs11:token=a;object=b",
        ] {
            assert!(!is_text(name), "{name}");
            assert_eq!(shown(name), name);
        }
        assert_eq!(shown("pkcs11:token=a?pin-value=7391"), "pkcs11:token=a?pin-value=…");
        assert_eq!(without_keys(&format!("  pkc_key: \"{line}\" # x")), "  pkc_key: \"…\" # x");
        let sums = format!("sha256: {}", "0123456789abcdef".repeat(4));
        assert_eq!(without_keys(&sums), sums);
    }
}
