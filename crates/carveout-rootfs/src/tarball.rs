//! A root filesystem that is given as a tarball: what can be told of it before it is unpacked.

use super::lock::{self, Sums};
use crate::errors::RootfsError;
use carveout_host::error::{At, Result};
use carveout_host::packages;
use carveout_host::tools::{apt, tarball};
use carveout_product::Build;
use stage_cache::Work;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Where dpkg is, at one of these.
const DPKG: [&str; 2] = ["usr/bin/dpkg", "bin/dpkg"];
/// dpkg's list of packages.
const STATUS: &str = "var/lib/dpkg/status";
/// apt's lists of what archives have.
const LISTS: &str = "var/lib/apt/lists/";
/// Names of members that an error shows.
const SHOWN: usize = 4;
/// Whether it has dpkg, and its own sha256: two tarballs are two results.
const FACTS: &str = "facts";
/// `dpkg-query`'s lines of what is installed.
pub const INSTALLED: &str = "installed";
/// Checksums of packages.
pub const SUMS: &str = "sums";

/// Looks into a tarball and keeps what is found out.
pub fn examine(build: &Build, path: &Path, sha256: &str, work: &Work) -> Result<()> {
    let log = build.dirs().home().join("logs/host.log");
    let needs: Vec<packages::Need> = tarball::needs(path)?.into_iter().collect();
    packages::ensure(&needs, build.offline, &log, build.ui)?;
    let scratch = work.scratch()?;
    let mut found = Members::default();
    let mut lists: Vec<PathBuf> = Vec::new();
    tarball::read(path, work.log, &mut |member| {
        match found.add(&member.name) {
            Kind::Status => found.installed = lock::of_status(BufReader::new(member.reader))?,
            // With its ending: by that apt knows what compresses it.
            Kind::List(name) => {
                let list = scratch.path().join(name);
                std::io::copy(member.reader, &mut File::create(&list)?)?;
                lists.push(list);
            }
            Kind::Other => {}
        }
        Ok(())
    })?;
    if !(found.etc && found.programs) {
        return Err(RootfsError::NotARootFilesystem { path: path.into(), members: found.first }.into());
    }
    let mut sums = Sums::default();
    let packages = lock::installed(&found.installed);
    for list in lists {
        let plain = scratch.path().join("plain");
        apt::cat_file(&list, &plain, work.log)?;
        sums.add_lists(&plain, &packages)?;
    }
    sums.write(&work.out.join(SUMS))?;
    let facts = format!("{sha256}\ndpkg {}\n", found.dpkg);
    [(INSTALLED, found.installed), (FACTS, facts)].into_iter().try_for_each(|(name, text)| {
        let path = work.out.join(name);
        fs::write(&path, text).at(&path)
    })
}

/// Whether a tarball that has been examined has dpkg.
pub fn has_dpkg(base: &Path) -> Result<bool> {
    let path = base.join(FACTS);
    Ok(fs::read_to_string(&path).at(&path)?.lines().any(|line| line == "dpkg true"))
}

/// What the members of a tarball tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Members {
    etc: bool,
    programs: bool,
    dpkg: bool,
    installed: String,
    /// The first ones, as they are written.
    first: Vec<String>,
}

/// What is read of a member.
#[derive(Debug, PartialEq, Eq)]
enum Kind<'a> {
    Status,
    List(&'a str),
    Other,
}

impl Members {
    fn add<'a>(&mut self, member: &'a str) -> Kind<'a> {
        if self.first.len() < SHOWN {
            self.first.push(member.escape_debug().to_string());
        }
        let name = member.trim_start_matches("./").trim_start_matches('/');
        self.etc |= name.starts_with("etc/");
        self.programs |= name.starts_with("usr/") || name.starts_with("bin/");
        self.dpkg |= DPKG.contains(&name);
        match name.strip_prefix(LISTS) {
            Some(file) if file.contains("_Packages") && !file.contains('/') => Kind::List(file),
            _ if name == STATUS => Kind::Status,
            _ => Kind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &[&str]) -> Members {
        let mut members = Members::default();
        for name in names {
            members.add(name);
        }
        members
    }

    #[test]
    fn root_filesystems_are_known_however_they_are_packed() {
        let list = "archive_debian_dists_bookworm_main_binary-arm64_Packages.lz4";
        for prefix in ["", "./", "/"] {
            let names = ["", "etc/passwd", "usr/bin/dpkg"].map(|name| format!("{prefix}{name}"));
            let found = members(&names.each_ref().map(String::as_str));
            assert!(found.etc && found.programs && found.dpkg, "{prefix}");
            let add = |name: &str| {
                let member = format!("{prefix}{name}");
                format!("{:?}", Members::default().add(&member))
            };
            assert_eq!(add(STATUS), "Status");
            assert_eq!(add(&format!("{LISTS}{list}")), format!("List({list:?})"));
            assert_eq!(add(&format!("{LISTS}partial/{list}")), "Other");
            assert_eq!(add(&format!("{LISTS}x_InRelease")), "Other");
        }
        let found = members(&["etc/", "bin/sh"]);
        assert!(found.etc && found.programs && !found.dpkg);
        assert!(!members(&["rootfs/etc/passwd", "rootfs/usr/bin/dpkg"]).etc);
    }

    #[test]
    fn what_is_no_root_filesystem_is_named() {
        let members = members(&["rootfs/", "rootfs/etc/", "a", "b", "c"]).first;
        let error = RootfsError::NotARootFilesystem { path: "x.tar".into(), members }.to_string();
        assert!(error.ends_with("its first members are: rootfs/, rootfs/etc/, a, b"), "{error}");
    }
}
