//! A folder that is made whole, or not at all.

use crate::errors::NewError;
use carveout_host::error::{At, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the folder is called in which everything is made first.
pub const NAME: &str = ".carveout-new";

/// What is being made. Unless it is kept, nothing of it stays; of one that was killed, the next one removes what is left.
pub struct Unfinished {
    /// Where it is made.
    pub staging: PathBuf,
    folder: PathBuf,
    /// Folders that were not there, the innermost first, and what has been moved into the innermost.
    made: Vec<PathBuf>,
    moved: Vec<PathBuf>,
    kept: bool,
}

impl Unfinished {
    /// Begins to make `folder`, in a folder below `within`.
    ///
    /// # Errors
    /// There is a file of its name, or it holds something.
    pub fn begin(folder: &Path, within: &Path) -> Result<Self> {
        ensure_empty(folder)?;
        let staging = within.join(NAME);
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at(&staging)?,
            _ => {}
        }
        let is_new = |folder: &&Path| fs::symlink_metadata(folder).is_err();
        let made = folder.ancestors().take_while(is_new).map(Path::to_owned).collect();
        let folder = folder.to_owned();
        let unfinished = Self { staging, folder, made, moved: Vec::new(), kept: false };
        fs::create_dir_all(&unfinished.staging).at(&unfinished.staging)?;
        Ok(unfinished)
    }

    /// Moves it to its place. The manifest comes last: without it a folder is no package.
    pub fn place(&mut self) -> Result<()> {
        fs::create_dir_all(&self.folder).at(&self.folder)?;
        let entries = fs::read_dir(&self.staging).at(&self.staging)?.flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort_by_key(|name| name == "Cargo.toml");
        for name in names {
            let (from, to) = (self.staging.join(&name), self.folder.join(&name));
            fs::rename(&from, &to).at(&to)?;
            self.moved.push(to);
        }
        fs::remove_dir(&self.staging).at(&self.staging)
    }

    /// It is whole.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let _ = fs::remove_dir_all(&self.staging);
        for path in &self.moved {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        // What others have put there meanwhile stays.
        self.made.iter().take_while(|folder| fs::remove_dir(folder).is_ok()).for_each(drop);
    }
}

/// Nothing is written where something is, but for what an earlier one has left.
fn ensure_empty(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        // Not one of those above it.
        Err(error) if error.kind() == ErrorKind::NotADirectory && folder.exists() => {
            return Err(NewError::NotAFolder { path: folder.into() }.into());
        }
        Err(error) => return Err(error).at(folder),
    };
    if entries.flatten().any(|entry| entry.file_name() != NAME) {
        return Err(NewError::NotEmpty { folder: folder.into() }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_not_kept_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (top, deep) = (dir.path(), dir.path().join("a/b"));
        for place in [false, true] {
            let mut unfinished = Unfinished::begin(&deep, &deep).unwrap();
            fs::write(unfinished.staging.join("Cargo.toml"), "").unwrap();
            fs::create_dir(unfinished.staging.join("src")).unwrap();
            if place {
                unfinished.place().unwrap();
                assert_eq!(names(&deep), ["Cargo.toml", "src"]);
            }
            drop(unfinished);
            assert_eq!(names(top), Vec::<String>::new());
        }
        // A folder that was there stays, and so does what is not ours.
        fs::create_dir(top.join("a")).unwrap();
        let unfinished = Unfinished::begin(&top.join("a"), &top.join("a")).unwrap();
        fs::write(top.join("a/other"), "").unwrap();
        drop(unfinished);
        assert_eq!(names(&top.join("a")), ["other"]);
    }

    #[test]
    fn what_a_killed_one_has_left_is_no_hindrance() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        let mut killed = Unfinished::begin(&folder, &folder).unwrap();
        fs::write(killed.staging.join("old"), "").unwrap();
        killed.kept = true;
        drop(killed);
        assert_eq!(names(&folder), [NAME]);
        let mut unfinished = Unfinished::begin(&folder, &folder).unwrap();
        fs::write(unfinished.staging.join("new"), "").unwrap();
        unfinished.place().unwrap();
        unfinished.keep();
        assert_eq!(names(&folder), ["new"]);
    }

    #[test]
    fn a_file_and_a_full_folder_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let code = |folder: &Path| Unfinished::begin(folder, folder).map(drop).unwrap_err().code;
        assert_eq!(code(&file), "build::new::not-a-folder");
        assert_eq!(code(dir.path()), "build::new::not-empty");
    }
}
