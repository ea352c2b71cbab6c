//! The one way that files are opened and written, whoever else can write where they lie.
//!
//! What is read must be a regular file. What is written is made in a folder of our own beside its target, which nobody else can
//! enter, synced, and renamed when it is whole: a link at the target's name is refused, none is followed, and what fails or is
//! killed leaves the target as it was.

pub mod durable;
mod scratch;
mod walk;

pub use durable::{parent, sync_folder};
pub use scratch::{Scratch, beside, scratch};
pub use walk::{DirEntry, below, list, walk};

use crate::error::{At, Error, Result};
use crate::errors::FileError;
use crate::interrupt;
use crate::ui::Ui;
use bundle::NotAFile;
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Mode of what anybody may read.
pub const OUTPUT: u32 = 0o644;
/// Mode of keys, and of what holds a device's secrets.
pub const SECRET: u32 = 0o600;
/// How names of our folders beside a target begin.
const TEMPORARY: &str = ".carveout-new-";
/// The lock of a folder that several may write to.
const LOCK: &str = ".carveout.lock";
const LOOK: Duration = Duration::from_millis(100);

/// Opens a regular file for reading.
pub fn open(path: &Path) -> Result<File> {
    bundle::open(path).at(path)
}

/// Reads a regular file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).at(path)?;
    Ok(bytes)
}

/// Reads a regular file of UTF-8 text.
pub fn read_to_string(path: &Path) -> Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text).at(path)?;
    Ok(text)
}

/// Reads a regular file of at most `most` bytes.
pub fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).at(path)?;
    if bytes.len() as u64 > most {
        let length = fs::metadata(path).at(path)?.len();
        return Err(FileError::TooLarge { path: path.into(), length, most }.into());
    }
    Ok(bytes)
}

/// A file that is being written: it has its name when it is published, and is gone if it never is.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    mode: u32,
    // Last: it takes with it what is still there.
    _folder: Scratch,
}

impl NewFile {
    /// Begins a file that is to be `target`, with this mode: [`OUTPUT`] or [`SECRET`]. What has that name now may be a regular
    /// file, which is there until the new one is; nothing else.
    pub fn create(target: &Path, mode: u32) -> Result<Self> {
        let name = target.file_name().ok_or_else(|| FileError::NoName { path: target.into() })?;
        ensure_replaceable(target)?;
        let parent = parent(target);
        let folder = beside(parent, TEMPORARY).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FileError::NoFolder { path: target.into(), folder: parent.into() },
            _ => FileError::of(parent, &error),
        })?;
        let path = folder.path().join(name);
        let options = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).clone();
        let file = options.open(&path).at(target)?;
        Ok(Self { file, path, target: target.into(), mode, _folder: folder })
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is until then: for programs that write it by name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, for good: when this returns, it lasts.
    pub fn publish(self) -> Result<()> {
        ensure_replaceable(&self.target)?;
        self.ready()?;
        fs::rename(&self.path, &self.target).at(&self.target)?;
        sync_folder(parent(&self.target))
    }

    /// The same, if nothing has the name.
    pub fn publish_new(self) -> Result<()> {
        self.ready()?;
        let renamed = match renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::NOREPLACE) {
            // Not every filesystem knows the flag; a second name never replaces another.
            Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(&self.path, &self.target).or_else(|error| {
                let free =
                    fs::symlink_metadata(&self.target).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
                // Nor has every one second names. What has taken so long to read is not thrown away.
                if free { fs::rename(&self.path, &self.target) } else { Err(error) }
            }),
            other => other.map_err(Into::into),
        };
        match renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(&self.target)),
            other => other.at(&self.target),
        }?;
        sync_folder(parent(&self.target))
    }

    /// A program may have made the file anew: what is there is what counts.
    fn ready(&self) -> Result<()> {
        let file = bundle::open(&self.path).at(&self.target)?;
        file.set_permissions(Permissions::from_mode(self.mode))
            .and_then(|()| file.sync_all())
            .at(&self.target)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a file as a whole.
pub fn write(target: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    let mut new = NewFile::create(target, mode)?;
    new.write_all(content.as_ref()).at(target)?;
    new.publish()
}

/// Copies a regular file.
pub fn copy(from: &Path, target: &Path, mode: u32) -> Result<()> {
    let mut new = NewFile::create(target, mode)?;
    io::copy(&mut open(from)?, &mut new).at(target)?;
    new.publish()
}

/// Writes a file in a folder of our own, where it has not to last: nothing is followed, and what has its name is removed.
pub fn put(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let mut file = make(path)?;
    file.write_all(content.as_ref()).at(path)
}

/// The same, and the folders above it.
pub fn put_below(folder: &Path, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
    let path = folder.join(name);
    let parent = parent(&path);
    fs::create_dir_all(parent).at(parent)?;
    put(&path, content)
}

/// Makes a file in a folder of our own, as [`put`] does.
pub fn make(path: &Path) -> Result<File> {
    let _ = fs::remove_file(path);
    OpenOptions::new().read(true).write(true).create_new(true).open(path).at(path)
}

/// That something has the name which a new file is to get.
pub fn exists(target: &Path) -> Error {
    FileError::Exists { path: target.into() }.into()
}

/// Opens a log, to append to it; `anew` empties it.
fn open_log(path: &Path, anew: bool) -> Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).custom_flags(flags.bits() as i32).open(path);
    let file = file.map_err(|error| link(path).unwrap_or_else(|| Error::io(path, &error)))?;
    if let Some(what) = NotAFile::of(file.metadata().at(path)?.file_type()) {
        return Err(not_replaced(path, &what));
    }
    if anew {
        file.set_len(0).at(path)?;
    }
    Ok(file)
}

