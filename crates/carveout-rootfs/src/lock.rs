//! `packages.lock`: name, version, architecture and sha256 of every installed package, by tabs, sorted. Of a root filesystem
//! that is given, the sha256 is `-` where neither a package file nor an archive's index tells it.

use crate::errors::LockError;
use carveout_host::error::{At, Result};
use carveout_host::tools::dpkg;
use carveout_host::tools::dpkg::Control;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Stands for a checksum that nobody knows.
const UNKNOWN: &str = "-";

/// Packages by name, version and architecture, separated by tabs.
pub type Packages = BTreeSet<String>;

/// Their checksums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(
    BTreeMap<String, String>,
    /// Those that archives disagree on: which of them is installed, nothing tells.
    Packages,
);

impl Sums {
    /// Adds those of an archive's index, of the wanted packages.
    pub fn add_lists(&mut self, lists: &Path, wanted: &Packages) -> Result<()> {
        let reader = BufReader::new(File::open(lists).at(lists)?);
        self.read_lists(reader, wanted).at(lists)
    }

    fn read_lists(&mut self, lists: impl BufRead, wanted: &Packages) -> std::io::Result<()> {
        dpkg::stanzas(lists, &["Package", "Version", "Architecture", "SHA256"], |fields| {
            let package = dpkg::identity(fields);
            if let Some(sum) = fields.get("SHA256").filter(|_| wanted.contains(&package)) {
                let other = self.0.insert(package.clone(), sum.clone());
                if other.is_some_and(|other| other != *sum) {
                    self.1.insert(package);
                }
            }
        })
    }

    /// Adds those of package files.
    pub fn add_debs(&mut self, debs: &[PathBuf]) -> Result<()> {
        for deb in debs {
            self.0.insert(Control::read(deb)?.identity, bundle::hash_file(deb).at(deb)?.sha256);
        }
        Ok(())
    }

    /// Reads what [`Sums::write`] has written.
    pub fn read(path: &Path) -> Result<Self> {
        let text = carveout_host::files::read_to_string(path)?;
        let pairs = text.lines().filter_map(|line| line.rsplit_once('\t'));
        let sums = pairs.map(|(package, sum)| (package.to_owned(), sum.to_owned())).collect();
        Ok(Self(sums, Packages::new()))
    }

    /// Keeps them in a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let lines: String = self.0.iter().map(|(package, sum)| format!("{package}\t{sum}\n")).collect();
        fs::write(path, lines).at(path)
    }
}

/// The text for a root filesystem whose packages are all known to an archive or are ours.
pub fn text(packages: &Packages, sums: &Sums) -> Result<String> {
    if let Some(package) = sums.1.iter().next() {
        return Err(LockError::ArchivesDisagree { package: package.replace('\t', " ") }.into());
    }
    let line = |package: &String| match sums.0.get(package) {
        Some(sum) => Ok(format!("{package}\t{sum}\n")),
        None => Err(LockError::NotListed { package: package.replace('\t', " ") }.into()),
    };
    packages.iter().map(line).collect()
}

/// The text for a root filesystem that is given.
pub fn text_of_given(packages: &Packages, sums: &Sums) -> String {
    let sum = |package| sums.0.get(package).map(String::as_str).unwrap_or(UNKNOWN);
    packages.iter().map(|package| format!("{package}\t{}\n", sum(package))).collect()
}

/// All packages of `dpkg-query`'s lines (status, name, version, architecture), which must all be wholly installed.
pub fn wholly_installed(text: &str) -> Result<Packages> {
    let package = |line: &str| match line.strip_prefix(INSTALLED) {
        Some(package) => Ok(package.to_owned()),
        None => Err(LockError::HalfInstalled { package: line.replace('\t', " ") }.into()),
    };
    text.lines().map(package).collect()
}

const INSTALLED: &str = "installed\t";

/// The installed packages of `dpkg-query`'s lines; what has been removed and left its settings is none.
pub fn installed(text: &str) -> Packages {
    text.lines().filter_map(|line| line.strip_prefix(INSTALLED)).map(str::to_owned).collect()
}

/// The same of dpkg's status file, as `dpkg-query` would print it.
pub fn of_status(status: impl BufRead) -> std::io::Result<String> {
    let mut lines = BTreeSet::new();
    dpkg::stanzas(status, &["Package", "Version", "Architecture", "Status"], |fields| {
        let state = fields.get("Status").and_then(|status| status.split_whitespace().nth(2));
        lines.insert(format!("{}\t{}\n", state.unwrap_or_default(), dpkg::identity(fields)));
    })?;
    Ok(lines.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn sums_come_from_the_lists() {
        let lists = "Package: a\nVersion: 1\nArchitecture: arm64\nDescription: x\n SHA256: no\nSHA256: abc\n\n\
                     Package: b\nVersion: 1\nArchitecture: all\nSHA256: def\n\n";
        let mut sums = Sums::default();
        let wanted = wholly_installed("installed\ta\t1\tarm64\n").unwrap();
        sums.read_lists(Cursor::new(lists), &wanted).unwrap();
        assert_eq!(sums.0, BTreeMap::from([("a\t1\tarm64".to_owned(), "abc".to_owned())]));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sums");
        sums.write(&path).unwrap();
        assert_eq!(Sums::read(&path).unwrap(), sums);
    }

    #[test]
    fn archives_that_disagree_are_refused() {
        let stanza = |sum| format!("Package: a\nVersion: 1\nArchitecture: all\nSHA256: {sum}\n\n");
        let wanted = wholly_installed("installed\ta\t1\tall\n").unwrap();
        let text = |lists: String| {
            let mut sums = Sums::default();
            sums.read_lists(Cursor::new(lists), &wanted).unwrap();
            super::text(&wanted, &sums)
        };
        assert_eq!(text(stanza("abc") + &stanza("abc")).unwrap(), "a\t1\tall\tabc\n");
        let error = text(stanza("abc") + &stanza("def")).unwrap_err();
        assert!(error.message.contains("two archives have package a 1 all"), "{error}");
    }

    #[test]
    fn half_installed_packages_are_errors() {
        let text = "installed\ta\t1\tall\nhalf-configured\tb\t2\tall\n";
        let error = wholly_installed(text).unwrap_err();
        assert_eq!(error.message, "a package is not wholly installed: half-configured b 2 all");
        assert_eq!(installed(text), BTreeSet::from(["a\t1\tall".to_owned()]));
    }

    #[test]
    fn a_given_root_filesystem_lacks_sums() {
        let status = "Package: b\nStatus: install ok installed\nArchitecture: arm64\nVersion: 2\n\n\
                      Package: a\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n";
        let text = of_status(Cursor::new(status)).unwrap();
        assert_eq!(text, "config-files\ta\t1\tall\ninstalled\tb\t2\tarm64\n");
        let packages = installed(&text);
        assert_eq!(text_of_given(&packages, &Sums::default()), "b\t2\tarm64\t-\n");
        assert!(super::text(&packages, &Sums::default()).unwrap_err().message.contains("b 2 arm64"));
    }
}
