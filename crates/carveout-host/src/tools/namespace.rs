//! Programs that run as root with mounts of their own: in a mount namespace if we are root, else in a user namespace.
//!
//! Root of the user namespace is the user, and its other users are his subordinate ids: nobody else has to reach what he makes.

use super::{Scratch, capture, run, scratch, shell};
use crate::error::{At, Error, Result};
use crate::packages::is_root;
use rustix::fs::{XattrFlags, setxattr};
use rustix::mount::{UnmountFlags, unmount};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;
use xshell::cmd;

const ROOTS: [&str; 3] = ["unshare", "--mount", "--"];
const USERS: [&str; 5] = ["unshare", "--map-root-user", "--map-auto", "--mount", "--"];
/// Whether a folder holds what a root filesystem has: files of other users, and programs that run.
const PROBE: &str = r#"set -eu
cd "$1"
echo '#!/bin/sh' > probe
chown 1:1 probe
chmod 4755 probe
ln -s probe link
[ "$(stat -c %u:%g:%a probe)" = 1:1:4755 ]
./link
rm probe link"#;
const ATTRIBUTE: &str = "user.carveout";
/// Of a path: apt takes no quotes, and shells take some more for what they are not.
const PLAIN: &str = "/._-+=,@~ ";
/// Programs that are being ended may still write: times that a folder is removed, with `PAUSE` between.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// The words before a program that runs so. Root gets none where the kernel refuses mount namespaces: there mmdebstrap and our
/// scripts can mount nothing either.
pub fn entered(log: &Path) -> Result<&'static [&'static str]> {
    let sh = shell(Path::new("/"))?;
    let words: &[&str] = if is_root() { &ROOTS } else { &USERS };
    if is_root() {
        let works = capture("unshare", cmd!(sh, "env {words...} true")).is_ok();
        return Ok(if works { words } else { &[] });
    }
    run("a user namespace, in which a root filesystem is made,", cmd!(sh, "env {words...} true"), log)
        .map_err(|error| {
            error.remedy(
                "allow user namespaces on this host (sysctl user.max_user_namespaces; on Ubuntu 24.04 \
                 kernel.apparmor_restrict_unprivileged_userns=0), or run the command as root",
            )
        })?;
    Ok(words)
}

/// A folder for a root filesystem while it is made.
pub enum Folder {
    /// In the stage's: whatever ends this run, the stage's next one removes it.
    Stages(TempDir),
    /// In the system's for temporary files, where the stage's lies on a file system that cannot hold a root filesystem (a folder
    /// that a virtual machine shares, for example), or has a name that apt does not take.
    Systems(Scratch),
}

impl Folder {
    /// A new one: `own` is the stage's.
    pub fn new(own: TempDir) -> Result<Self> {
        if holds_roots(own.path()) {
            return Ok(Self::Stages(own));
        }
        scratch("rootfs").map(Self::Systems)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Stages(dir) => dir.path(),
            Self::Systems(dir) => dir.path(),
        }
    }
}

fn holds_roots(dir: &Path) -> bool {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || PLAIN.contains(c));
    let words: &[&str] = if is_root() { &[] } else { &USERS };
    let probe = || {
        let sh = shell(Path::new("/")).ok()?;
        capture("probe", cmd!(sh, "env {words...} sh -c {PROBE} sh {dir}")).ok()
    };
    dir.to_str().is_some_and(plain)
        && setxattr(dir, ATTRIBUTE, b"x", XattrFlags::empty()).is_ok()
        && probe().is_some()
}

/// Removes what such a program has left, whoever owns it, and with what is mounted in it.
pub fn remove(dir: &Path) -> Result<()> {
    for _ in 0..TRIES {
        for mounted in mounts_below(dir).into_iter().rev() {
            let _ = unmount(mounted, UnmountFlags::DETACH);
        }
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied && !is_root() => {
                let sh = shell(Path::new("/"))?;
                let remove = cmd!(sh, "env {USERS...} rm -rf --one-file-system -- {dir}");
                capture("removing what an interrupted run has left", remove)?;
            }
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => sleep(PAUSE),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(dir, &error)),
            _ => return Ok(()),
        }
    }
    fs::remove_dir_all(dir).at(dir)
}

/// What is mounted in a folder, outer ones first.
fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let points =
        table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    points.map(unescaped).filter(|point| point != dir && point.starts_with(dir)).collect()
}

/// The kernel writes blanks and such as `\` and three octal digits.
fn unescaped(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, more @ ..] = rest {
        match (first, more) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn mounts_are_read_as_the_kernel_writes_them() {
        assert_eq!(unescaped(br"/a\040b\134c"), Path::new(r"/a b\c"));
        assert_eq!(unescaped(br"/a\04"), Path::new(r"/a\04"));
        assert_eq!(unescaped(b"/\xff").as_os_str(), OsStr::from_bytes(b"/\xff"));
        assert!(mounts_below(Path::new("/")).contains(&"/proc".into()));
        assert!(!mounts_below(Path::new("/proc")).contains(&"/proc".into()));
    }

    #[test]
    fn what_is_there_goes_and_what_is_not_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::create_dir_all(path.join("b/c")).unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
        assert!(!holds_roots(&dir.path().join("nothing")));
        let quoted = dir.path().join("a\"b");
        fs::create_dir(&quoted).unwrap();
        assert!(!holds_roots(&quoted));
    }
}
