//! Files that hooks get in our folder.

use super::mode::open;
use carveout_host::error::{At, Result};
use stage_cache::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Packages to install, in our folder.
pub const DEBS: &str = "debs";

/// Files by their paths in the folder of a run.
#[derive(Clone, Debug, Default)]
pub struct HookFiles(BTreeMap<String, HookFile>);

#[derive(Clone, Debug)]
enum HookFile {
    File(PathBuf),
    Text(String),
}

impl HookFiles {
    /// Adds a copy of a file.
    pub fn with_file(mut self, name: impl Into<String>, from: &Path) -> Self {
        self.0.insert(name.into(), HookFile::File(from.into()));
        self
    }

    /// Adds a text.
    pub fn with_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.0.insert(name.into(), HookFile::Text(text.into()));
        self
    }

    /// Adds packages to install.
    pub fn with_debs(self, debs: &[PathBuf]) -> Self {
        debs.iter().fold(self, |parts, deb| {
            let name = deb.file_name().unwrap_or_default().to_string_lossy();
            parts.with_file(format!("{DEBS}/{name}"), deb)
        })
    }

    /// Adds names and contents of all to the inputs of a stage, by the folders at their top.
    pub fn digest_into(&self, key: Key) -> Result<Key> {
        let mut tops: BTreeMap<&str, Key> = BTreeMap::new();
        for (name, part) in &self.0 {
            let top = tops.entry(name.split('/').next().unwrap_or(name)).or_default();
            *top = match part {
                HookFile::File(path) => std::mem::take(top).with_file(name, path)?,
                HookFile::Text(text) => std::mem::take(top).with(name, bundle::sha256(text.as_bytes())),
            };
        }
        Ok(tops.into_iter().fold(key, |key, (top, parts)| key.with(top, parts.digest())))
    }

    /// Writes them, readable for all who reach them. The folders at their top must not be there.
    pub fn put(&self, dir: &Path) -> Result<()> {
        let mut made = BTreeSet::new();
        for (name, part) in &self.0 {
            let to = dir.join(name);
            let between: Vec<PathBuf> =
                to.ancestors().skip(1).take_while(|path| *path != dir).map(PathBuf::from).collect();
            for folder in between.into_iter().rev() {
                // One that is there already is not ours, and what else is in it would be installed.
                if !made.contains(&folder) {
                    fs::create_dir(&folder).at(&folder)?;
                    open(&folder, 0o755)?;
                    made.insert(folder);
                }
            }
            let executable = match part {
                HookFile::File(from) => {
                    fs::copy(from, &to).at(from)?;
                    fs::metadata(from).at(from)?.permissions().mode() & 0o100 != 0
                }
                HookFile::Text(text) => {
                    fs::write(&to, text).at(&to)?;
                    false
                }
            };
            open(&to, if executable { 0o755 } else { 0o644 })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let (script, deb) = (dir.path().join("script"), dir.path().join("a_1.deb"));
        fs::write(&script, "x").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&deb, "1").unwrap();
        let parts = || HookFiles::default().with_file("bsp/a/script", &script).with_text("t", "text");
        let parts = parts().with_debs(std::slice::from_ref(&deb));
        let to = dir.path().join("to");
        fs::create_dir(&to).unwrap();
        parts.put(&to).unwrap();
        let mode = |name: &str| fs::metadata(to.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            ["bsp", "bsp/a", "bsp/a/script", "t", "debs/a_1.deb"].map(mode),
            [0o755, 0o755, 0o755, 0o644, 0o644]
        );
        let digest = || parts.digest_into(Key::default()).unwrap().digest();
        let before = digest();
        assert_eq!(before, digest());
        fs::write(&deb, "2").unwrap();
        assert_ne!(before, digest(), "contents count");
    }

    #[test]
    fn a_folder_that_is_there_already_is_not_filled() {
        let dir = tempfile::tempdir().unwrap();
        let deb = dir.path().join("a_1.deb");
        fs::write(&deb, "1").unwrap();
        let to = dir.path().join("to");
        fs::create_dir_all(to.join(DEBS)).unwrap();
        fs::write(to.join(DEBS).join("evil_1.deb"), "somebody's").unwrap();
        let error = HookFiles::default().with_debs(std::slice::from_ref(&deb)).put(&to).unwrap_err();
        assert!(error.message.contains("to/debs: "), "{error}");
        assert!(!to.join(DEBS).join("a_1.deb").exists());
    }
}
