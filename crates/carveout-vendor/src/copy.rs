//! Copies parts of a tree: contents, modes and links. The original is only read.

use crate::errors::VendorError;
use carveout_host::error::{At, Result};
use carveout_host::files::{self, DirEntry};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path};

/// Copies the files below `from` whose paths, relative to it, are wanted.
pub fn tree(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let name = |entry: &DirEntry| Some(entry.path().strip_prefix(from).ok()?.to_str()?.to_owned());
    let is_wanted = |entry: &DirEntry| match name(entry) {
        // A folder counts as wanted with a slash behind its name.
        Some(path) if entry.file_type().is_dir() => wanted(&format!("{path}/")),
        Some(path) => wanted(&path),
        None => false,
    };
    for entry in files::below(from, is_wanted) {
        let entry = entry?;
        let Some(path) = name(&entry).filter(|_| !entry.file_type().is_dir()) else { continue };
        let target = to.join(&path);
        let parent = target.parent().unwrap_or(to);
        fs::create_dir_all(parent).at(parent)?;
        if entry.path_is_symlink() {
            link(entry.path(), &target, &path)?;
        } else if entry.file_type().is_file() {
            fs::copy(entry.path(), &target).at(entry.path())?;
        }
    }
    Ok(())
}

/// Links stay links if they stay within the tree; one that leads nowhere is left out.
fn link(from: &Path, to: &Path, path: &str) -> Result<()> {
    let target = fs::read_link(from).at(from)?;
    if !from.exists() {
        return Ok(());
    }
    let mut depth = path.matches('/').count() as isize;
    for component in target.components() {
        depth += match component {
            Component::Normal(_) => 1,
            Component::ParentDir => -1,
            Component::CurDir => 0,
            Component::RootDir | Component::Prefix(_) => return outside(from, &target),
        };
        if depth < 0 {
            return outside(from, &target);
        }
    }
    symlink(&target, to).at(to)
}

fn outside(from: &Path, target: &Path) -> Result<()> {
    Err(VendorError::LinkOutside { path: from.into(), target: target.into() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_files_and_links_are_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir_all(from.join("skipped")).unwrap();
        fs::write(from.join("a/b/file"), "x").unwrap();
        fs::write(from.join("a/other.o"), "x").unwrap();
        fs::write(from.join("skipped/file"), "x").unwrap();
        symlink("b/file", from.join("a/link")).unwrap();
        symlink("nowhere", from.join("a/dangling")).unwrap();
        tree(&from, &to, &|path| !path.ends_with(".o") && !path.starts_with("skipped/")).unwrap();
        let names: Vec<String> = stage_cache::stamps(&to).unwrap().into_keys().collect();
        assert_eq!(names, ["a/b/file", "a/link"]);
        assert_eq!(fs::read_link(to.join("a/link")).unwrap(), Path::new("b/file"));
        symlink("../../..", from.join("a/out")).unwrap();
        let error = tree(&from, &dir.path().join("again"), &|_| true).unwrap_err();
        assert!(error.message.ends_with("a/out: is a link to ../../.., outside the tree"), "{error}");
    }
}
