//! The archives that a root filesystem is made of: the build host's own, and those of a product.

use super::mode::open;
use super::settings::ARCHITECTURE;
use super::{explain, settings};
use crate::errors::PackagesError;
use carveout_host::error::{At, Result};
use carveout_host::tools::apt::PrivateApt;
use carveout_product::Mirror;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of keys in that of a run.
const KEYS: &str = "keys";
const ARMOR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Where packages come from, and which versions.
#[derive(Clone, Debug, Default)]
pub struct Archives {
    sources: String,
    preferences: String,
    keys: Vec<PathBuf>,
}

impl Archives {
    /// The build host's own for a suite, and the mirrors. `preferences` are apt's, to be used while packages are installed.
    pub fn new(suite: &str, mirrors: &[Mirror], preferences: &str) -> Result<Self> {
        let sources = settings::sources(suite)? + &settings::mirrors(mirrors);
        let keys = mirrors.iter().filter_map(|mirror| mirror.key.clone()).collect();
        Ok(Self { sources, preferences: preferences.into(), keys })
    }

    /// apt's sources; empty where mmdebstrap takes its defaults.
    pub fn sources(&self) -> &str {
        &self.sources
    }

    /// apt's preferences, or nothing.
    pub fn preferences(&self) -> &str {
        &self.preferences
    }

    /// Copies the keys of the mirrors into a folder of `dir`, as apt expects them. Returns the folder if there are any.
    pub fn put_keys(&self, dir: &Path) -> Result<Option<PathBuf>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let folder = dir.join(KEYS);
        fs::create_dir(&folder).at(&folder)?;
        open(&folder, 0o755)?;
        for (index, key) in self.keys.iter().enumerate() {
            let bytes = carveout_host::files::read(key)?;
            let ending = ending(&bytes).ok_or_else(|| PackagesError::NotAKey { path: key.clone() })?;
            let to = folder.join(format!("mirror-{index}.{ending}"));
            fs::write(&to, bytes).at(&to)?;
            open(&to, 0o644)?;
        }
        Ok(Some(folder))
    }

    /// What the archives have, all stanzas in one file; `None` where mmdebstrap takes its defaults. Signatures are checked.
    pub fn index(&self, dir: &Path, log: &Path) -> Result<Option<PathBuf>> {
        if self.sources.is_empty() {
            return Ok(None);
        }
        let apt = PrivateApt::new(dir, ARCHITECTURE)?;
        let keys = self.put_keys(dir)?;
        let apt = apt.with_sources(&self.sources, keys.as_deref())?;
        apt.update(log).map_err(|error| explain::with_first_error(error, log))?;
        let lists = dir.join("all");
        apt.cat_lists(&lists, log)?;
        Ok(Some(lists))
    }
}

/// By what apt tells keys apart: `.asc` for armored ones, `.gpg` for others. Nothing for what is no public key.
fn ending(bytes: &[u8]) -> Option<&'static str> {
    let is_armored = String::from_utf8_lossy(bytes).lines().any(|line| line.trim_end() == ARMOR);
    // RFC 4880, 4.2: packet tag 6 is a public key, in the old form (with two bits of length) or the new one.
    let is_binary =
        bytes.first().is_some_and(|first| *first == 0xc6 || (first & 0xc0 == 0x80 && (first >> 2) & 15 == 6));
    match (is_armored, is_binary) {
        (true, _) => Some("asc"),
        (_, true) => Some("gpg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(ending(format!("{ARMOR}\n\nmQ==\n").as_bytes()), Some("asc"));
        assert_eq!(ending(format!("a comment\r\n{ARMOR}\r\n").as_bytes()), Some("asc"));
        assert_eq!(ending(&[0x99, 1, 13, 4]), Some("gpg"));
        assert_eq!(ending(&[0xc6, 0x33, 4]), Some("gpg"));
        for bad in [&b""[..], b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", &[0x95, 1], &[0xc5, 1], b"deb x"] {
            assert_eq!(ending(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn keys_get_into_the_folder_of_a_run() {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad) = (dir.path().join("good"), dir.path().join("bad"));
        fs::write(&good, [0x98, 1]).unwrap();
        fs::write(&bad, "x").unwrap();
        let put = |keys: &[&PathBuf], to: &str| {
            let to = dir.path().join(to);
            fs::create_dir(&to).unwrap();
            let archives =
                Archives { keys: keys.iter().map(|key| (*key).clone()).collect(), ..Archives::default() };
            archives.put_keys(&to)
        };
        let folder = put(&[&good, &good], "a").unwrap().unwrap();
        assert!(folder.join("mirror-0.gpg").exists() && folder.join("mirror-1.gpg").exists());
        assert_eq!(put(&[], "b"), Ok(None));
        let error = put(&[&bad], "c").unwrap_err();
        assert!(error.message.ends_with("bad: is no OpenPGP public key"), "{error}");
    }
}
