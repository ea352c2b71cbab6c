//! What a package is built of, without what only its tests need.

use super::git::{self, Repositories, Repository};
use super::licence::{Declared, Licence, licence};
use crate::errors::RecipesError;
use cargo_metadata::{Package, PackageId};
use carveout_host::error::{At, Error, Result};
use carveout_host::tools::cargo::lock::{CargoLock, CrateSource, Locked};
use carveout_host::tools::{cargo, run, scratch, shell};
use carveout_product::workspace::Graph as Cargo;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// What takes a part of a workspace, in carveout's repository.
const SCRIPT: &str = "layers/meta-carveout/lib/carveout/workspace.py";

/// A crate of crates.io.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Of its archive.
    pub sha256: String,
}

/// A package of the workspace and all that it is built of.
#[derive(Clone, Debug)]
pub struct Needed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is.
    pub description: Option<String>,
    /// Its licence, in BitBake's terms.
    pub licence: Licence,
    /// Where its sources are published.
    pub repository: Option<String>,
    /// Whether the workspace is carveout's own.
    pub is_ours: bool,
    /// Folders of the workspace that it is built of, its own included.
    pub members: BTreeSet<String>,
    /// Folders of carveout's repository that it is built of, where the workspace depends on them by path.
    pub ours: BTreeSet<String>,
    /// Crates of crates.io, in order.
    pub crates: BTreeSet<Crate>,
    /// Repositories of its crates of git.
    pub repositories: BTreeSet<Repository>,
}

impl Needed {
    /// Where its sources are published, or what stands for that: cargo-bitbake wants one.
    pub fn repository(&self) -> &str {
        self.repository.as_deref().unwrap_or("https://carveout.example/none")
    }

    /// Its crates, as recipes name them.
    pub fn uris(&self) -> BTreeSet<String> {
        let uri = |Crate { name, version, .. }: &Crate| format!("crate://crates.io/{name}/{version}");
        self.crates.iter().map(uri).collect()
    }

    /// What it is, likewise.
    pub fn description(&self) -> &str {
        self.description.as_deref().unwrap_or("none")
    }
}

/// Crates of crates.io in a lock file.
fn crates_of(lock: &CargoLock) -> Result<BTreeSet<Crate>> {
    let of_crates_io = lock.all().filter(|package| package.source == CrateSource::CratesIo);
    of_crates_io
        .map(|Locked { name, version, checksum, .. }| match checksum {
            Some(sha256) => {
                Ok(Crate { name: name.clone(), version: version.clone(), sha256: sha256.clone() })
            }
            None => Err(RecipesError::NoChecksum { package: name.clone(), version: version.clone() }.into()),
        })
        .collect()
}

/// Refuses what BitBake could not fetch, or would fetch from elsewhere.
///
/// The crate fetcher of BitBake 2.0 (lib/bb/fetch2/crate.py) makes `https://HOST/NAME/VERSION/download` of its URL, knows neither
/// a registry's index nor its token, and keeps all archives as NAME-VERSION.crate: that of another registry could be the one of
/// crates.io that is called the same.
fn ensure_known(name: &str, version: &str, source: &CrateSource) -> Result<()> {
    let CrateSource::Registry(index) = source else { return Ok(()) };
    let (package, version, registry) = (name.into(), version.into(), index.escape_debug().to_string());
    Err(RecipesError::OtherRegistry { package, version, registry }.into())
}

/// A path without `.` and `..`, as far as they can be taken out.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// All packages and how they depend on each other.
pub struct Graph {
    cargo: Cargo,
    /// Where carveout's own sources lie.
    carveout: PathBuf,
    /// Where the workspace is published.
    repository: Option<String>,
}

impl Graph {
    /// Reads the workspace at `root`.
    pub fn load(root: &Path) -> Result<Self> {
        let cargo = Cargo::whole(root)?;
        let path = root.join("Cargo.toml");
        let text = fs::read_to_string(&path).at(&path)?;
        let manifest: toml::Table =
            toml::from_str(&text).map_err(|e| RecipesError::BadWorkspace { path, source: e.into() })?;
        let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
        let repository = package.and_then(|package| package.get("repository")?.as_str()).map(str::to_owned);
        Ok(Self { cargo, carveout: cargo::carveout(root)?, repository })
    }

