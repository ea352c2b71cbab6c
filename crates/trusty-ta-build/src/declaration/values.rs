//! Values in the spellings that AOSP's `manifest.json` and C sources have.

use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use uuid::Uuid;

/// How a UUID is written, for errors.
const LIKE: &str = "write it as uuid = \"6d1fc0de-5275-7374-ec40-000000000001\" (`uuidgen` makes a new one)";
/// Fields of `struct uuid` in C: their sizes in hexadecimal digits.
const C_FIELDS: [usize; 11] = [8, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2];

/// A number: as it is, or as a text such as `"0x1000"`.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "Number")]
#[allow(dead_code)]
pub enum NumberForm {
    /// As it is.
    Plain(u32),
    /// As a text.
    Text(String),
}

/// A UUID: with or without hyphens, braces or `urn:uuid:`, in capitals or not, or as the initialiser of C's `struct uuid`.
pub fn uuid<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text: String = serde::Deserialize::deserialize(deserializer)?;
    parse_uuid(&text).map_err(D::Error::custom)
}

/// Reads a UUID, or says how to write it.
pub fn parse_uuid(text: &str) -> Result<Uuid, String> {
    let trimmed = text.trim();
    let lower = trimmed.to_ascii_lowercase();
    if let Ok(uuid) = Uuid::parse_str(&lower) {
        return Ok(uuid);
    }
    if let Some(uuid) = c_struct(&lower) {
        return Ok(uuid);
    }
    let shown: String = trimmed.chars().take(80).flat_map(char::escape_debug).collect();
    let is_name = trimmed.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && trimmed.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !trimmed.chars().all(|c| c.is_ascii_hexdigit());
    if is_name {
        return Err(format!(
            "`{shown}` is the name of a constant, not a UUID: {LIKE}, or copy the constant's value: uuid = \"{{ 0x6d1fc0de, 0x5275, 0x7374, \
             {{ 0xec, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01 }} }}\""
        ));
    }
    Err(format!("`{shown}` is no UUID: {LIKE}"))
}

/// `{ 0x6d1fc0de, 0x5275, 0x7374, { 0xec, … } }`: braces and commas may be missing, digits may not.
fn c_struct(lower: &str) -> Option<Uuid> {
    let words = lower.split(|c: char| c.is_whitespace() || ",{}".contains(c)).filter(|w| !w.is_empty());
    let words: Vec<&str> = words.collect();
    if words.len() != C_FIELDS.len() {
        return None;
    }
    let mut digits = String::with_capacity(32);
    for (word, width) in words.iter().zip(C_FIELDS) {
        let field = word.strip_prefix("0x")?.trim_end_matches('u');
        let good = (1..=width).contains(&field.len()) && field.bytes().all(|b| b.is_ascii_hexdigit());
        good.then(|| digits.push_str(&format!("{field:0>width$}")))?;
    }
    Uuid::parse_str(&digits).ok()
}

/// A number of 32 bits, or a text with one.
pub fn number<'d, D: Deserializer<'d>>(deserializer: D) -> Result<u32, D::Error> {
    deserializer.deserialize_any(Number)
}

/// The same where the key may be missing.
pub fn some_number<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    number(deserializer).map(Some)
}

struct Number;

impl Visitor<'_> for Number {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number from 0 to 4294967295, such as 16384, 0x4000 or \"0x4000\"")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u32, E> {
        u32::try_from(value).map_err(|_| E::custom(format!("`{value}`: expected {}", expected())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u32, E> {
        u32::try_from(value).map_err(|_| E::custom(format!("`{value}`: expected {}", expected())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u32, E> {
        let trimmed = text.trim();
        let hexadecimal = trimmed.strip_prefix("0x").or_else(|| trimmed.strip_prefix("0X"));
        let (digits, radix) = hexadecimal.map_or((trimmed, 10), |digits| (digits, 16));
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let number = plain.then(|| u32::from_str_radix(digits, radix).ok()).flatten();
        let shown = || text.chars().take(40).flat_map(char::escape_debug).collect::<String>();
        number.ok_or_else(|| E::custom(format!("`{}`: expected {}", shown(), expected())))
    }
}

fn expected() -> &'static str {
    "a number from 0 to 4294967295, such as 16384, 0x4000 or \"0x4000\""
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001";

    #[test]
    fn uuids_are_taken_as_people_have_them() {
        for text in [
            UUID,
            "C5A1A9E2-5D5F-4F0E-9A52-0F1EC4E0C001",
            "{c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001}",
            "urn:uuid:c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001",
            "URN:UUID:C5A1A9E2-5D5F-4F0E-9A52-0F1EC4E0C001",
            " c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001 \n",
            "c5a1a9e25d5f4f0e9a520f1ec4e0c001",
            "{ 0xc5a1a9e2, 0x5d5f, 0x4f0e,\n  { 0x9a, 0x52, 0x0f, 0x1e, 0xc4, 0xe0, 0xc0, 0x01 } }",
            "0xC5A1A9E2, 0x5D5F, 0x4F0E, 0x9A, 0x52, 0xF, 0x1E, 0xC4, 0xE0, 0xC0, 0x1",
        ] {
            // Always printed in one way.
            assert_eq!(parse_uuid(text).map(|uuid| uuid.to_string()), Ok(UUID.into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_uuid_is_told_how_to_write_it() {
        let constant = parse_uuid("ECHO_SRV_UUID").unwrap_err();
        assert!(constant.starts_with("`ECHO_SRV_UUID` is the name of a constant"), "{constant}");
        assert!(constant.contains("uuid = \"6d1fc0de-"), "{constant}");
        for text in [
            "",
            "x-y",
            "c5a1a9e2-5d5f-4f0e-9a52",
            "{ 0x1c5a1a9e2, 0x5d5f, 0x4f0e, 0, 0, 0, 0, 0, 0, 0, 0 }",
            "{ c5a1a9e2, 5d5f, 4f0e, 9a, 52, 0f, 1e, c4, e0, c0, 01 }",
            "\x1b[31m",
        ] {
            let error = parse_uuid(text).unwrap_err();
            assert!(error.contains("is no UUID: write it as") && !error.contains('\x1b'), "{error}");
        }
    }
}
