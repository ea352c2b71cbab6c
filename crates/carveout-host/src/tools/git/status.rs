//! `git status` of a clone that may be anybody's: nothing that the clone configures is run.

use super::{Repository, clean, git, listed, names, printed};
use crate::error::{At, Result};
use crate::errors::GitError;
use crate::files;
use crate::tools::{capture, scratch};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use xshell::cmd;

/// Whatever is configured: what is untracked counts. Of submodules git itself compares the commit alone, as it would run what
/// they configure; see [`Repository::status`].
const STATUS: [&str; 5] =
    ["status", "--porcelain=v1", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"];
/// What of a clone's configuration is kept: values that say how files lie in the work tree, and name no program and no file.
const KEPT: &str = r"^core\.(filemode|symlinks|ignorecase|autocrlf|eol|checkstat|trustctime)$";
/// How files of a split index are called.
const SHARED_INDEX: &str = "sharedindex.";
/// Digits of a commit's SHA-256; of a SHA-1 there are 40.
const SHA256: usize = 64;
/// How the index tells that a path is a submodule.
const SUBMODULE: &str = "160000 ";

impl Repository {
    /// The entries of `git status` for a path of the work tree.
    ///
    /// `git status` runs filters, a file system monitor and hooks that the clone's configuration names. Therefore git gets a folder of
    /// ours instead, with the clone's commit, index and objects, and submodules are looked at one by one in the same way.
    pub(super) fn status(&self, path: &OsStr) -> Result<Vec<String>> {
        let (sh, safe) = git(&self.top)?;
        let paths = ["--git-path", "objects", "--git-path", "index", "--git-path", "info"];
        let paths = capture("git rev-parse", clean(cmd!(sh, "git {safe...} rev-parse {paths...}")))?;
        let paths: Vec<_> = paths.lines().map(|path| self.top.join(path)).collect();
        let [objects, index, info] = &paths[..] else {
            return Err(GitError::NoPaths { top: self.top.clone() }.into());
        };
        let dir = scratch("git")?;
        let own = dir.path();
        fs::create_dir(own.join("refs")).at(own)?;
        let commit = self.commit.as_deref().unwrap_or("ref: refs/heads/none");
        // Older versions know no such extension.
        let (version, format) =
            if commit.len() == SHA256 { (1, "[extensions]\n\tobjectformat = sha256\n") } else { (0, "") };
        let config = format!("[core]\n\trepositoryformatversion = {version}\n\tbare = false\n{format}");
        files::put(&own.join("config"), config)?;
        files::put(&own.join("HEAD"), format!("{commit}\n"))?;
        symlink(info, own.join("info")).at(own)?;
        let beside = index.parent().unwrap_or(Path::new("/"));
        for entry in fs::read_dir(beside).at(beside)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(SHARED_INDEX) {
                symlink(entry.path(), own.join(entry.file_name())).at(own)?;
            }
        }
        // It fails if there are none.
        let kept = listed("git config", cmd!(sh, "git {safe...} config -z --get-regexp {KEPT}"));
        let kept = kept.unwrap_or_default();
        let kept = kept.iter().flat_map(|line| ["-c".into(), line.replacen('\n', "=", 1)]);
        let status = clean(cmd!(sh, "git {safe...} {kept...} {STATUS...} -- {path}"))
            .env("GIT_DIR", own)
            .env("GIT_WORK_TREE", &self.top)
            .env("GIT_INDEX_FILE", index)
            .env("GIT_OBJECT_DIRECTORY", objects);
        let mut entries = names(&printed("git status", status)?);
        entries.extend(self.changed_submodules(path)?.iter().map(|path| format!(" M {path}")));
        Ok(entries)
    }

    /// Submodules with changes that are in no commit of theirs.
    fn changed_submodules(&self, path: &OsStr) -> Result<Vec<String>> {
        let (sh, safe) = git(&self.top)?;
        let staged = listed("git ls-files", cmd!(sh, "git {safe...} ls-files --stage -z -- {path}"))?;
        let mut changed = Vec::new();
        for (_, path) in staged.iter().filter(|l| l.starts_with(SUBMODULE)).filter_map(|l| l.split_once('\t'))
        {
            let folder = self.top.join(path);
            // One that is not checked out has no changes. A link could lead round in a circle.
            if !folder.join(".git").exists() || fs::canonicalize(&folder).is_ok_and(|real| real != folder) {
                continue;
            }
            let own = Self::of(&folder)?.filter(|own| own.top == folder);
            if own.map_or(Ok(true), |own| own.changes().map(|changes| !changes.is_empty()))? {
                changed.push(path.to_owned());
            }
        }
        Ok(changed)
    }
}
