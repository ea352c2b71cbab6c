//! What a package is built of, without what only its tests need.

use crate::error::{At, Error, Result};
use crate::tools::{run, scratch, shell};
use crate::workspace::{CargoLock, Locked};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use xshell::cmd;

/// A crate of the registry.
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
    pub description: String,
    /// Its licence, as cargo writes it.
    pub license: String,
    /// Where its sources are published.
    pub repository: String,
    /// Its folder, below the workspace.
    pub folder: String,
    /// Folders of the workspace that it is built of, its own included.
    pub members: BTreeSet<String>,
    /// Crates, in order.
    pub crates: BTreeSet<Crate>,
}

/// Crates of a folder's lock file.
fn crates_of(folder: &Path) -> Result<BTreeSet<Crate>> {
    let krate = |Locked { name, version, checksum, .. }| Some(Crate { name, version, sha256: checksum? });
    Ok(CargoLock::read(folder)?.package.into_iter().filter_map(krate).collect())
}

/// All packages and how they depend on each other.
pub struct Graph {
    metadata: Metadata,
    /// Where the workspace is published.
    repository: Option<String>,
}

impl Graph {
    /// Reads the workspace at `root`.
    pub fn load(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .other_options(vec!["--locked".into()])
            .exec()
            .map_err(|e| Error::usage(format!("cargo metadata: {e}")))?;
        let path = root.join("Cargo.toml");
        let text = fs::read_to_string(&path).at(&path)?;
        let manifest: toml::Table =
            toml::from_str(&text).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
        let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
        let repository = package.and_then(|package| package.get("repository")?.as_str()).map(str::to_owned);
        Ok(Self { metadata, repository })
    }

    /// What a package of the workspace needs, on any build host.
    pub fn needed(&self, name: &str, log: &Path) -> Result<Needed> {
        let missing = |what: &str| Error::usage(format!("package {name}: {what}"));
        let packages = self.metadata.workspace_packages();
        let package = packages.iter().find(|package| package.name.as_str() == name);
        let package = package.ok_or_else(|| missing("is not in the workspace"))?;
        let mut members = BTreeSet::new();
        for id in self.closure(&package.id)? {
            let found = self.package(id)?;
            if found.source.is_none() {
                members.insert(self.folder(found)?);
            }
        }
        let crates = self.crates(&members, log)?;
        let field = |what: &str, value: &Option<String>| {
            value.clone().ok_or_else(|| missing(&format!("has no {what}")))
        };
        Ok(Needed {
            name: name.into(),
            version: package.version.to_string(),
            description: field("description", &package.description)?,
            license: field("license", &package.license)?,
            repository: field("repository", &package.repository.clone().or_else(|| self.repository.clone()))?,
            folder: self.folder(package)?,
            members,
            crates,
        })
    }

    /// Crates of a workspace that has these members alone, without their tests: what BitBake builds (lib/carveout/workspace.py).
    fn crates(&self, members: &BTreeSet<String>, log: &Path) -> Result<BTreeSet<Crate>> {
        let (root, scratch) = (self.metadata.workspace_root.as_std_path(), scratch("recipes-part")?);
        let part = scratch.path().join("workspace");
        let sh = shell(root)?;
        let extract =
            cmd!(sh, "python3 layers/meta-carveout/lib/carveout/workspace.py {root} {part} {members...}");
        run("taking a part of the workspace", extract, log)?;
        // cargo takes out of the lock file what nobody needs there.
        let metadata = MetadataCommand::new()
            .manifest_path(part.join("Cargo.toml"))
            .other_options(vec!["--offline".into()])
            .exec();
        metadata.map_err(|e| Error::check(format!("cargo metadata of a part of the workspace: {e}")))?;
        let known: BTreeSet<Crate> = crates_of(root)?;
        let crates = crates_of(&part)?;
        match crates.difference(&known).next() {
            None => Ok(crates),
            Some(other) => {
                Err(Error::check(format!("{} {} is not in Cargo.lock", other.name, other.version))
                    .remedy("run: cargo update --workspace"))
            }
        }
    }

    fn package(&self, id: &PackageId) -> Result<&Package> {
        let found = self.metadata.packages.iter().find(|package| package.id == *id);
        found.ok_or_else(|| Error::check(format!("cargo metadata does not tell of {id}")))
    }

    /// A package's folder, below the workspace.
    fn folder(&self, package: &Package) -> Result<String> {
        let folder = package
            .manifest_path
            .parent()
            .and_then(|dir| dir.strip_prefix(&self.metadata.workspace_root).ok());
        let folder = folder
            .ok_or_else(|| Error::check(format!("{}: outside of the workspace", package.manifest_path)))?;
        Ok(folder.to_string())
    }

    /// A package and all that it, or its build script, depends on.
    fn closure<'a>(&'a self, id: &'a PackageId) -> Result<BTreeSet<&'a PackageId>> {
        let resolve =
            self.metadata.resolve.as_ref().ok_or_else(|| Error::check("cargo metadata resolves nothing"))?;
        let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
        let (mut seen, mut queue) = (BTreeSet::new(), vec![id]);
        while let Some(id) = queue.pop() {
            if !seen.insert(id) {
                continue;
            }
            for dependency in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
                if dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development) {
                    queue.push(&dependency.pkg);
                }
            }
        }
        Ok(seen)
    }
}
