//! Whether a release can be built again: all that goes into it is in a commit, of a repository that others can fetch.

use crate::errors::ReleaseError;
use crate::stages::bundle::given;
use crate::stages::bundle::given::Input;
use bundle::Manifest;
use carveout_field::release::store::released;
use carveout_host::error::{At, Result};
use carveout_host::tools::git;
use carveout_host::tools::git::{GitState, Repository};
use carveout_product::Build;
use std::collections::BTreeMap;
use std::path::Path;

/// Files at the top of a workspace that shape what cargo builds; `.gitignore` may hide them.
const SHAPES: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    ".cargo/config",
];

/// Commits that a release is made of, and where they can be had.
#[derive(Clone, Debug)]
pub struct Sources {
    workspace: Repository,
    /// The workspace's commit.
    pub revision: String,
    /// Where other repositories can be had, URIs by commit.
    pub others: BTreeMap<String, String>,
    /// SHA-256 of the config's file.
    pub config: String,
}

impl Sources {
    /// The commit of a work tree that has nothing else.
    pub fn of(root: &Path) -> Result<Self> {
        if carveout_host::tools::find("git").is_none() {
            return Err(ReleaseError::NoGit.into());
        }
        let workspace = Repository::of(root)?;
        let Some((workspace, revision)) = workspace.and_then(|w| Some((w.clone(), w.commit?))) else {
            return Err(ReleaseError::NoCommit { path: root.into() }.into());
        };
        let changes = workspace.changes()?;
        if !changes.is_empty() {
            return Err(ReleaseError::Changes { path: root.into(), changes }.into());
        }
        Ok(Self { workspace, revision, others: BTreeMap::new(), config: String::new() })
    }

    /// Refuses what is in no commit, before anything is built of it.
    pub fn check(&mut self, build: &Build) -> Result<()> {
        let product = build.product;
        let root = &build.workspace.root;
        let mut inputs = given::inputs(product, build.workspace)?;
        let named = |name: &str, path: &Path| Input { name: name.into(), path: path.into(), supplier: None };
        inputs.extend(product.changelog.iter().map(|path| named("changelog", path)));
        let shapes = SHAPES.iter().map(|name| named(name, &root.join(name)));
        inputs.extend(shapes.filter(|input| input.path.exists()));
        let inputs: Vec<Input> = inputs.into_iter().filter(|input| input.supplier.is_none()).collect();
        self.committed(&inputs)?;
        let apps = product.trusted_apps.iter().map(|app| app.name.as_str()).chain(product.own_client_apps());
        let own: Vec<_> = build.workspace.folders(apps)?.own.into_iter().collect();
        let hidden = self.workspace.ignored(&own)?;
        let files: Vec<String> = hidden.into_iter().filter(|path| may_be_source(path)).collect();
        if !files.is_empty() {
            return Err(ReleaseError::IgnoredSources { path: root.clone(), files }.into());
        }
        self.config = bundle::hash_file(&product.path).at(&product.path)?.sha256;
        Ok(())
    }

    /// Refuses files that are in no commit, and notes where their repositories can be had.
    pub fn committed(&mut self, inputs: &[Input]) -> Result<()> {
        let mut files = Vec::new();
        let mut hints = Vec::new();
        for Input { name, path, .. } in inputs {
            match git::state(path)? {
                GitState::Committed(repository, _) if repository.top == self.workspace.top => {}
                GitState::Committed(repository, _) => {
                    let uri = repository.remote()?.uri();
                    self.others.insert(repository.commit.unwrap_or_default(), uri);
                }
                state => {
                    let (why, hint) = self.explain(&state, path);
                    files.push(format!("{name}: {} {why}", path.display()));
                    hints.push(hint);
                }
            }
        }
        match hints.into_iter().next() {
            None => Ok(()),
            Some(hint) => Err(ReleaseError::NotCommitted { files, hint }.into()),
        }
    }