/// Opens a log, to append to it.
pub fn log(path: &Path) -> Result<File> {
    open_log(path, false)
}

/// Begins a log.
pub fn new_log(path: &Path) -> Result<File> {
    open_log(path, true)
}

/// Appends a line to a file that several write to: all of it, or nothing.
pub fn append(path: &Path, line: &str) -> Result<()> {
    let mut file = log(path)?;
    // A line is written at once: where there are no locks it comes through as well.
    match hold(&file, path, || ()) {
        Err(error) if error.exit == crate::error::Exit::Interrupted => return Err(error),
        _ => {}
    }
    let length = file.seek(SeekFrom::End(0)).at(path)?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).at(path)?;
    }
    // Behind a line that was cut off, the next one would be lost with it.
    let begin = if last == [b'\n'] { "" } else { "\n" };
    let written = file.write_all(format!("{begin}{line}\n").as_bytes()).and_then(|()| file.sync_data());
    written.at(path).inspect_err(|_| drop(file.set_len(length)))
}

/// Takes a lock, waiting for whoever has it. The lock's file is never written to: it may be anybody's.
pub fn lock(path: &Path) -> Result<File> {
    lock_with(path, || ())
}

/// The same; says so if it has to wait.
pub fn lock_told(path: &Path, ui: &Ui) -> Result<File> {
    let wait = || ui.note(&format!("waiting for another carveout that writes to {}", parent(path).display()));
    lock_with(path, wait)
}

/// Locks a folder that several may write to, also from other clones and hosts' containers; says so if it has to wait.
pub fn lock_folder(folder: &Path, ui: &Ui) -> Result<File> {
    lock_told(&folder.join(LOCK), ui)
}

/// Takes a lock if nobody has it.
pub fn try_lock(path: &Path) -> Result<Option<File>> {
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::io(path, &error)),
    }
}

fn lock_with(path: &Path, wait: impl Fn()) -> Result<File> {
    let file = open_lock(path)?;
    hold(&file, path, wait)?;
    Ok(file)
}

fn open_lock(path: &Path) -> Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.custom_flags(flags.bits() as i32).mode(OUTPUT);
    // NFS locks only what is open for writing. Another user's lock cannot be written to, and need not elsewhere.
    let opened = match options.clone().read(true).write(true).create(true).truncate(false).open(path) {
        Err(error)
            if [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem]
                .contains(&error.kind()) =>
        {
            options.read(true).open(path)
        }
        other => other,
    };
    let file = opened.map_err(|error| link(path).unwrap_or_else(|| Error::io(path, &error)))?;
    if let Some(what) = NotAFile::of(file.metadata().at(path)?.file_type()) {
        return Err(not_replaced(path, &what));
    }
    Ok(file)
}

/// Locks an open file.
pub fn hold(file: &File, path: &Path, wait: impl Fn()) -> Result<()> {
    let mut waits = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(Error::io(path, &error)),
            Err(TryLockError::WouldBlock) if !waits => {
                wait();
                waits = true;
            }
            Err(TryLockError::WouldBlock) => {}
        }
        interrupt::check()?;
        sleep(LOOK);
    }
}

/// What lies at a target's name must be a regular file that a new one may replace, or nothing.
fn ensure_replaceable(target: &Path) -> Result<()> {
    match fs::symlink_metadata(target) {
        Ok(metadata) => {
            NotAFile::of(metadata.file_type()).map_or(Ok(()), |what| Err(not_replaced(target, &what)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io(target, &error)),
    }
}

fn not_replaced(target: &Path, what: &NotAFile) -> Error {
    FileError::NotReplaced { path: target.into(), found: what.to_string() }.into()
}

/// The error that tells of a symbolic link, if there is one.
fn link(path: &Path) -> Option<Error> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    NotAFile::of(kind).map(|what| not_replaced(path, &what))
}

/// Says so if others than its owner can read a file with a secret. It is used all the same: what is known already stays known.
pub fn warn_of_readers(path: &Path, ui: &Ui) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & 0o077 != 0 {
        ui.note(&format!(
            "warning: {0}: this secret key has mode {mode:04o}: others on this host can read or change it; chmod 600 {0} keeps them out",
            path.display()
        ));
    }
}

#[cfg(test)]
mod tests;
