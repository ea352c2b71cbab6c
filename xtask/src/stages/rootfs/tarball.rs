//! A root filesystem that is given as a tarball: what can be told of it before it is unpacked.

use super::lock::{self, Sums};
use crate::error::{At, Error, Result};
use crate::host;
use crate::stage::Work;
use crate::stages::{Build, home};
use crate::tools::{apt, tarball};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

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
    host::ensure(
        &tarball::needs(path)?,
        build.offline,
        &home(&build.workspace.root).join("logs/host.log"),
        build.ui,
    )?;
    let members = tarball::names(path, work.log)?;
    let found = Members::of(&members);
    if !found.is_root {
        return Err(no_root(path, &members));
    }
    let scratch = crate::tools::scratch("tarball")?;
    let wanted: Vec<String> = found.status.iter().chain(&found.lists).cloned().collect();
    tarball::extract(path, &wanted, scratch.path(), work.log)?;
    let mut installed = String::new();
    if let Some(status) = &found.status {
        let status = scratch.path().join(status.trim_start_matches('/'));
        // A link, for one, leads nowhere here.
        if status.is_file() {
            installed =
                File::open(&status).and_then(|file| lock::of_status(BufReader::new(file))).at(&status)?;
        }
    }
    let mut sums = Sums::default();
    let packages = lock::installed(&installed);
    for name in &found.lists {
        let plain = scratch.path().join("list");
        apt::cat_file(&scratch.path().join(name.trim_start_matches('/')), &plain, work.log)?;
        sums.add_lists(&plain, &packages)?;
    }
    sums.write(&work.out.join(SUMS))?;
    let texts = [(INSTALLED, installed), (FACTS, format!("{sha256}\ndpkg {}\n", found.dpkg))];
    texts.into_iter().try_for_each(|(name, text)| {
        let path = work.out.join(name);
        fs::write(&path, text).at(&path)
    })
}

/// Whether a tarball that has been examined has dpkg.
pub fn has_dpkg(base: &Path) -> Result<bool> {
    let path = base.join(FACTS);
    Ok(fs::read_to_string(&path).at(&path)?.lines().any(|line| line == "dpkg true"))
}

/// The error of client apps without dpkg.
pub fn no_dpkg(path: &Path, apps: &[String], config: &Path) -> Error {
    let message =
        format!("{}: has no dpkg, which installs the client apps: {}", path.display(), apps.join(", "));
    Error::usage(message).remedy(format!(
        "add dpkg to the tarball, or take client_apps out of {}: then the tarball is taken as it is",
        config.display()
    ))
}

fn no_root(path: &Path, members: &[String]) -> Error {
    let first = members.get(..SHOWN.min(members.len())).unwrap_or_default().join(", ");
    let message = format!(
        "{}: is no root filesystem: it has no etc/ with usr/ or bin/ at its top; its first members are: {first}",
        path.display()
    );
    Error::usage(message).remedy("pack it from inside: tar -C ROOTFS --numeric-owner --xattrs -cf FILE.tar .")
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Members {
    is_root: bool,
    dpkg: bool,
    status: Option<String>,
    lists: Vec<String>,
}

impl Members {
    fn of(members: &[String]) -> Self {
        let mut found = Self::default();
        let (mut etc, mut programs) = (false, false);
        for member in members {
            let name = member.trim_start_matches("./").trim_start_matches('/');
            etc |= name.starts_with("etc/");
            programs |= name.starts_with("usr/") || name.starts_with("bin/");
            found.dpkg |= DPKG.contains(&name);
            if name == STATUS {
                found.status = Some(member.clone());
            }
            if name.strip_prefix(LISTS).is_some_and(|file| file.contains("_Packages") && !file.contains('/'))
            {
                found.lists.push(member.clone());
            }
        }
        found.is_root = etc && programs;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &[&str]) -> Members {
        Members::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn root_filesystems_are_known_however_they_are_packed() {
        let list = "var/lib/apt/lists/archive_debian_dists_bookworm_main_binary-arm64_Packages.lz4";
        for prefix in ["", "./", "/"] {
            let names =
                ["", "etc/passwd", "usr/bin/dpkg", STATUS, list].map(|name| format!("{prefix}{name}"));
            let found = Members::of(&names);
            assert!(found.is_root && found.dpkg, "{prefix}");
            assert_eq!(found.status.as_deref(), Some(names[3].as_str()));
            assert_eq!(found.lists, [names[4].clone()]);
        }
        let found =
            members(&["etc/", "bin/sh", "var/lib/apt/lists/partial/", "var/lib/apt/lists/x_InRelease"]);
        assert_eq!(found, Members { is_root: true, ..Members::default() });
        assert!(!members(&["rootfs/etc/passwd", "rootfs/usr/bin/dpkg"]).is_root);
        assert!(!members(&["etc/passwd"]).is_root);
    }

    #[test]
    fn what_is_no_root_filesystem_is_named() {
        let names = ["rootfs/", "rootfs/etc/", "a", "b", "c"].map(str::to_owned);
        let error = no_root(Path::new("x.tar"), &names);
        assert!(error.message.ends_with("its first members are: rootfs/, rootfs/etc/, a, b"), "{error}");
    }
}
