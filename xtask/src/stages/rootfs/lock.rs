//! `packages.lock`: name, version, architecture and sha256 of every installed package, by tabs, sorted.

use crate::error::{At, Error, Result};
use crate::tools::mmdebstrap::Finished;
use crate::tools::{capture, shell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use xshell::cmd;

/// Differences that an error shows.
const SHOWN: usize = 12;

/// The text for a root filesystem. Checksums come from the archive's signed index, or from our own packages.
pub fn text(finished: &Finished, debs: &[PathBuf]) -> Result<String> {
    let mut sums = BTreeMap::new();
    let wanted = installed(&finished.installed)?;
    let lists = BufReader::new(File::open(&finished.lists).at(&finished.lists)?);
    read_lists(lists, &wanted, &mut sums).at(&finished.lists)?;
    for deb in debs {
        let sh = shell(Path::new("/"))?;
        let format = "${Package}\t${Version}\t${Architecture}";
        let package = capture("dpkg-deb", cmd!(sh, "dpkg-deb --showformat={format} -W {deb}"))?;
        sums.insert(package, bundle::hash_file(deb).at(deb)?.sha256);
    }
    let line = |package: &String| match sums.get(package) {
        Some(sum) => Ok(format!("{package}\t{sum}\n")),
        None => Err(Error::check(format!("package {} is in no package list", package.replace('\t', " ")))
            .remedy("delete target/carveout/stages/rootfs-base and run the command again")),
    };
    wanted.iter().map(line).collect()
}

/// Refuses a root filesystem that differs from the pinned one.
pub fn enforce(pinned: &Path, text: &str) -> Result<()> {
    let expected = fs::read_to_string(pinned).at(pinned)?;
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (expected, found) = (lines(&expected), lines(text));
    let pinned_only = expected.difference(&found).map(|line| format!("  - {}", line.replace('\t', " ")));
    let found_only = found.difference(&expected).map(|line| format!("  + {}", line.replace('\t', " ")));
    let all: Vec<String> = pinned_only.chain(found_only).collect();
    if all.is_empty() {
        return Ok(());
    }
    let shown = all.get(..SHOWN.min(all.len())).unwrap_or_default().join("\n");
    let message = format!(
        "the root filesystem's packages are not those of {} ({} lines differ; - pinned, + found):\n{shown}",
        pinned.display(),
        all.len()
    );
    let remedy = "if the change is wanted, build once without rootfs.lock and take the new rootfs/packages.lock out of \
                  the bundle; if not, use a mirror that still has the pinned versions";
    Err(Error::check(message).remedy(remedy))
}

/// `name\tversion\tarchitecture` of all packages, which must all be wholly installed.
fn installed(text: &str) -> Result<BTreeSet<String>> {
    let package = |line: &str| match line.strip_prefix("installed\t") {
        Some(package) => Ok(package.to_owned()),
        None => Err(Error::check(format!("a package is not wholly installed: {}", line.replace('\t', " ")))),
    };
    text.lines().map(package).collect()
}

/// Finds the checksums of the wanted packages in the archive's lists.
fn read_lists(
    lists: impl BufRead,
    wanted: &BTreeSet<String>,
    sums: &mut BTreeMap<String, String>,
) -> std::io::Result<()> {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    for line in lists.lines() {
        let line = line?;
        if line.is_empty() {
            let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
            let package = [field("Package"), field("Version"), field("Architecture")].join("\t");
            if wanted.contains(&package) {
                sums.insert(package, field("SHA256"));
            }
            fields.clear();
            continue;
        }
        for name in ["Package", "Version", "Architecture", "SHA256"] {
            if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")) {
                fields.insert(name, value.to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn sums_come_from_the_lists() {
        let lists = "Package: a\nVersion: 1\nArchitecture: arm64\nDescription: x\n SHA256: no\nSHA256: abc\n\n\
                     Package: b\nVersion: 1\nArchitecture: all\nSHA256: def\n\n";
        let mut sums = BTreeMap::new();
        let wanted = installed("installed\ta\t1\tarm64\n").unwrap();
        read_lists(Cursor::new(lists), &wanted, &mut sums).unwrap();
        assert_eq!(sums, BTreeMap::from([("a\t1\tarm64".to_owned(), "abc".to_owned())]));
    }

    #[test]
    fn half_installed_packages_are_errors() {
        let error = installed("installed\ta\t1\tall\nhalf-configured\tb\t2\tall\n").unwrap_err();
        assert_eq!(error.message, "a package is not wholly installed: half-configured b 2 all");
    }

    #[test]
    fn a_pinned_list_is_enforced() {
        let dir = tempfile::tempdir().unwrap();
        let pinned = dir.path().join("lock");
        fs::write(&pinned, "a\t1\tall\tx\nb\t1\tall\ty\n").unwrap();
        assert_eq!(enforce(&pinned, "b\t1\tall\ty\na\t1\tall\tx\n"), Ok(()));
        let error = enforce(&pinned, "a\t2\tall\tz\nb\t1\tall\ty\n").unwrap_err();
        assert!(
            error.message.ends_with("(2 lines differ; - pinned, + found):\n  - a 1 all x\n  + a 2 all z"),
            "{error}"
        );
    }
}
