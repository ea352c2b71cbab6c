//! The cargo workspace: where it is, its packages, and digests of what each is built from.

mod folders;

pub use folders::Folders;

use crate::errors::PackageError;
use cargo_metadata::{Metadata, Package, camino::Utf8Path};
use carveout_host::dirs::Dirs;
use carveout_host::error::{Result, nearest};
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::lock::{CargoLock, CrateSource, Locked};
use stage_cache::Key;
use stage_cache::tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use trusty_ta_build::Declaration;

/// The workspace that xtask belongs to.
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    metadata: Metadata,
    lock: CargoLock,
}

impl Workspace {
    /// Reads the workspace's manifests and its lock file.
    pub fn load(dirs: &Dirs) -> Result<Self> {
        let root = dirs.root()?.to_owned();
        let metadata = cargo::metadata(&root.join("Cargo.toml"), &["--no-deps"])?;
        let lock = CargoLock::read(&root)?;
        Ok(Self { root, metadata, lock })
    }

    /// Names of the packages that declare themselves under `[package.metadata.<table>]`.
    pub fn declaring(&self, table: &str) -> Vec<&str> {
        let packages = self.metadata.packages.iter().filter(|p| p.metadata.get(table).is_some());
        packages.map(|p| p.name.as_str()).collect()
    }

    /// The package of this name, which must declare itself under `[package.metadata.<table>]`. The error is a text for
    /// whoever named it.
    pub fn package(&self, name: &str, table: &str) -> Result<&Package, String> {
        self.find(name, table).map_err(|fault| fault.to_string())
    }

    /// The same with an error that has a code.
    pub(crate) fn find(&self, name: &str, table: &str) -> Result<&Package, PackageError> {
        let found = self.metadata.packages.iter().find(|p| p.name.as_str() == name);
        let name = name.to_owned();
        match found {
            Some(package) if package.metadata.get(table).is_some() => Ok(package),
            Some(package) => {
                let manifest = package.manifest_path.to_string();
                Err(PackageError::Undeclared { name, table: table.into(), manifest })
            }
            None => {
                let known: Vec<String> = self.declaring(table).into_iter().map(str::to_owned).collect();
                let meant = nearest(&name, known.iter().map(String::as_str)).map(str::to_owned);
                Err(PackageError::UnknownPackage { name, known, meant })
            }
        }
    }

    /// What the lock file has of this name and version: several where they come from different places.
    pub fn locked(&self, name: &str, version: &str) -> Vec<&Locked> {
        self.lock.package.iter().filter(|locked| locked.name == name && locked.version == version).collect()
    }

    /// What a TA of the workspace declares.
    pub fn declaration(&self, name: &str) -> Result<Declaration, PackageError> {
        let path = &self.find(name, "trusty")?.manifest_path;
        let manifest = || path.to_string();
        let text = fs::read_to_string(path)
            .map_err(|source| PackageError::ManifestUnreadable { manifest: manifest(), source })?;
        Declaration::from_cargo_toml(&text)
            .map_err(|e| PackageError::WrongDeclaration { manifest: manifest(), source: e.into() })
    }

    /// All that a package is built from: sources of it and of its path dependencies, checksums of the others.
    pub fn source_key(&self, name: &str, key: Key) -> Result<Key> {
        let mut key = key.with_file("Cargo.toml", &self.root.join("Cargo.toml"))?;
        for path in self.cargo_configs() {
            key = key.with_file(&path.display().to_string(), &path)?;
        }
        for locked in self.closure(name) {
            let id = format!("{} {}", locked.name, locked.version);
            if locked.source != CrateSource::Path {
                // A crate of git has no checksum: its commit stands in its source.
                let source = locked.source.to_string();
                key = key.with(id, format!("{source} {}", locked.checksum.as_deref().unwrap_or_default()));
            } else if let Some(package) =
                self.metadata.packages.iter().find(|p| p.name.as_str() == locked.name)
            {
                let dir = package.manifest_path.parent().unwrap_or(Utf8Path::new("."));
                key = key.with(id, tree_digest(dir.as_std_path())?);
            }
        }
        for (name, dir) in self.folders([name])?.outside {
            key = key.with(format!("{name} outside the workspace"), tree_digest(&dir)?);
        }
        Ok(key)
    }

    /// The config files that cargo reads for a build in the workspace.
    fn cargo_configs(&self) -> Vec<PathBuf> {
        let above = self.root.ancestors().map(|folder| folder.join(".cargo"));
        let mut folders: Vec<PathBuf> = above.chain(carveout_host::tools::cargo::home()).collect();
        folders.dedup();
        let files = folders.iter().flat_map(|folder| ["config.toml", "config"].map(|name| folder.join(name)));
        files
            .chain(["rust-toolchain.toml", "rust-toolchain"].map(|name| self.root.join(name)))
            .filter(|path| path.is_file())
            .collect()
    }