    /// The folder of a package of the workspace, below it.
    pub fn folder_of(&self, name: &str) -> Result<String> {
        self.folder(self.member(name)?)
    }

    fn member(&self, name: &str) -> Result<&Package> {
        let packages = self.cargo.metadata.workspace_packages();
        let found = packages.into_iter().find(|package| package.name.as_str() == name);
        found.ok_or_else(|| RecipesError::NotInWorkspace { package: name.into() }.into())
    }

    /// What a package of the workspace needs, on any build host.
    pub fn needed(&self, name: &str, log: &Path) -> Result<Needed> {
        let package = self.member(name)?;
        let folder = self.folder(package)?;
        let (mut members, mut ours) = (BTreeSet::new(), BTreeSet::new());
        for (id, chain) in self.cargo.resolved(&package.id).ok_or(RecipesError::NothingResolved)? {
            let found = self.package(id)?;
            match &found.source {
                None => {
                    let (into, folder) = match self.folder_in_carveout(found) {
                        Some(folder) => (&mut ours, folder),
                        None => (&mut members, self.folder(found).map_err(|error| self.told(error, &chain))?),
                    };
                    into.insert(folder);
                }
                // Not later: cargo itself may refuse a part that has no settings of that registry.
                Some(source) => {
                    let source = source.repr.parse::<CrateSource>();
                    let source = source.map_err(|e| RecipesError::UnknownSource {
                        package: found.name.to_string(),
                        source: e.into(),
                    })?;
                    ensure_known(&found.name, &found.version.to_string(), &source)
                        .map_err(|error| self.told(error, &chain))?;
                }
            }
        }
        let part = self.part(&members, &ours, log)?;
        let repository = package.repository.clone().or_else(|| self.repository.clone());
        let file = package.license_file.as_ref().map(|file| normal(&format!("{folder}/{file}")));
        let declared = Declared { license: package.license.clone(), file };
        Ok(Needed {
            name: name.into(),
            version: package.version.to_string(),
            description: package.description.clone(),
            licence: licence(name, &declared, &folder, self.cargo.metadata.workspace_root.as_std_path())?,
            repository,
            is_ours: cargo::is_carveout(self.cargo.metadata.workspace_root.as_std_path()),
            members,
            ours,
            crates: crates_of(&part)?,
            repositories: self.repositories(&part)?,
        })
    }

    /// An error of a package with the way that leads to it.
    fn told(&self, error: Error, chain: &[&PackageId]) -> Error {
        let names = chain.iter().filter_map(|id| self.package(id).ok());
        let names: Vec<String> = names.map(|p| format!("{} {}", p.name, p.version)).collect();
        Error { message: format!("{}; it is needed by: {}", error.message, names.join(" > ")), ..error }
    }

    /// The lock file of a workspace that has these members alone, without their tests: what BitBake builds
    /// (lib/carveout/workspace.py).
    fn part(&self, members: &BTreeSet<String>, ours: &BTreeSet<String>, log: &Path) -> Result<CargoLock> {
        let (root, scratch) = (self.cargo.metadata.workspace_root.as_std_path(), scratch("recipes-part")?);
        let part = scratch.path().join("workspace");
        let sh = shell(root)?;
        let (carveout, script) = (&self.carveout, self.carveout.join(SCRIPT));
        let extract = cmd!(sh, "python3 -B {script} {root} {part} {carveout} {members...} -- {ours...}");
        run("taking a part of the workspace", extract, log)?;
        // cargo takes out of the lock file what nobody needs there.
        cargo::metadata(&part.join("Cargo.toml"), &["--offline"])
            .map_err(|e| RecipesError::BadPart { source: e.message.into() })?;
        let lock = CargoLock::read(&part)?;
        let key = |p: &Locked| (p.name.clone(), p.version.clone(), p.source.clone(), p.checksum.clone());
        let known: BTreeSet<_> = self.cargo.lock.all().map(key).collect();
        if let Some(other) = lock.all().find(|package| !known.contains(&key(package))) {
            let (package, version) = (other.name.clone(), other.version.clone());
            return Err(RecipesError::NotLocked { package, version }.into());
        }
        for package in lock.all() {
            ensure_known(&package.name, &package.version, &package.source)?;
        }
        Ok(lock)
    }

