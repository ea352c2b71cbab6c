//! Archives that have the versions a `packages.lock` pins, when the build host's own has them no more.

use super::locate::Step::{self, Index, Key};
use super::report::Reporter;
use super::yocto::is_url;
use crate::errors::{ConfigError, MirrorError, RootfsError};
use carveout_host::error::Result;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::path::{Path, PathBuf};

/// How the address of an archive as it was at a date looks.
pub const SNAPSHOT: &str = "https://HOST/archive/debian/20250101T000000Z/";

/// An archive of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Its address, with `dists` below.
    pub url: String,
    /// The suites to take from it.
    pub suites: Vec<String>,
    /// The public keys that sign it; Debian's, if it names none.
    pub key: Option<PathBuf>,
}

/// One archive, as it is written: an address, or a mapping.
#[derive(Debug)]
pub struct MirrorFile {
    url: String,
    suites: Option<Vec<String>>,
    key: Option<PathBuf>,
}

/// All of them: one, or a list.
#[derive(Debug, Default)]
pub struct MirrorsFile {
    all: Vec<MirrorFile>,
    is_list: bool,
}

/// An archive as a mapping.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ArchiveMapping"))]
#[serde(deny_unknown_fields)]
pub struct MirrorMapping {
    /// Its address, with `dists` below: `http://HOST/DIR`, `https://HOST/DIR` or `file:///DIR`, without user and password.
    url: String,
    /// The suites to take from it; without it `rootfs.suite`.
    suites: Option<Vec<String>>,
    /// The public keys that sign it, a file; without it Debian's.
    key: Option<PathBuf>,
}

/// The forms of an archive.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "Archive")]
#[allow(dead_code)]
pub enum MirrorForm {
    /// Its address.
    Url(String),
    /// Its address with what is special about it.
    Mapping(MirrorMapping),
}

/// The forms of archives.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "Mirror")]
#[allow(dead_code)]
pub enum MirrorsForm {
    /// One archive.
    One(MirrorForm),
    /// More of them.
    More(Vec<MirrorForm>),
}

impl<'de> Deserialize<'de> for MirrorFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = MirrorFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an archive's URL, or { url: URL, suites: [SUITE], key: FILE }")
            }

            fn visit_str<E>(self, url: &str) -> Result<MirrorFile, E> {
                Ok(MirrorFile { url: url.into(), suites: None, key: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MirrorFile, A::Error> {
                let MirrorMapping { url, suites, key } =
                    MirrorMapping::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MirrorFile { url, suites, key })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for MirrorsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = MirrorsFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an archive's URL, { url: URL, suites: [SUITE], key: FILE }, or a list of these")
            }

            fn visit_str<E>(self, url: &str) -> Result<MirrorsFile, E> {
                let one = MirrorFile { url: url.into(), suites: None, key: None };
                Ok(MirrorsFile { all: vec![one], is_list: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MirrorsFile, A::Error> {
                let one = MirrorFile::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MirrorsFile { all: vec![one], is_list: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<MirrorsFile, A::Error> {
                let all = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(MirrorsFile { all, is_list: true })
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// Checks all archives. `suite` is the root filesystem's own.
pub fn check(
    reporter: &Reporter,
    file: &MirrorsFile,
    suite: &str,
    is_word: fn(&str) -> bool,
) -> Result<Vec<Mirror>> {
    let one = |(index, mirror): (usize, &MirrorFile)| {
        let place = [Key("rootfs"), Key("mirror"), Index(index)];
        let place: &[Step] = if file.is_list { &place } else { place.get(..2).unwrap_or_default() };
        check_url(&mirror.url).map_err(|fault| reporter.at(place, fault))?;
        let suites = mirror.suites.clone().unwrap_or_else(|| vec![suite.to_owned()]);
        if suites.is_empty() {
            return Err(reporter.at(place, MirrorError::NoSuites { suite: suite.into() }));
        }
        if let Some(bad) = suites.iter().find(|suite| !is_word(suite)) {
            let bad = bad.escape_debug().to_string();
            return Err(reporter.at(place, RootfsError::NotASuite { suite: bad, example: suite.into() }));
        }
        let key = mirror.key.as_ref().map(|path| {
            let full = reporter.path.parent().unwrap_or(Path::new(".")).join(path);
            match carveout_host::files::open(&full) {
                Ok(_) => Ok(full),
                Err(e) => Err(reporter.at(place, ConfigError::FileUnreadable { source: e.message.into() })),
            }
        });
        Ok(Mirror { url: mirror.url.clone(), suites, key: key.transpose()? })
    };
    file.all.iter().enumerate().map(one).collect()
}

/// What a line of apt's sources could not hold would change its meaning; and a config is no place for a password.
fn check_url(url: &str) -> Result<(), MirrorError> {
    let host = url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    if host.is_some_and(|host| host.contains('@')) {
        return Err(MirrorError::Credentials);
    }
    if is_url(url) {
        return Ok(());
    }
    Err(MirrorError::NotAUrl { url: url.escape_debug().to_string(), example: SNAPSHOT })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Vec<Mirror>, String> {
        #[derive(Deserialize)]
        struct File {
            mirror: MirrorsFile,
        }
        #[derive(Deserialize)]
        struct Outer {
            rootfs: File,
        }
        let text = format!("rootfs:\n  mirror: {text}\n");
        let outer: Outer = serde_yaml::from_str(&text).map_err(|e| e.to_string())?;
        let reporter = Reporter { path: Path::new("p.yaml"), text: &text };
        super::check(&reporter, &outer.rootfs.mirror, "bookworm", |word| !word.contains(' '))
            .map_err(|e| e.message)
    }

    #[test]
    fn one_archive_or_a_list_is_taken() {
        let one = check("https://host/archive/debian/20250101T000000Z/").unwrap();
        let url = "https://host/archive/debian/20250101T000000Z/".to_owned();
        assert_eq!(one, [Mirror { url, suites: vec!["bookworm".into()], key: None }]);
        let two = check("[ 'file:///srv/a', { url: 'http://h/b', suites: [bookworm-security] } ]").unwrap();
        assert_eq!(two[0].url, "file:///srv/a");
        assert_eq!(two[1].suites, ["bookworm-security"]);
        assert_eq!(check("{ url: 'http://h/b' }").unwrap()[0].suites, ["bookworm"]);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        for (text, expected) in [
            ("ftp://host/debian", "p.yaml:2: rootfs.mirror: `ftp://host/debian` is no archive's URL"),
            ("/srv/debian", "expected http://HOST/DIR, https://HOST/DIR or file:///DIR"),
            ("'http://host/a bookworm main'", "is no archive's URL"),
            ("['http://host/a', 'x']", "rootfs.mirror[1]: `x` is no archive's URL"),
            ("{ url: 'http://h/b', suites: [] }", "`suites` is empty"),
            ("{ url: 'http://h/b', suites: ['a b'] }", "`a b` is no Debian suite"),
            ("{ url: 'http://h/b', key: absent.asc }", "absent.asc: No such file"),
            ("{ url: 'http://h/b', sweets: [a] }", "unknown field `sweets`"),
            ("7", "expected an archive's URL"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in ["https://me:secret@host/debian", "[ 'https://me:secret@host/debian' ]"] {
            let error = check(text).unwrap_err();
            assert!(error.contains("/etc/apt/auth.conf.d") && error.contains("://…@host/debian"), "{error}");
            assert!(!error.contains("secret") && !error.contains("me:"), "{error}");
        }
    }
}