    /// A package and all that it depends on, by the lock file.
    fn closure(&self, name: &str) -> Vec<&Locked> {
        let mut by_name: BTreeMap<&str, Vec<&Locked>> = BTreeMap::new();
        for locked in &self.lock.package {
            by_name.entry(&locked.name).or_default().push(locked);
        }
        let mut found: BTreeMap<(&str, &str, &CrateSource), &Locked> = BTreeMap::new();
        let mut queue = vec![name.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(wanted) = queue.pop() {
            if !seen.insert(wanted.clone()) {
                continue;
            }
            // `name`, `name version` where the lock file holds several, `name version (source)` where they come from several places.
            let mut words = wanted.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            let source = words.next().map(|source| source.trim_matches(['(', ')']));
            for locked in by_name.get(name).into_iter().flatten() {
                // There the source of git is without its commit.
                let is_from =
                    |source: &str| locked.source.to_string().split('#').next() == source.split('#').next();
                if version.is_none_or(|v| v == locked.version) && source.is_none_or(is_from) {
                    queue.extend(locked.dependencies.iter().cloned());
                    found.insert((&locked.name, &locked.version, &locked.source), locked);
                }
            }
        }
        found.into_values().collect()
    }
}

/// A digest of a package's folder, without what cargo makes there and without hidden files.
pub fn tree_digest(dir: &Path) -> Result<String> {
    // cargo's own folder lies at the top; a module called `target` is source.
    let hidden =
        |path: &str| path.trim_end_matches('/').rsplit('/').next().is_some_and(|name| name.starts_with('.'));
    tree::digest(dir, &|path| path == "target/" || hidden(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_built_from_its_path_dependencies_and_the_lock() {
        let workspace = Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap();
        let names: Vec<&str> = workspace.closure("echo-srv").iter().map(|l| l.name.as_str()).collect();
        for expected in ["echo-srv", "echo-service", "trusty-ta", "trusty-ta-build", "linked_list_allocator"]
        {
            assert!(names.contains(&expected), "{expected} in {names:?}");
        }
        for other in ["small-echo-srv", "echo-srv-app", "xtask"] {
            assert!(!names.contains(&other), "{other} in {names:?}");
        }
    }

    /// A workspace of one package with what Cargo.lock says besides.
    fn locked(root: &Path, more: &str) -> Workspace {
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join("src/lib.rs"), "").unwrap();
        let manifest = "[package]\nname = \"own\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
        let metadata = cargo::metadata(&root.join("Cargo.toml"), &["--no-deps"]).unwrap();
        let lock = format!("[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n{more}");
        Workspace { root: root.into(), metadata, lock: toml::from_str(&lock).unwrap() }
    }

    #[test]
    fn a_commit_of_git_and_a_registry_count() {
        let dir = tempfile::tempdir().unwrap();
        let key = |source: &str| {
            let more = format!(
                "dependencies = [\"wire\"]\n[[package]]\nname = \"wire\"\nversion = \"0.3.0\"\nsource = \"{source}\"\n"
            );
            locked(dir.path(), &more).source_key("own", Key::default()).unwrap().digest()
        };
        let git = |digit: &str| key(&format!("git+https://git.example/wire#{}", digit.repeat(40)));
        assert_eq!(git("a"), git("a"));
        assert_ne!(git("a"), git("b"), "another commit of the same version is another crate");
        let crates_io = key("registry+https://github.com/rust-lang/crates.io-index");
        assert_ne!(crates_io, key("sparse+https://crates.example/index/"));
    }

    #[test]
    fn crates_of_one_name_and_version_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (io, git) =
            ("registry+https://github.com/rust-lang/crates.io-index", "git+https://git.example/wire");
        let block = |source: &str| {
            format!("[[package]]\nname = \"wire\"\nversion = \"0.3.0\"\nsource = \"{source}\"\n")
        };
        let rev = "a".repeat(40);
        let of = |dependency: &str| {
            let more =
                format!("dependencies = [{dependency}]\n{}{}", block(io), block(&format!("{git}#{rev}")));
            let workspace = locked(dir.path(), &more);
            let found = workspace.closure("own");
            found.iter().map(|l| l.source.to_string()).filter(|s| !s.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(of(&format!("\"wire 0.3.0 ({git})\"")), [format!("{git}#{rev}")]);
        assert_eq!(of(&format!("\"wire 0.3.0 ({io})\"")), [io]);
        assert_eq!(of(&format!("\"wire 0.3.0 ({io})\", \"wire 0.3.0 ({git})\"")).len(), 2);
    }

    #[test]
    fn every_source_counts() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            tree_digest(dir.path()).unwrap()
        };
        let one = write("src/target/sys.rs", "1");
        let two = write("src/target/sys.rs", "2");
        assert_ne!(one, two);
        assert_eq!(write("target/debug/x", "3"), two, "what cargo builds is no source");
    }

    #[test]
    fn unknown_packages_get_a_hint() {
        let workspace = Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap();
        let error = workspace.package("ehco-srv", "trusty").unwrap_err();
        assert!(error.contains("Did you mean `echo-srv`?"), "{error}");
        assert!(
            workspace.package("tipc", "trusty").unwrap_err().contains("has no [package.metadata.trusty]")
        );
    }
}
