//! What a folder holds: stamps, to see that it has been touched; a digest, which covers all that can shape what is made of it.

use crate::errors::CacheError;
use crate::key::Key;
use carveout_host::error::{At, Result};
use carveout_host::files;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Enough of a file or a link to see that it has been touched.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    size: u64,
    mtime: i64,
    nanoseconds: i64,
    executable: bool,
    /// Of a link: where it leads.
    target: Option<PathBuf>,
}

impl Stamp {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn of(path: &Path, metadata: &Metadata) -> Result<Self> {
        let link = metadata.is_symlink();
        Ok(Self {
            size: metadata.len(),
            mtime: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
            executable: !link && is_executable(metadata),
            target: link.then(|| fs::read_link(path).at(path)).transpose()?,
        })
    }
}

fn is_executable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

/// Stamps of all files and links below a folder, by path; but for what is skipped at its top.
pub fn stamps(dir: &Path, skipped: &str) -> Result<BTreeMap<String, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in files::below(dir, |_| true) {
        let entry = entry?;
        let path = entry.path();
        let name = path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned();
        if !entry.file_type().is_dir() && name != skipped {
            let metadata = fs::symlink_metadata(path).at(path)?;
            found.insert(name, Stamp::of(path, &metadata)?);
        }
    }
    Ok(found)
}

/// A digest of all below a folder: paths, kinds, whether files are executable, where links lead, contents; of a link also what it
/// leads to. What `skip` names (a folder with a slash behind its name) is left out.
pub fn digest(dir: &Path, skip: &dyn Fn(&str) -> bool) -> Result<String> {
    let mut digest = Digest { skip, above: BTreeSet::new(), key: Key::default() };
    digest.folder(dir, "")?;
    Ok(digest.key.digest())
}

struct Digest<'a> {
    skip: &'a dyn Fn(&str) -> bool,
    /// The folders that we are in: a link to one of them leads in a circle.
    above: BTreeSet<PathBuf>,
    key: Key,
}

impl Digest<'_> {
    fn folder(&mut self, dir: &Path, prefix: &str) -> Result<()> {
        let real = fs::canonicalize(dir).at(dir)?;
        if !self.above.insert(real.clone()) {
            return Ok(());
        }
        for entry in fs::read_dir(dir).at(dir)? {
            let path = entry.at(dir)?.path();
            let name = format!("{prefix}{}", name(&path));
            let metadata = fs::symlink_metadata(&path).at(&path)?;
            let is_dir = fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir());
            if (self.skip)(&if is_dir { format!("{name}/") } else { name.clone() }) {
                continue;
            }
            self.entry(&path, name, &metadata)?;
        }
        self.above.remove(&real);
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: String, metadata: &Metadata) -> Result<()> {
        if metadata.is_symlink() {
            let target = fs::read_link(path).at(path)?;
            self.put(format!("{name} (link)"), &format!("{target:?}"));
            // What is read is what it leads to, which may lie outside.
            return match fs::metadata(path) {
                Ok(behind) => self.entry(path, name, &behind),
                Err(_) => Ok(()),
            };
        }
        if metadata.is_dir() {
            self.put(format!("{name}/"), "");
            return self.folder(path, &format!("{name}/"));
        }
        if !metadata.is_file() {
            return Err(CacheError::NotBuildable { path: path.into() }.into());
        }
        let kind = if is_executable(metadata) { "program" } else { "file" };
        let sha256 = bundle::hash_file(path).at(path)?.sha256;
        self.put(name, &format!("{kind} {sha256}"));
        Ok(())
    }

    fn put(&mut self, name: String, value: &str) {
        self.key = std::mem::take(&mut self.key).with(name, value);
    }
}

/// The last part of a path.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn kinds_modes_targets_and_contents_count() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join("tree").join(name);
        let digest = || super::digest(&at(""), &|_| false).unwrap();
        fs::create_dir_all(at("folder")).unwrap();
        fs::write(at("stock.img"), "image").unwrap();
        symlink("stock.img", at("tos.img")).unwrap();
        let mut seen = vec![digest()];
        let mut changed = |how: &str| {
            let now = digest();
            assert!(!seen.contains(&now), "{how}");
            seen.push(now);
        };
        fs::remove_file(at("tos.img")).unwrap();
        fs::write(at("tos.img"), "image").unwrap();
        changed("the same contents as a file");
        fs::set_permissions(at("tos.img"), fs::Permissions::from_mode(0o755)).unwrap();
        changed("a program");
        fs::write(dir.path().join("outside"), "1").unwrap();
        fs::remove_file(at("tos.img")).unwrap();
        symlink("../outside", at("tos.img")).unwrap();
        changed("another target");
        fs::write(dir.path().join("outside"), "2").unwrap();
        changed("what it leads to");
        fs::remove_dir(at("folder")).unwrap();
        changed("a folder that is gone");
        symlink(".", at("circle")).unwrap();
        changed("a circle, which ends");
        symlink("nowhere", at("dangling")).unwrap();
        changed("a link that leads nowhere");
    }

    #[test]
    fn what_nothing_can_be_built_of_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let error = digest(dir.path(), &|_| false).unwrap_err();
        assert_eq!(error.code, "cache::not-buildable", "{error}");
        assert!(digest(dir.path(), &|name| name == "socket").is_ok(), "skipped");
    }

    #[test]
    fn stamps_know_links_from_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        for name in ["sub/.hidden", "record"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let names = |stamps: BTreeMap<String, Stamp>| stamps.into_keys().collect::<Vec<_>>();
        assert_eq!(names(stamps(dir.path(), "record").unwrap()), ["sub/.hidden"]);
        symlink("one", dir.path().join("record2")).unwrap();
        let one = stamps(dir.path(), "record").unwrap();
        fs::remove_file(dir.path().join("record2")).unwrap();
        symlink("two", dir.path().join("record2")).unwrap();
        assert_ne!(stamps(dir.path(), "record").unwrap(), one);
    }
}
