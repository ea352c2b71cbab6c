//! Of releases: what hinders that one can be built again.

use carveout_host::error::Cause;
use std::path::PathBuf;

/// Files that an error names.
const SHOWN: usize = 10;

carveout_host::errors! {
    /// What can go wrong with a release.
    pub enum ReleaseError("build::release") {
        /// A release is made of a commit, and git is not installed.
        NoGit => environment "no-git": ("git is missing: a release is made of a commit"), help ("apt-get install git");
        /// The workspace is no git work tree, or has no commit.
        NoCommit { path: PathBuf } => check "no-commit":
            ("{}: is no git work tree with a commit: nobody could build the release again", path.display()),
            help ("release from a clone");
        /// The workspace has changes that are in no commit.
        Changes { path: PathBuf, changes: Vec<String> } => check "uncommitted-changes":
            ("{}: has changes that are in no commit: nobody could build the release again\n{}",
            path.display(), list(changes)),
            help ("commit them, or put them aside: git stash -u");
        /// Git ignores files that a build would use.
        IgnoredSources { path: PathBuf, files: Vec<String> } => check "ignored-sources":
            ("{}: git ignores files beside the sources of this product, and a build would use them:\n{}",
            path.display(), list(files)),
            help ("remove them, or commit them: git add --force FILE");
        /// Files that the product config names are in no commit.
        NotCommitted { files: Vec<String>, hint: String } => check "files-not-committed":
            ("nobody could build the release again: files are in no commit\n{}", list(files)),
            help = Some(hint.clone());
        /// The folder of releases is in the work tree and git does not ignore it.
        OutputInWorkTree { path: PathBuf } => usage "output-in-work-tree":
            ("{}: lies in the work tree, and git does not ignore it: the release itself would be a change \
              that is in no commit",
            path.display()),
            help ("name another folder with -o, or add this one to .gitignore");
        /// The bundle was built from another commit than the work tree is at.
        OtherCommit { path: PathBuf, built_from: Option<String>, revision: String } => check "other-commit":
            ("{}: was built from {}, the work tree is at {revision}",
            path.display(), built_from.as_deref().unwrap_or("no commit").escape_debug()),
            help ("build it from this commit, or check its commit out");
        /// The bundle was built of files that are in no commit.
        BuiltOfUncommitted { path: PathBuf, files: Vec<String> } => check "built-of-uncommitted-files":
            ("{}: was built of files that are in no commit: nobody could build the release again\n{}",
            path.display(), list(files)),
            help ("commit them, and build the bundle anew");
        /// A repository has got another commit while the bundle was built from it.
        Moved { name: String } => check "repository-changed":
            ("{name}: its repository was changed while the bundle was built"), help ("run the command again");
        /// The changelog has no section of the version that is released.
        NoChanges { path: PathBuf, version: String } => usage "no-changelog-section":
            ("{}: has no section of version {version}, and no `## Unreleased`", path.display()),
            help ("add `## {version}` to it, and what has changed below");
        /// The config that was named is not the one that the bundle was built from.
        OtherProduct { path: PathBuf, name: String, version: String } => usage "other-product":
            ("{}: is the config of another product or version than {name} {version}", path.display()),
            help ("name the bundle's own config with -c, or leave -c away");
        /// The checksums of the bundle cannot be written.
        Checksums { source: Cause } => check "no-checksums": ("{source}");
        /// The update archive of the bundle cannot be written.
        Update { path: PathBuf, source: Cause } => check "no-update-archive": ("{}: {source}", path.display());
        /// The SBOM cannot be read from the bundle.
        Sbom { path: PathBuf, source: Cause } => check "unreadable-sbom": ("{}: {source}", path.display());
    }
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
}
