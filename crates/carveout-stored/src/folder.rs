//! The files of one trusted app, in a folder.

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use storage_proxy::Files;
use trusty_abi::storage::Outcome;

/// Most files of a trusted app: its contents, its tables, and what is being written.
const MOST: usize = 1024;

/// A folder. Names have been looked at by [`storage_proxy`].
#[derive(Debug)]
pub struct Folder {
    dir: File,
    /// What was written since it was last brought to the disk.
    unsynced: BTreeSet<String>,
    /// Whether files came or went.
    changed: bool,
}

impl Folder {
    /// Opens it, and makes it if it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(CWD, path, flags, Mode::empty())?.into();
        Ok(Self { dir, unsynced: BTreeSet::new(), changed: false })
    }

    fn file(&self, name: &str, flags: OFlags) -> Result<File, Outcome> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file: File = rustix::fs::openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| outcome(&error.into()))?
            .into();
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file { Ok(file) } else { Err(Outcome::Access) }
    }

    fn count(&self) -> Result<usize, Outcome> {
        let entries = rustix::fs::Dir::read_from(&self.dir).map_err(|error| outcome(&error.into()))?;
        Ok(entries.count())
    }
}

fn outcome(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::NotFound => Outcome::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Outcome::Access,
        _ => Outcome::Generic,
    }
}

fn done<T>(result: io::Result<T>) -> Result<T, Outcome> {
    result.map_err(|error| outcome(&error))
}

impl Files for Folder {
    fn open(&mut self, name: &str, create: bool, truncate: bool) -> Result<(), Outcome> {
        let file = match self.file(name, OFlags::RDWR) {
            Err(Outcome::NotFound) if create => {
                if self.count()? >= MOST {
                    return Err(Outcome::Generic);
                }
                self.changed = true;
                self.file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?
            }
            opened => opened?,
        };
        if truncate && done(file.metadata())?.len() > 0 {
            self.unsynced.insert(name.to_owned());
            done(file.set_len(0))?;
        }
        Ok(())
    }

    fn read(&mut self, name: &str, offset: u64, size: usize) -> Result<Vec<u8>, Outcome> {
        let file = self.file(name, OFlags::RDONLY)?;
        let mut bytes = vec![0; size];
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset.saturating_add(read as u64)) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(outcome(&error)),
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), Outcome> {
        let file = self.file(name, OFlags::WRONLY)?;
        self.unsynced.insert(name.to_owned());
        done(file.write_all_at(bytes, offset))
    }

    fn size(&mut self, name: &str) -> Result<u64, Outcome> {
        done(self.file(name, OFlags::RDONLY)?.metadata()).map(|metadata| metadata.len())
    }

    fn delete(&mut self, name: &str) -> Result<(), Outcome> {
        rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()).map_err(|error| outcome(&error.into()))?;
        self.unsynced.remove(name);
        self.changed = true;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Outcome> {
        while let Some(name) = self.unsynced.first().cloned() {
            done(self.file(&name, OFlags::WRONLY)?.sync_data())?;
            self.unsynced.remove(&name);
        }
        if self.changed {
            done(self.dir.sync_all())?;
            self.changed = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn files_are_kept_and_links_and_others_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/com.test");
        let mut folder = Folder::open(&path).unwrap();
        assert_eq!(folder.open("a", false, false), Err(Outcome::NotFound));
        folder.open("a", true, true).unwrap();
        folder.write("a", 3, b"xyz").unwrap();
        folder.sync().unwrap();
        assert_eq!((folder.size("a"), folder.read("a", 1, 100)), (Ok(6), Ok(b"\0\0xyz".to_vec())));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("a"))), (0o700, 0o600));
        let mut again = Folder::open(&path).unwrap();
        again.open("a", true, true).unwrap();
        assert_eq!(again.size("a"), Ok(0));
        again.delete("a").unwrap();
        assert_eq!((again.delete("a"), again.sync()), (Err(Outcome::NotFound), Ok(())));

        std::fs::write(dir.path().join("outside"), "secret").unwrap();
        symlink(dir.path().join("outside"), path.join("link")).unwrap();
        std::fs::create_dir(path.join("folder")).unwrap();
        for name in ["link", "folder"] {
            assert!(folder.open(name, true, true).is_err() && folder.read(name, 0, 9).is_err(), "{name}");
        }
        assert_eq!(std::fs::read(dir.path().join("outside")).unwrap(), b"secret");
    }

    #[test]
    fn a_trusted_app_cannot_make_files_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(&dir.path().join("p")).unwrap();
        let made = (0..2 * MOST).take_while(|n| folder.open(&format!("f{n}"), true, false).is_ok()).count();
        assert!((MOST - 2..=MOST).contains(&made), "{made}");
    }
}
