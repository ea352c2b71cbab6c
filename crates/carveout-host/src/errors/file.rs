//! What can go wrong with files.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

crate::errors! {
    /// What can go wrong with files.
    pub enum FileError("host::file") {
        /// The disk or the quota is full.
        DiskFull { path: PathBuf, source: io::Error } => environment "disk-full": ("{}: {source}", path.display()),
            help ("free some space there and run the command again: what is built already stays");
        /// The user is not allowed to access a file or folder.
        PermissionDenied { path: PathBuf, source: io::Error } => environment "permission-denied":
            ("{}: {source}", path.display()),
            help ("run the command as the user who owns the file, or change its owner");
        /// A file was to be written on a filesystem that is mounted read-only.
        ReadOnly { path: PathBuf, source: io::Error } => environment "read-only-filesystem":
            ("{}: {source}", path.display()),
            help ("mount that filesystem writable, or name a folder on another one");
        /// A regular file is expected, and there is something else, such as a folder or a link.
        NotAFile { path: PathBuf, source: io::Error } => usage "not-a-file": ("{}: {source}", path.display()),
            help ("name a regular file; `ls -l` tells what is there");
        /// The access to a file or folder fails for another reason, for example because it does not exist.
        NoAccess { path: PathBuf, source: io::Error } => check "access-failed": ("{}: {source}", path.display());
        /// A file is larger than it may be.
        TooLarge { path: PathBuf, length: u64, most: u64 } => usage "too-large":
            ("{}: {length} bytes; at most {most} are read here", path.display());
        /// A path for a new file ends without a file name.
        NoName { path: PathBuf } => usage "no-file-name": ("{}: names no file", path.display()),
            help ("name a file to be written");
        /// The folder for a new file does not exist.
        NoFolder { path: PathBuf, folder: PathBuf } => usage "no-folder":
            ("{}: there is no folder {}", path.display(), folder.display()),
            help ("make it: mkdir -p {}", folder.display());
        /// A new file must not replace the one that exists.
        Exists { path: PathBuf } => usage "exists-already": ("{}: exists already", path.display()),
            help ("name another file, or remove it");
        /// Something other than a regular file, such as a link, has the name of a file that is to be written.
        NotReplaced { path: PathBuf, found: String } => usage "not-replaceable":
            ("{}: {found}: it is neither followed nor replaced", path.display()),
            help ("name the file itself, or remove what is there");
    }
}

impl FileError {
    /// A failed access to a file.
    pub fn of(path: &Path, error: &io::Error) -> Self {
        // An I/O error cannot be cloned; kind and text are what is told of it.
        let (path, source) = (path.to_owned(), io::Error::new(error.kind(), error.to_string()));
        let is_file = !error.get_ref().is_some_and(|inner| inner.is::<bundle::NotAFile>());
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            ErrorKind::PermissionDenied => Self::PermissionDenied { path, source },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, source },
            _ if is_file => Self::NoAccess { path, source },
            _ => Self::NotAFile { path, source },
        }
    }
}
