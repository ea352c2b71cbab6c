//! Keys that stay in a token, named by PKCS#11 URIs (RFC 7512).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The key that signs for fused boards (PKC): RSA of 2048 or 3072 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PkcKey {
    /// A PEM file.
    File(PathBuf),
    /// In a token, which it never leaves.
    Token(Uri),
}

/// The environment variable with the PIN, which nothing but the token is told.
pub const PIN_VARIABLE: &str = "CARVEOUT_PKCS11_PIN";
const SCHEME: &str = "pkcs11:";
/// Attributes that choose a token.
const TOKEN: [&str; 5] = ["token", "manufacturer", "model", "serial", "slot-id"];
/// Attributes that choose a key in it.
const KEY: [&str; 3] = ["object", "id", "type"];
/// Behind the `?`: how to get at it.
const QUERY: [&str; 2] = ["module-path", "pin-source"];

/// Which token and which key in it; all that is given must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uri {
    /// As it is written. It has no PIN.
    pub text: String,
    /// What chooses token and key, by its name in the URI; all but `id` are UTF-8.
    pub wanted: BTreeMap<&'static str, Vec<u8>>,
    /// The PKCS#11 module to use, instead of all that p11-kit knows.
    pub module: Option<PathBuf>,
    /// A file with the PIN.
    pub pin_source: Option<PathBuf>,
}

/// Whether a value is meant to be a URI, not a path.
pub fn is_uri(text: &str) -> bool {
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

impl Uri {
    /// Reads and checks a URI.
    ///
    /// # Errors
    /// What is wrong with it and what would be right, without any PIN.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.get(SCHEME.len()..).filter(|_| is_uri(text)).unwrap_or_default();
        if let Some((name, _)) = pin(text) {
            return Err(format!(
                "`{name}` is not allowed: what a config says ends up in logs and version control. Give the PIN in the \
                 environment variable {PIN_VARIABLE}, or name a file that has it: ?pin-source=/PATH"
            ));
        }
        let mut uri = Self { text: text.into(), ..Self::default() };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        for (name, value) in attributes(path, ';', &[&TOKEN[..], &KEY].concat())? {
            check(name, &value)?;
            if uri.wanted.insert(name, value).is_some() {
                return Err(format!("`{name}` is given twice"));
            }
        }
        for (name, value) in attributes(query, '&', &QUERY)? {
            let place = if name == "pin-source" { &mut uri.pin_source } else { &mut uri.module };
            if place.replace(absolute(name, value)?).is_some() {
                return Err(format!("`{name}` is given twice"));
            }
        }
        let names = |some: &[&str]| some.iter().any(|name| uri.wanted.contains_key(name));
        if !names(&TOKEN) {
            return Err("it names no token: add token=LABEL or serial=NUMBER".into());
        }
        if !names(&["object", "id"]) {
            return Err("it names no key: add object=LABEL or id=%01".into());
        }
        Ok(uri)
    }
}

/// Splits into attributes with their values.
fn attributes(
    text: &str,
    end: char,
    allowed: &[&'static str],
) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let attribute = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = allowed.iter().find(|known| **known == name);
        let known = *known.ok_or_else(|| {
            let near = carveout_host::error::nearest(name, allowed.iter().copied());
            let near = near.map(|near| format!(". Did you mean `{near}`?")).unwrap_or_default();
            format!("unknown attribute `{name}`: here are allowed {}{near}", allowed.join(", "))
        })?;
        let value = decoded(value).ok_or_else(|| {
            format!(
                "`{pair}`: a space is written %20, other special characters as % and two hexadecimal digits"
            )
        })?;
        if value.is_empty() { Err(format!("`{name}` has no value")) } else { Ok((known, value)) }
    };
    text.split(end).filter(|pair| !pair.is_empty()).map(attribute).collect()
}

/// Undoes the percent-encoding.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(rest.next())? << 4 | digit(rest.next())?).ok()?
            }
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    Some(bytes)
}

fn check(name: &str, value: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(value);
    match (name, text) {
        ("id", _) | ("type", Ok("private")) => Ok(()),
        ("type", _) => Err("`type` must be private, or absent: what signs is a private key".into()),
        ("slot-id", Ok(text)) if text.parse::<u64>().is_ok() => Ok(()),
        ("slot-id", _) => Err("`slot-id` is no number".into()),
        (_, Ok(_)) => Ok(()),
        (_, Err(_)) => Err(format!("`{name}` is no text in UTF-8")),
    }
}

/// Relative paths would depend on where the command is started.
fn absolute(name: &str, value: Vec<u8>) -> Result<PathBuf, String> {
    let value = String::from_utf8(value).map_err(|_| format!("`{name}` is no text in UTF-8"))?;
    let path = value.strip_prefix("file://").or_else(|| value.strip_prefix("file:")).unwrap_or(&value);
    if Path::new(path).is_absolute() {
        Ok(path.into())
    } else {
        Err(format!("`{name}={value}` is no absolute path"))
    }
}

