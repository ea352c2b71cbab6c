//! Whether a release can be built again: all that goes into it is in a commit, of a repository that others can fetch.

use crate::stages::bundle::given;
use crate::stages::bundle::given::Input;
use bundle::Manifest;
use carveout_field::release::store::released;
use carveout_host::error::{At, Error, Result};
use carveout_host::tools::git;
use carveout_host::tools::git::{Repository, State};
use carveout_product::Build;
use std::collections::BTreeMap;
use std::path::Path;

/// Files that an error names.
const SHOWN: usize = 10;
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
            return Err(Error::environment("git is missing: a release is made of a commit")
                .remedy("apt-get install git"));
        }
        let workspace = Repository::of(root)?;
        let Some((workspace, revision)) = workspace.and_then(|w| Some((w.clone(), w.commit?))) else {
            let place = root.display();
            return Err(Error::check(format!(
                "{place}: is no git work tree with a commit: nobody could build the release again"
            ))
            .remedy("release from a clone"));
        };
        let changes = workspace.changes()?;
        if !changes.is_empty() {
            let message = format!(
                "{}: has changes that are in no commit: nobody could build the release again\n{}",
                root.display(),
                list(&changes)
            );
            return Err(Error::check(message).remedy("commit them, or put them aside: git stash -u"));
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
        let apps = product.trusted_apps.iter().map(|app| &app.name).chain(&product.client_apps);
        let own: Vec<_> = build.workspace.folders(apps.map(String::as_str))?.own.into_iter().collect();
        let hidden = self.workspace.ignored(&own)?;
        let sources: Vec<String> = hidden.into_iter().filter(|path| may_be_source(path)).collect();
        if !sources.is_empty() {
            let message = format!(
                "{}: git ignores files beside the sources of this product, and a build would use them:\n{}",
                root.display(),
                list(&sources)
            );
            return Err(Error::check(message).remedy("remove them, or commit them: git add --force FILE"));
        }
        self.config = bundle::hash_file(&product.path).at(&product.path)?.sha256;
        Ok(())
    }

    /// Refuses files that are in no commit, and notes where their repositories can be had.
    pub fn committed(&mut self, inputs: &[Input]) -> Result<()> {
        let mut wrong = Vec::new();
        let mut remedies = Vec::new();
        for Input { name, path, .. } in inputs {
            match git::state(path)? {
                State::Committed(repository, _) if repository.top == self.workspace.top => {}
                State::Committed(repository, _) => {
                    let uri = repository.remote()?.uri();
                    self.others.insert(repository.commit.unwrap_or_default(), uri);
                }
                state => {
                    let (why, remedy) = self.explain(&state, path);
                    wrong.push(format!("{name}: {} {why}", path.display()));
                    remedies.push(remedy);
                }
            }
        }
        let Some(remedy) = remedies.into_iter().next() else { return Ok(()) };
        let message =
            format!("nobody could build the release again: files are in no commit\n{}", list(&wrong));
        Err(Error::check(message).remedy(remedy))
    }

    /// Why a file is in no commit, and the command that puts it into one.
    fn explain(&self, state: &State, path: &Path) -> (String, String) {
        let add = |repository: &Repository, force: &str| {
            let top = repository.top.display();
            let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
            format!("git -C {top} add {force}{} && git -C {top} commit", path.display())
        };
        match state {
            State::Committed(..) | State::NoRepository => (
                "is in no git repository".into(),
                format!("move it into a repository, such as {}, and commit it", self.workspace.top.display()),
            ),
            State::NoCommit(repository) => {
                ("is in a git repository that has no commit".into(), add(repository, ""))
            }
            State::Untracked(repository) => ("is not tracked by git".into(), add(repository, "")),
            State::Ignored(repository) => ("is ignored by git".into(), add(repository, "--force ")),
            State::Modified(repository) => {
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
        let message = format!(
            "{}: lies in the work tree, and git does not ignore it: the release itself would be a change that is in no commit",
            out.display()
        );
        Err(Error::usage(message).remedy("name another folder with -o, or add this one to .gitignore"))
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
            let message = format!(
                "{}: was built from {}, the work tree is at {}",
                path.display(),
                inputs.git_revision.as_deref().unwrap_or("no commit").escape_debug(),
                self.revision
            );
            return Err(Error::check(message).remedy("build it from this commit, or check its commit out"));
        }
        let lost = inputs.given.iter().filter(|given| given.origin.is_none() && given.supplier.is_none());
        let lost: Vec<String> = lost
            .map(|given| format!("{}: {}", given.name.escape_debug(), given.file.escape_debug()))
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        let message = format!(
            "{}: was built of files that are in no commit: nobody could build the release again\n{}",
            path.display(),
            list(&lost)
        );
        Err(Error::check(message).remedy("commit them, and build the bundle anew"))
    }

    /// Refuses a bundle whose files came from commits that nobody has checked: a repository has moved while it was built.
    pub fn unmoved(&self, manifest: &Manifest) -> Result<()> {
        let origins = manifest.inputs.given.iter().filter_map(|given| Some((given, given.origin.as_ref()?)));
        for (given, origin) in origins {
            if origin.commit != self.revision && !self.others.contains_key(&origin.commit) {
                let message =
                    format!("{}: its repository was changed while the bundle was built", given.name);
                return Err(Error::check(message).remedy("run the command again"));
            }
        }
        Ok(())
    }
}

/// Whether a build may use a file that git ignores: all in a package's folder but hidden files and what cargo leaves.
fn may_be_source(path: &str) -> bool {
    path.split('/').all(|part| !part.starts_with('.') && part != "target" && part != "__pycache__")
}

fn list(lines: &[String]) -> String {
    let shown = lines.iter().take(SHOWN).map(|line| format!("  {}", line.escape_debug()));
    let more = lines.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("  and {more} more"));
    shown.chain(more).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let lines: Vec<String> = (0..12).map(|n| format!("file{n}")).collect();
        let text = list(&lines);
        assert!(text.starts_with("  file0\n  file1\n") && text.ends_with("  file9\n  and 2 more"), "{text}");
        assert_eq!(list(&["a\u{1b}[31m".into()]), "  a\\u{1b}[31m");
    }

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
