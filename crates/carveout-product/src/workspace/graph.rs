//! The one reader of a workspace's packages and of what they depend on: by its lock file, by cargo's resolver, or as cargo links them.

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};
use carveout_host::error::Result;
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::lock::{CargoLock, CrateSource, Locked};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// Packages and how they depend on each other.
pub struct Graph {
    /// What cargo tells of the packages.
    pub metadata: Metadata,
    /// The versions that are built.
    pub lock: CargoLock,
}

/// Where the sources of packages lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Folders of packages in the workspace.
    pub own: BTreeSet<PathBuf>,
    /// Folders of packages outside of it, by name: `path = "../…"` or a `[patch]`.
    pub outside: BTreeMap<String, PathBuf>,
}

/// A package that is linked into another.
#[derive(Clone, Copy)]
pub struct Linked<'a> {
    /// What it declares, or nothing.
    pub license: &'a str,
    /// The package.
    pub locked: &'a Locked,
}

/// What [`Graph::linked`] cannot make sense of.
#[derive(Debug, PartialEq, Eq)]
pub enum Unclear {
    /// A line that is none of cargo tree's.
    Line(String),
    /// Of several packages of this name and version it may be any.
    Origin(String, String),
}

impl Graph {
    /// The members of the workspace at `root`: quick, as no other manifest is read.
    pub fn members(root: &Path) -> Result<Self> {
        Self::read(root, "--no-deps")
    }

    /// All packages, resolved.
    pub fn whole(root: &Path) -> Result<Self> {
        Self::read(root, "--locked")
    }

    fn read(root: &Path, option: &str) -> Result<Self> {
        Ok(Self {
            metadata: cargo::metadata(&root.join("Cargo.toml"), &[option])?,
            lock: CargoLock::read(root)?,
        })
    }

