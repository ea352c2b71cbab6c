//! The folders that packages are built from: those of the workspace, and those of path dependencies that lie elsewhere.

use super::{CrateSource, Workspace};
use carveout_host::error::Result;
use carveout_host::tools::cargo;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Where the sources of packages lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Folders of packages in the workspace.
    pub own: BTreeSet<PathBuf>,
    /// Folders of packages outside of it, by name: `path = "../…"` or a `[patch]`.
    pub outside: BTreeMap<String, PathBuf>,
}

impl Workspace {
    /// The folders of packages and of all path dependencies.
    pub fn folders<'a>(&self, packages: impl IntoIterator<Item = &'a str>) -> Result<Folders> {
        let mut folders = Folders::default();
        let mut strange = BTreeSet::new();
        for locked in packages.into_iter().flat_map(|name| self.closure(name)) {
            if locked.source != CrateSource::Path {
                continue;
            }
            let member = self.metadata.packages.iter().find(|member| member.name.as_str() == locked.name);
            match member.and_then(|member| member.manifest_path.parent()) {
                Some(dir) if dir.as_std_path().starts_with(&self.root) => {
                    folders.own.insert(dir.into());
                }
                Some(dir) => drop(folders.outside.insert(locked.name.clone(), dir.into())),
                None => drop(strange.insert((locked.name.as_str(), locked.version.as_str()))),
            }
        }
        if strange.is_empty() {
            return Ok(folders);
        }
        // The lock file does not say where they lie; cargo does, and it needs all manifests for that.
        let metadata = cargo::metadata(&self.root.join("Cargo.toml"), &["--locked"])?;
        for package in metadata.packages.iter().filter(|package| package.source.is_none()) {
            let version = package.version.to_string();
            if strange.contains(&(package.name.as_str(), version.as_str())) {
                let dir = package.manifest_path.parent().map(Into::into).unwrap_or_default();
                folders.outside.insert(package.name.to_string(), dir);
            }
        }
        Ok(folders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::tools::cargo::lock::CargoLock;
    use stage_cache::Key;
    use std::fs;

    #[test]
    fn path_dependencies_count_and_registries_do_not() {
        let workspace = Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap();
        let folders = workspace.folders(["echo-srv"]).unwrap();
        for name in ["apps/echo-srv", "apps/echo-service", "crates/trusty-ta"] {
            assert!(folders.own.contains(&workspace.root.join(name)), "{name} in {folders:?}");
        }
        assert!(!folders.own.contains(&workspace.root.join("apps/small-echo-srv")));
        assert_eq!(folders.outside, BTreeMap::new());
    }

    #[test]
    fn a_crate_outside_the_workspace_is_found_and_shapes_what_is_built() {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        let write = |path: &str, text: &str| {
            let path = top.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let package =
            |name: &str| format!("[package]\nname = '{name}'\nversion = '1.0.0'\nedition = '2021'\n");
        write("w/Cargo.toml", "[workspace]\nmembers = ['app']\nresolver = '2'\n");
        write(
            "w/app/Cargo.toml",
            &format!("{}[dependencies]\nwire = {{ path = '../../wire' }}\n", package("app")),
        );
        write("w/app/src/lib.rs", "");
        write("wire/Cargo.toml", &package("wire"));
        write("wire/src/lib.rs", "// one");
        let root = top.join("w");
        let sh = carveout_host::tools::shell(&root).unwrap();
        let cargo = cargo::program();
        xshell::cmd!(sh, "{cargo} generate-lockfile --offline").quiet().ignore_stderr().run().unwrap();
        let metadata = cargo::metadata(&root.join("Cargo.toml"), &["--no-deps"]).unwrap();
        let lock = CargoLock::read(&root).unwrap();
        let workspace = Workspace { root: root.clone(), metadata, lock };
        let folders = workspace.folders(["app"]).unwrap();
        assert_eq!(folders.own, BTreeSet::from([root.join("app")]));
        assert_eq!(folders.outside, BTreeMap::from([("wire".to_owned(), top.join("wire"))]));
        let key = || workspace.source_key("app", Key::default()).unwrap().digest();
        let one = key();
        assert_eq!(key(), one);
        write("wire/src/lib.rs", "// two");
        assert_ne!(key(), one);
    }
}
