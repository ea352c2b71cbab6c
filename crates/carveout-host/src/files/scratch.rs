//! Folders of our own, in the system's folder for temporary files or beside what is written, locked for as long as they are used.
//!
//! A lock says what a process's number cannot: a container does not see the processes of another that shares the folder.

use crate::error::{At, Result};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// How their names begin in the system's folder for temporary files.
const PREFIX: &str = "carveout-scratch-";
/// Mode of a scratch folder: programs that run as another user have to get at what is in it.
const ENTERED: u32 = 0o755;
/// Mode of a folder beside what is written.
const OWN: u32 = 0o700;
/// How often a new folder may vanish: somebody else's sweep has seen it before it was locked.
const TRIES: u32 = 100;

/// A folder that nobody else can write to, and that goes with this.
#[derive(Debug)]
pub struct Scratch {
    // First: it is removed while it is locked.
    dir: tempfile::TempDir,
    _lock: File,
}

impl Scratch {
    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// A scratch folder. What interrupted runs have left is removed.
pub fn scratch(name: &str) -> Result<Scratch> {
    let temporary = std::env::temp_dir();
    sweep(&temporary, PREFIX);
    new_in(&temporary, &format!("{PREFIX}{name}-"), ENTERED).at(&temporary)
}

/// The same in a folder, with a name that begins with `prefix`, which nothing else has there. Nobody else can enter it.
pub fn beside(folder: &Path, prefix: &str) -> io::Result<Scratch> {
    sweep(folder, prefix);
    new_in(folder, prefix, OWN)
}

fn new_in(folder: &Path, prefix: &str, mode: u32) -> io::Result<Scratch> {
    for _ in 0..TRIES {
        let dir = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(Permissions::from_mode(mode))
            .tempdir_in(folder)?;
        // Some filesystems have no locks; then nobody sweeps there either.
        let Ok(lock) = File::open(dir.path()) else { continue };
        let _ = lock.lock();
        if dir.path().exists() {
            return Ok(Scratch { dir, _lock: lock });
        }
    }
    Err(io::Error::other("scratch folders vanish as soon as they are made"))
}

/// Removes folders of ours that nobody has locked.
fn sweep(folder: &Path, prefix: &str) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(prefix)
            // Not of what a link points to.
            && entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own);
        if !ours {
            continue;
        }
        let Ok(lock) = File::open(entry.path()) else { continue };
        if lock.try_lock().is_ok() {
            let _ = crate::tools::namespace::remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_locked_or_anothers_stays_and_the_rest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let used = new_in(dir.path(), "carveout-scratch-flash-", ENTERED).unwrap();
        fs::write(used.path().join("file"), "x").unwrap();
        let left = path("carveout-scratch-desk-1");
        fs::create_dir_all(left.join("sub")).unwrap();
        fs::create_dir(path("notes")).unwrap();
        fs::create_dir(path("carveout-notes-1")).unwrap();
        std::os::unix::fs::symlink(path("notes"), path("carveout-scratch-link")).unwrap();
        sweep(dir.path(), PREFIX);
        assert!(!left.exists());
        assert!(used.path().join("file").exists());
        assert!(
            path("notes").exists()
                && path("carveout-notes-1").exists()
                && path("carveout-scratch-link").exists()
        );
        let gone = used.path().to_owned();
        drop(used);
        assert!(!gone.exists());
    }

    #[test]
    fn makers_and_sweepers_at_once_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        sweep(dir.path(), PREFIX);
                        let made = new_in(dir.path(), PREFIX, OWN).unwrap();
                        fs::write(made.path().join("file"), "x").unwrap();
                        sweep(dir.path(), PREFIX);
                        assert!(made.path().join("file").exists());
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