    /// Repositories of the crates of git in a lock file, with their submodules.
    fn repositories(&self, lock: &CargoLock) -> Result<BTreeSet<Repository>> {
        let mut all = Repositories::default();
        let mut seen = BTreeSet::new();
        for package in lock.all() {
            all.add(&package.source);
            let CrateSource::Git { url, rev, .. } = &package.source else { continue };
            let source = package.source.to_string();
            let of = |p: &&Package| {
                p.source.as_ref().is_some_and(|s| s.repr.parse().ok().as_ref() == Some(&package.source))
            };
            // An unused patch is in no graph; what cargo does not build needs no submodules.
            let Some(found) = self.cargo.metadata.packages.iter().find(of) else { continue };
            if !seen.insert(source) {
                continue;
            }
            let path = found.manifest_path.as_std_path();
            let tree = git::work_tree(path).ok_or_else(|| RecipesError::NoWorkTree { path: path.into() })?;
            git::ensure_at(tree, rev)?;
            all.add_submodules(tree, url)?;
        }
        let all = all.into_set();
        git::entries(&all)?;
        Ok(all)
    }

    fn package(&self, id: &PackageId) -> Result<&Package> {
        self.cargo.by_id(id).ok_or_else(|| RecipesError::NotDescribed { package: id.to_string() }.into())
    }

    /// A package's folder, below the workspace.
    fn folder(&self, package: &Package) -> Result<String> {
        let folder = package
            .manifest_path
            .parent()
            .and_then(|dir| dir.strip_prefix(&self.cargo.metadata.workspace_root).ok());
        let folder = folder.ok_or_else(|| RecipesError::OutsideOfWorkspace {
            package: package.name.to_string(),
            path: package.manifest_path.clone().into(),
        })?;
        Ok(folder.to_string())
    }

    /// A package's folder below carveout's repository, of one that is not in the workspace.
    fn folder_in_carveout(&self, package: &Package) -> Option<String> {
        let path = package
            .manifest_path
            .parent()
            .filter(|dir| !dir.starts_with(&self.cargo.metadata.workspace_root))?;
        path.as_std_path().strip_prefix(&self.carveout).ok().map(|folder| folder.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_registry_is_refused_by_name() {
        let source = "sparse+https://crates.example/index/".parse().unwrap();
        let error = ensure_known("wire-proto", "0.3.0", &source).unwrap_err().to_string();
        assert!(
            error.contains("wire-proto 0.3.0 comes from the registry sparse+https://crates.example/index/"),
            "{error}"
        );
        assert_eq!(ensure_known("serde", "1.0.0", &CrateSource::CratesIo), Ok(()));
    }

    #[test]
    fn a_crate_without_a_checksum_is_refused() {
        let lock = |checksum: &str| -> CargoLock {
            let source = CrateSource::CratesIo;
            toml::from_str(&format!(
                "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{source}\"\n{checksum}"
            ))
            .unwrap()
        };
        assert_eq!(crates_of(&lock("checksum = \"ab\"")).unwrap().len(), 1);
        let error = crates_of(&lock("")).unwrap_err().to_string();
        assert!(error.contains("a 1.0.0: Cargo.lock has no checksum of it"), "{error}");
    }

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(normal("apps/a/../../LICENSE"), "LICENSE");
        assert_eq!(normal("apps/a/./EULA.txt"), "apps/a/EULA.txt");
        assert_eq!(normal("apps/../../x"), "../x");
    }
}
