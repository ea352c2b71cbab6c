//! Steps that outlast a kill and a power cut, for folders that get their names together: a file is on the disk before it gets its name, and its name before the next step.

use super::walk::below;
use crate::error::{At, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a new file and syncs it. What is there already, a link too, is an error.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path).at(path)?;
    file.write_all(content).and_then(|()| file.sync_all()).at(path)
}

/// Gives a file or a folder, which is synced, its name. A file of that name is replaced, a folder that is not empty never.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).at(to)?;
    sync_folder(parent(to))
}

/// Syncs all files and folders below a folder, and then the folder.
pub fn sync_tree(folder: &Path) -> Result<()> {
    for entry in below(folder, |_| true) {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type().is_dir() {
            sync_folder(path)?;
        } else {
            File::open(path).and_then(|file| file.sync_all()).at(path)?;
        }
    }
    sync_folder(folder)
}

/// Syncs the names in a folder.
pub fn sync_folder(folder: &Path) -> Result<()> {
    match File::open(folder).and_then(|file| file.sync_all()) {
        // Some network filesystems write names at once and have no such call for folders.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result.at(folder),
    }
}

/// The folder of a file.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