    /// Why a file is in no commit, and the command that puts it into one.
    fn explain(&self, state: &GitState, path: &Path) -> (String, String) {
        let add = |repository: &Repository, force: &str| {
            let top = repository.top.display();
            let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
            format!("git -C {top} add {force}{} && git -C {top} commit", path.display())
        };
        match state {
            GitState::Committed(..) | GitState::NoRepository => (
                "is in no git repository".into(),
                format!("move it into a repository, such as {}, and commit it", self.workspace.top.display()),
            ),
            GitState::NoCommit(repository) => {
                ("is in a git repository that has no commit".into(), add(repository, ""))
            }
            GitState::Untracked(repository) => ("is not tracked by git".into(), add(repository, "")),
            GitState::Ignored(repository) => ("is ignored by git".into(), add(repository, "--force ")),
            GitState::Modified(repository) => {
                let commit = repository.commit.as_deref().and_then(|c| c.get(..12)).unwrap_or_default();
                (format!("differs from what commit {commit} has"), add(repository, ""))
            }
        }
    }

    /// Refuses a folder of releases that would change the work tree it is released from.
    pub fn apart(&self, out: &Path) -> Result<()> {
        if !self.workspace.sees(out)? {
            return Ok(());
        }
        Err(ReleaseError::OutputInWorkTree { path: out.into() }.into())
    }

    /// Where the workspace can be had.
    pub fn uri(&self) -> Result<String> {
        Ok(self.workspace.remote()?.uri())
    }

    /// Refuses what is released already and was built of another commit.
    pub fn same(&self, folder: &Path, manifest: &Manifest) -> Result<()> {
        match manifest.inputs.git_revision.as_deref() {
            Some(revision) if revision == self.revision => Ok(()),
            other => {
                let from = other.unwrap_or("no commit").escape_debug();
                Err(released(
                    folder,
                    &format!("it was built from {from}, the work tree is at {}", self.revision),
                ))
            }
        }
    }

    /// Refuses a bundle of another commit, and one with files that are in none.
    pub fn suit(&self, path: &Path, manifest: &Manifest) -> Result<()> {
        let inputs = &manifest.inputs;
        if inputs.git_revision.as_deref() != Some(&self.revision) {
            return Err(ReleaseError::OtherCommit {
                path: path.into(),
                built_from: inputs.git_revision.clone(),
                revision: self.revision.clone(),
            }
            .into());
        }
        let lost = inputs.given.iter().filter(|given| given.origin.is_none() && given.supplier.is_none());
        let files: Vec<String> = lost
            .map(|given| format!("{}: {}", given.name.escape_debug(), given.file.escape_debug()))
            .collect();
        if files.is_empty() {
            return Ok(());
        }
        Err(ReleaseError::BuiltOfUncommitted { path: path.into(), files }.into())
    }

    /// Refuses a bundle whose files came from commits that nobody has checked: a repository has moved while it was built.
    pub fn unmoved(&self, manifest: &Manifest) -> Result<()> {
        let origins = manifest.inputs.given.iter().filter_map(|given| Some((given, given.origin.as_ref()?)));
        for (given, origin) in origins {
            if origin.commit != self.revision && !self.others.contains_key(&origin.commit) {
                return Err(ReleaseError::Moved { name: given.name.clone() }.into());
            }
        }
        Ok(())
    }
}

/// Whether a build may use a file that git ignores: all in a package's folder but hidden files and what cargo leaves.
fn may_be_source(path: &str) -> bool {
    path.split('/').all(|part| !part.starts_with('.') && part != "target" && part != "__pycache__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_and_editors_leave_is_no_source() {
        for path in ["apps/a/src/generated.rs", "apps/a/key.bin"] {
            assert!(may_be_source(path), "{path}");
        }
        for path in ["apps/a/target/", "apps/a/.x.swp", "crates/b/tests/__pycache__/"] {
            assert!(!may_be_source(path), "{path}");
        }
    }
}
