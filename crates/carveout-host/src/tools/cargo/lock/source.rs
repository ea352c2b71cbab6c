//! Where cargo takes a package from, by `source` of Cargo.lock.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// The index that Cargo.lock names for crates.io, whichever protocol cargo asks it by.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Where a package comes from. Format: cargo's `SourceId`, as Cargo.lock (versions 1 to 4) writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum CrateSource {
    /// A folder of this machine: a member of the workspace, or a path dependency. Cargo.lock names no source.
    #[default]
    Path,
    /// crates.io.
    CratesIo,
    /// Another registry, by its index as cargo writes it: `registry+URL` (git) or `sparse+URL`.
    Registry(String),
    /// A git repository.
    Git {
        /// Its URL, as cargo asks for it.
        url: String,
        /// What the manifest asks for.
        reference: GitReference,
        /// The commit that Cargo.lock pins, 40 or 64 hexadecimal digits.
        rev: String,
    },
}

/// What a manifest says of a git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GitReference {
    /// Nothing: the default branch.
    Default,
    /// `branch = "…"`
    Branch(String),
    /// `tag = "…"`
    Tag(String),
    /// `rev = "…"`
    Rev(String),
}

impl FromStr for CrateSource {
    type Err = String;

    /// Reads `source` of Cargo.lock.
    ///
    /// # Errors
    /// What is neither a registry nor a git repository with a commit.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("source `{}` of Cargo.lock: {why}", text.escape_debug());
        if text == CRATES_IO {
            return Ok(Self::CratesIo);
        }
        match text.split_once('+') {
            Some(("registry" | "sparse", url)) if !url.is_empty() => Ok(Self::Registry(text.into())),
            Some(("git", url)) => {
                let (url, rev) = url.rsplit_once('#').ok_or_else(|| wrong("it has no commit behind `#`"))?;
                let digits = rev.bytes().all(|b| b.is_ascii_hexdigit());
                if url.is_empty() || !digits || ![40, 64].contains(&rev.len()) {
                    return Err(wrong(
                        "expected git+URL#COMMIT, the commit with 40 or 64 hexadecimal digits",
                    ));
                }
                let (url, reference) = GitReference::split(url);
                Ok(Self::Git { url, reference, rev: rev.into() })
            }
            _ => Err(wrong("expected registry+URL, sparse+URL or git+URL#COMMIT")),
        }
    }
}

impl TryFrom<String> for CrateSource {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// As Cargo.lock writes it; nothing for a path.
impl fmt::Display for CrateSource {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Path => Ok(()),
            Self::CratesIo => f.write_str(CRATES_IO),
            Self::Registry(index) => f.write_str(index),
            Self::Git { url, reference, rev } => {
                write!(f, "git+{url}")?;
                if let Some((key, value)) = reference.query() {
                    let between = if url.contains('?') { '&' } else { '?' };
                    write!(f, "{between}{key}={}", encoded(value))?;
                }
                write!(f, "#{rev}")
            }
        }
    }
}

impl GitReference {
    /// A URL of Cargo.lock without what the manifest asks for, and that.
    fn split(url: &str) -> (String, Self) {
        let Some((base, query)) = url.split_once('?') else { return (url.into(), Self::Default) };
        let mut reference = Self::Default;
        let mut others = Vec::new();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "branch" => reference = Self::Branch(decoded(value)),
                "tag" => reference = Self::Tag(decoded(value)),
                "rev" | "ref" => reference = Self::Rev(decoded(value)),
                _ => others.push(pair),
            }
        }
        let url = if others.is_empty() { base.into() } else { format!("{base}?{}", others.join("&")) };
        (url, reference)
    }

    /// Key and value in cargo's terms; none for the default branch.
    pub fn query(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Default => None,
            Self::Branch(name) => Some(("branch", name)),
            Self::Tag(name) => Some(("tag", name)),
            Self::Rev(name) => Some(("rev", name)),
        }
    }
}

/// A value of a query, as versions 4 of Cargo.lock encode it (application/x-www-form-urlencoded). Git allows no space and no
/// control character in names, so that a value of version 3, which is not encoded, is the same.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"*-._".contains(&b);
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REV: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn sources_are_told_apart() {
        let parse = |text: &str| text.parse::<CrateSource>().unwrap();
        assert_eq!(parse(CRATES_IO), CrateSource::CratesIo);
        for index in ["registry+https://crates.example/index.git", "sparse+https://crates.example/index/"] {
            assert_eq!(parse(index), CrateSource::Registry(index.into()));
            assert_eq!(parse(index).to_string(), index);
        }
        let git = |query: &str, reference: GitReference| {
            let text = format!("git+ssh://git@git.example/team/wire.git{query}#{REV}");
            let expected = CrateSource::Git {
                url: "ssh://git@git.example/team/wire.git".into(),
                reference,
                rev: REV.into(),
            };
            assert_eq!(parse(&text), expected);
            assert_eq!(expected.to_string(), text);
        };
        git("", GitReference::Default);
        git("?branch=main", GitReference::Branch("main".into()));
        git("?tag=v1.0%2Bb", GitReference::Tag("v1.0+b".into()));
        git("?rev=0123", GitReference::Rev("0123".into()));
        let plain = parse(&format!("git+https://a.example/b?branch=feature/x#{REV}"));
        assert!(
            matches!(plain, CrateSource::Git { reference: GitReference::Branch(b), .. } if b == "feature/x")
        );
    }

    #[test]
    fn what_is_no_source_is_refused() {
        for bad in ["", "https://x", "svn+https://x", "git+https://x", "git+https://x#main", "registry+"] {
            let error = bad.parse::<CrateSource>().unwrap_err();
            assert!(error.contains(&format!("source `{bad}` of Cargo.lock: ")), "{error}");
        }
    }
}