/// The first attribute that has a PIN, however it is misspelt, and where its value begins.
fn pin(text: &str) -> Option<(&str, usize)> {
    text.match_indices('=').find_map(|(at, _)| {
        let name = text.get(..at)?.rsplit([':', ';', '?', '&', ' ', '"', '\'']).next()?;
        (name.to_ascii_lowercase().contains("pin") && name != "pin-source").then_some((name, at + 1))
    })
}

/// A line for people, cut off where a PIN begins.
pub fn without_pin(text: &str) -> String {
    match pin(text).and_then(|(_, at)| text.get(..at)) {
        Some(before) => format!("{before}…"),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "pkcs11:token=Boot%20keys;object=pkc";

    #[test]
    fn uris_are_read() {
        let uri = Uri::parse(GOOD).unwrap();
        assert_eq!(uri.text, GOOD);
        assert_eq!(uri.wanted["token"], b"Boot keys");
        assert_eq!((uri.module, uri.pin_source), (None, None));
        let all = "pkcs11:model=SoftHSM%20v2;manufacturer=M;serial=0c;slot-id=7;id=%01%fF;type=private\
                   ?module-path=/usr/lib/x.so&pin-source=file:/run/pin";
        let uri = Uri::parse(all).unwrap();
        assert_eq!(uri.wanted["id"], [1, 255]);
        assert_eq!(uri.module, Some("/usr/lib/x.so".into()));
        assert_eq!(uri.pin_source, Some("/run/pin".into()));
        assert_eq!(Uri::parse(&format!("{GOOD}?pin-source=/p")).unwrap().pin_source, Some("/p".into()));
        assert!(is_uri(GOOD) && is_uri("PKCS11:") && !is_uri("keys/pkcs11:x") && !is_uri("é"));
    }

    #[test]
    fn malformed_uris_are_refused_with_what_would_be_right() {
        let cases = [
            ("pkcs11:", "it names no token: add token=LABEL or serial=NUMBER"),
            ("pkcs11:token=a", "it names no key: add object=LABEL or id=%01"),
            (
                "pkcs11:token=a;objekt=b",
                "unknown attribute `objekt`: here are allowed token, manufacturer, model, serial, slot-id, object, id, type. \
                 Did you mean `object`?",
            ),
            (
                "pkcs11:token=a;object=b?module-name=x",
                "unknown attribute `module-name`: here are allowed module-path, pin-source. Did you mean `module-path`?",
            ),
            (
                "pkcs11:token=a b;object=b",
                "`token=a b`: a space is written %20, other special characters as % and two hexadecimal digits",
            ),
            (
                "pkcs11:token=a%2;object=b",
                "`token=a%2`: a space is written %20, other special characters as % and two hexadecimal digits",
            ),
            ("pkcs11:token=;object=b", "`token` has no value"),
            ("pkcs11:token=a;token=b;object=b", "`token` is given twice"),
            ("pkcs11:token=%ff;object=b", "`token` is no text in UTF-8"),
            ("pkcs11:slot-id=x;object=b", "`slot-id` is no number"),
            (
                "pkcs11:token=a;object=b;type=public",
                "`type` must be private, or absent: what signs is a private key",
            ),
            ("pkcs11:token=a;object=b?pin-source=pin", "`pin-source=pin` is no absolute path"),
            ("pkcs11:token=a;object=b?pin-source=|id", "`pin-source=|id` is no absolute path"),
            ("pkcs11:token=a;object=b?pin-source=/x&pin-source=/y", "`pin-source` is given twice"),
        ];
        for (uri, expected) in cases {
            assert_eq!(Uri::parse(uri).unwrap_err(), expected, "{uri}");
        }
    }

    #[test]
    fn a_pin_is_refused_and_not_shown() {
        for name in ["pin-value", "PIN-VALUE", "pin", "pin%2Dvalue"] {
            for end in
                [format!("?{name}=7391;x"), format!(";{name}=7391"), format!("?module-path=/x&{name}=7391")]
            {
                let error = Uri::parse(&format!("{GOOD}{end}")).unwrap_err();
                assert!(
                    error.starts_with(&format!("`{name}` is not allowed: ")) && !error.contains("7391"),
                    "{error}"
                );
            }
        }
        let line = "l4t: { pkc_key: \"pkcs11:token=pinky;object=b?pin-source=/x&pin-value=7391&x\" }";
        let shown = "l4t: { pkc_key: \"pkcs11:token=pinky;object=b?pin-source=/x&pin-value=…";
        assert_eq!(without_pin(line), shown);
        assert_eq!(without_pin("pkc_key: pkcs11:token=pin;object=b"), "pkc_key: pkcs11:token=pin;object=b");
    }
}
