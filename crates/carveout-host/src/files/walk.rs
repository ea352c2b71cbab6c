//! The one way that folders are walked through: in the order of names, without following links.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
pub use walkdir::DirEntry;
use walkdir::WalkDir;

/// What is below a folder, in the order of names: each folder before what is in it. For what needs other rules than [`below`].
pub fn walk(folder: &Path) -> WalkDir {
    WalkDir::new(folder).min_depth(1).sort_by_file_name()
}

/// What is below a folder, in the order of names. What is not `wanted` is left out, a folder with all that is in it.
pub fn below(folder: &Path, wanted: impl FnMut(&DirEntry) -> bool) -> impl Iterator<Item = Result<DirEntry>> {
    walk(folder).into_iter().filter_entry(wanted).map(|entry| entry.map_err(|error| io(folder, error)))
}

/// What is in a folder, in the order of names.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = walk(folder).max_depth(1).into_iter();
    entries.map(|entry| entry.map(DirEntry::into_path).map_err(|error| io(folder, error))).collect()
}

fn io(folder: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(folder).to_owned();
    // Only a walk that follows links finds a circle.
    Error::io(&path, &error.into_io_error().unwrap_or_else(|| std::io::ErrorKind::Other.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_walk_is_in_order_follows_no_link_and_names_what_it_cannot_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for folder in ["b/c", "a", "skipped/x"] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        fs::write(path("b/file"), "").unwrap();
        std::os::unix::fs::symlink(dir.path(), path("b/circle")).unwrap();
        let found = below(dir.path(), |entry| entry.file_name() != "skipped");
        let names: Vec<_> = found
            .map(|e| e.unwrap().path().strip_prefix(dir.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["a", "b", "b/c", "b/circle", "b/file"]);
        assert_eq!(list(dir.path()).unwrap(), ["a", "b", "skipped"].map(path));
        let error = list(&path("none")).unwrap_err();
        assert_eq!(error.code, "host::file::access-failed", "{error}");
        assert!(error.message.starts_with(&path("none").display().to_string()), "{error}");
    }
}
