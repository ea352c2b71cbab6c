//! Copies parts of a tree: contents, modes and links. The original is only read.

use crate::errors::VendorError;
use carveout_host::error::{At, Result};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path};

/// Copies the files below `from` whose paths, relative to it, are wanted.
pub fn tree(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    walk(from, to, "", wanted)
}

fn walk(from: &Path, to: &Path, prefix: &str, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let dir = from.join(prefix);
    for entry in fs::read_dir(&dir).at(&dir)? {
        let entry = entry.at(&dir)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().at(&entry.path())?;
        if kind.is_dir() {
            // A folder counts as wanted with a slash behind its name.
            if wanted(&format!("{path}/")) {
                walk(from, to, &format!("{path}/"), wanted)?;
            }
        } else if wanted(&path) {
            let target = to.join(&path);
            let parent = target.parent().unwrap_or(to);
            fs::create_dir_all(parent).at(parent)?;
            if kind.is_symlink() {
                link(&entry.path(), &target, &path)?;
            } else if kind.is_file() {
                fs::copy(entry.path(), &target).at(&entry.path())?;
            }
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