    /// The package of a name, which must be the only one: members have names of their own.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.metadata.packages.iter().find(|package| package.name.as_str() == name)
    }

    /// The package of cargo's identifier.
    pub fn by_id(&self, id: &PackageId) -> Option<&Package> {
        self.metadata.packages.iter().find(|package| package.id == *id)
    }

    /// A package and all that it depends on by the lock file: for any target, with all features, for its tests as well.
    pub fn locked(&self, name: &str) -> Vec<&Locked> {
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

    /// A package and all that it, or its build script, depends on, without its tests; with each the way to it from the package. None: cargo
    /// was not asked for it, or resolves nothing.
    pub fn resolved<'a>(&'a self, id: &'a PackageId) -> Option<BTreeMap<&'a PackageId, Vec<&'a PackageId>>> {
        let resolve = self.metadata.resolve.as_ref()?;
        let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
        let (mut found, mut queue) = (BTreeMap::new(), VecDeque::from([(id, vec![id])]));
        while let Some((id, chain)) = queue.pop_front() {
            let Entry::Vacant(vacant) = found.entry(id) else { continue };
            for dependency in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
                if dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development) {
                    queue.push_back((&dependency.pkg, [&chain[..], &[&dependency.pkg]].concat()));
                }
            }
            vacant.insert(chain);
        }
        Some(found)
    }

    /// What [`cargo::tree`] has printed, itself first.
    pub fn linked<'a>(&'a self, tree: &'a str) -> Result<Vec<Linked<'a>>, Unclear> {
        let linked = |line: &'a str| {
            let (package, license) = line.split_once('|').unwrap_or((line, ""));
            let mut words = package.split_whitespace();
            let (name, version) = (words.next(), words.next().and_then(|v| v.strip_prefix('v')));
            let (Some(name), Some(version)) = (name, version) else { return Err(Unclear::Line(line.into())) };
            let locked = self.told_apart(name, version, package);
            let locked = locked.ok_or_else(|| Unclear::Origin(name.into(), version.into()))?;
            // Behind a package that was told before stands (*).
            Ok(Linked { license: license.trim_end_matches(" (*)"), locked })
        };
        tree.lines().map(linked).collect()
    }

    /// What the lock file has of a name and a version; where it has several, `package`, cargo tree's words for it, tell them apart.
    fn told_apart(&self, name: &str, version: &str, package: &str) -> Option<&Locked> {
        let behind = package.split_once(" (").map(|(_, behind)| behind);
        let is_meant = |source: &CrateSource| match behind {
            None => *source == CrateSource::CratesIo,
            Some(text) if text.starts_with('/') => *source == CrateSource::Path,
            Some(text) if text.starts_with("registry `") => matches!(source, CrateSource::Registry(_)),
            // A procedural macro says so in place of where it comes from.
            Some(text) => match source {
                CrateSource::Git { url, .. } => text.starts_with(url.as_str()),
                _ => true,
            },
        };
        let all = self.lock.package.iter().filter(|locked| locked.name == name && locked.version == version);
        match &all.collect::<Vec<_>>()[..] {
            [only] => Some(only),
            several => several.iter().find(|locked| is_meant(&locked.source)).copied(),
        }
    }

    /// The folders of packages and of all path dependencies.
    pub fn folders<'a>(&self, root: &Path, packages: impl IntoIterator<Item = &'a str>) -> Result<Folders> {
        let mut folders = Folders::default();
        let mut strange = BTreeSet::new();
        for locked in packages.into_iter().flat_map(|name| self.locked(name)) {
            if locked.source != CrateSource::Path {
                continue;
            }
            match self.package(&locked.name).and_then(|member| member.manifest_path.parent()) {
                Some(dir) if dir.as_std_path().starts_with(root) => drop(folders.own.insert(dir.into())),
                Some(dir) => drop(folders.outside.insert(locked.name.clone(), dir.into())),
                None => drop(strange.insert((locked.name.as_str(), locked.version.as_str()))),
            }
        }
        if strange.is_empty() {
            return Ok(folders);
        }
        // The lock file does not say where they lie; cargo does, and it needs all manifests for that.
        for package in Self::whole(root)?.metadata.packages.iter().filter(|package| package.source.is_none())
        {
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
    use crate::workspace::made_for_tests::graph;

    const IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
    const GIT: &str = "git+https://git.example/wire";

    /// With two crates of one name and version, in cargo's order.
    fn twins(root: &Path, dependency: &str) -> Graph {
        let block = |source: &str| {
            format!("[[package]]\nname = \"wire\"\nversion = \"0.3.0\"\nsource = \"{source}\"\n")
        };
        let git = format!("{GIT}#{}", "a".repeat(40));
        graph(root, &format!("dependencies = [{dependency}]\n{}{}", block(&git), block(IO)))
    }

    #[test]
    fn crates_of_one_name_and_version_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let rev = "a".repeat(40);
        let of = |dependency: &str| {
            let graph = twins(dir.path(), dependency);
            let found = graph.locked("own");
            found.iter().map(|l| l.source.to_string()).filter(|s| !s.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(of(&format!("\"wire 0.3.0 ({GIT})\"")), [format!("{GIT}#{rev}")]);
        assert_eq!(of(&format!("\"wire 0.3.0 ({IO})\"")), [IO]);
        assert_eq!(of(&format!("\"wire 0.3.0 ({IO})\", \"wire 0.3.0 ({GIT})\"")).len(), 2);
    }

    #[test]
    fn what_is_linked_is_known_by_the_lock_file() {
        let dir = tempfile::tempdir().unwrap();
        let graph = twins(dir.path(), "");
        let of = |tree: &str| -> Result<Vec<(String, String, String)>, Unclear> {
            let linked = graph.linked(tree)?.into_iter();
            Ok(linked
                .map(|l| (l.locked.name.clone(), l.locked.source.to_string(), l.license.to_owned()))
                .collect())
        };
        let text = |name: &str, source: &str, license: &str| (name.into(), source.into(), license.into());
        let git = format!("{GIT}#{}", "a".repeat(40));
        let tree =
            "own v1.0.0 (/somewhere)|\nwire v0.3.0|MIT (*)\nwire v0.3.0 (https://git.example/wire#aaaa)|MIT";
        let expected = [text("own", "", ""), text("wire", IO, "MIT"), text("wire", &git, "MIT")];
        assert_eq!(of(tree).unwrap(), expected);
        assert_eq!(of("own 1.0.0"), Err(Unclear::Line("own 1.0.0".into())));
        assert_eq!(of("other v1.0.0|MIT"), Err(Unclear::Origin("other".into(), "1.0.0".into())));
    }
}
