//! The cargo workspace: where it is, its packages, and digests of what each is built from.

mod graph;
#[cfg(test)]
mod made_for_tests;

pub use graph::{Folders, Graph, Linked, Unclear};

use crate::errors::PackageError;
use cargo_metadata::{Package, camino::Utf8Path};
use carveout_host::dirs::Dirs;
use carveout_host::error::{Result, nearest};
use carveout_host::tools::cargo::lock::CrateSource;
use stage_cache::Key;
use stage_cache::tree;
use std::fs;
use std::path::{Path, PathBuf};
use trusty_ta_build::Declaration;

/// The workspace that xtask belongs to.
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Its members and its lock file.
    pub graph: Graph,
}

impl Workspace {
    /// Reads the workspace's manifests and its lock file.
    pub fn load(dirs: &Dirs) -> Result<Self> {
        let root = dirs.root()?.to_owned();
        let graph = Graph::members(&root)?;
        Ok(Self { root, graph })
    }

    /// Names of the packages that declare themselves under `[package.metadata.<table>]`.
    pub fn declaring(&self, table: &str) -> Vec<&str> {
        let packages = self.graph.metadata.packages.iter().filter(|p| p.metadata.get(table).is_some());
        packages.map(|p| p.name.as_str()).collect()
    }

    /// The package of this name, which must declare itself under `[package.metadata.<table>]`. The error is a text for
    /// whoever named it.
    pub fn package(&self, name: &str, table: &str) -> Result<&Package, String> {
        self.find(name, table).map_err(|fault| fault.to_string())
    }

    /// The same with an error that has a code.
    pub(crate) fn find(&self, name: &str, table: &str) -> Result<&Package, PackageError> {
        let found = self.graph.package(name);
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
        let mut key = self.file_key(key, &self.root.join("Cargo.toml"))?;
        for path in self.cargo_configs() {
            key = self.file_key(key, &path)?;
        }
        for locked in self.graph.locked(name) {
            let id = format!("{} {}", locked.name, locked.version);
            if locked.source != CrateSource::Path {
                // A crate of git has no checksum: its commit stands in its source.
                let source = locked.source.to_string();
                key = key.with(id, format!("{source} {}", locked.checksum.as_deref().unwrap_or_default()));
            } else if let Some(package) = self.graph.package(&locked.name) {
                let dir = package.manifest_path.parent().unwrap_or(Utf8Path::new("."));
                key = key.with(id, tree_digest(dir.as_std_path())?);
            }
        }
        for (name, dir) in self.folders([name])?.outside {
            key = key.with(format!("{name} outside the workspace"), tree_digest(&dir)?);
        }
        Ok(key)
    }

    /// Adds a file by its place: one of the workspace is the same in each clone of it.
    pub fn file_key(&self, key: Key, path: &Path) -> Result<Key> {
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        key.with_file(&name.display().to_string(), path)
    }

    /// The folders of packages and of all path dependencies.
    pub fn folders<'a>(&self, packages: impl IntoIterator<Item = &'a str>) -> Result<Folders> {
        self.graph.folders(&self.root, packages)
    }

    /// The config files that cargo reads for a build in the workspace.
    fn cargo_configs(&self) -> Vec<PathBuf> {
        let above = self.root.ancestors().map(|folder| folder.join(".cargo"));
        let mut folders: Vec<PathBuf> = above.chain(carveout_host::tools::rust::cargo_home()).collect();
        folders.dedup();
        let files = folders.iter().flat_map(|folder| ["config.toml", "config"].map(|name| folder.join(name)));
        files
            .chain(["rust-toolchain.toml", "rust-toolchain"].map(|name| self.root.join(name)))
            .filter(|path| path.is_file())
            .collect()
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
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_package_is_built_from_its_path_dependencies_and_the_lock() {
        let workspace = Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap();
        let names: Vec<&str> = workspace.graph.locked("echo-srv").iter().map(|l| l.name.as_str()).collect();
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
        Workspace { root: root.into(), graph: made_for_tests::graph(root, more) }
    }

    #[test]
    fn clones_have_one_key_and_cargos_config_counts() {
        let key = |config: &str| {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join(".cargo")).unwrap();
            fs::write(dir.path().join(".cargo/config.toml"), config).unwrap();
            locked(dir.path(), "").source_key("own", Key::default()).unwrap().digest()
        };
        assert_eq!(key("# one"), key("# one"), "wherever they lie");
        assert_ne!(key("# one"), key("# two"));
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
        let cargo = carveout_host::tools::cargo::program();
        xshell::cmd!(sh, "{cargo} generate-lockfile --offline").quiet().ignore_stderr().run().unwrap();
        let workspace = Workspace { root: root.clone(), graph: Graph::members(&root).unwrap() };
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
