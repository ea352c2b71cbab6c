//! Opens files that others name: a FIFO must not make us wait, and a device must not be touched.

use rustix::fs::OFlags;
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// What was named where a file is expected.
#[derive(Debug, thiserror::Error)]
#[error("is {0}, not a regular file")]
pub struct NotAFile(&'static str);

impl NotAFile {
    /// What is said of something that is no regular file; none of one that is.
    pub fn of(kind: FileType) -> Option<Self> {
        let what = match kind {
            kind if kind.is_file() => return None,
            kind if kind.is_dir() => "a folder",
            kind if kind.is_fifo() => "a FIFO (a named pipe)",
            kind if kind.is_socket() => "a socket",
            kind if kind.is_char_device() => "a character device",
            kind if kind.is_block_device() => "a block device",
            kind if kind.is_symlink() => "a symbolic link",
            _ => "something else",
        };
        Some(Self(what))
    }
}

fn ensure(kind: FileType) -> io::Result<()> {
    NotAFile::of(kind).map_or(Ok(()), |error| Err(io::Error::new(io::ErrorKind::InvalidInput, error)))
}

/// Opens a regular file for reading; all else is an error that says what it is.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OpenOptions::new().read(true))
}

/// The same with options of the caller's.
pub fn open_with(path: &Path, options: &OpenOptions) -> io::Result<File> {
    // Looked at first, as merely opening a device may do something; and again, as it may be another one by then.
    ensure(fs::metadata(path)?.file_type())?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.clone().custom_flags(flags.bits() as i32).open(path)?;
    ensure(file.metadata()?.file_type())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_named_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        open(&path("file")).unwrap();
        open(&path("link")).unwrap();
        for (name, what) in [
            (path("fifo"), "is a FIFO (a named pipe), not a regular file"),
            (path("socket"), "is a socket, not a regular file"),
            (dir.path().into(), "is a folder, not a regular file"),
            ("/dev/zero".into(), "is a character device, not a regular file"),
        ] {
            let error = open(&name).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::InvalidInput, what));
        }
        assert_eq!(open(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
