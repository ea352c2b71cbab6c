//! git: which commit a work tree is at, what in it is in no commit, and where its repository can be had.

mod status;

use super::{capture, shell};
use crate::error::{At, Result};
use crate::errors::GitError;
use attestation::{Remote, RemoteError};
use bundle::Origin;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use xshell::{Cmd, Shell, cmd};

/// A clone may belong to another user, and nothing that it configures is run.
const SAFE: [&str; 4] = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false"];
/// Variables that would name another repository; hooks of git have them.
const ELSEWHERE: [&str; 5] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"];
/// How a file begins that git-lfs keeps elsewhere.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// More than any such file has.
const MAX_LFS: usize = 1024;
/// The remote that is meant where there are several.
const ORIGIN: &str = "origin";

/// A work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its top folder.
    pub top: PathBuf,
    /// The commit that it is at; none if there is no commit yet.
    pub commit: Option<String>,
}

/// What git has of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitState {
    /// The commit has it as it is, at this path of the work tree.
    Committed(Repository, String),
    /// It is in no work tree.
    NoRepository,
    /// Its repository has no commit.
    NoCommit(Repository),
    /// git does not know it.
    Untracked(Repository),
    /// A rule in .gitignore or in git's configuration hides it.
    Ignored(Repository),
    /// The commit has it otherwise.
    Modified(Repository),
}

fn git(dir: &Path) -> Result<(Shell, [&'static str; 4])> {
    let sh = shell(dir)?;
    Ok((sh, SAFE))
}

/// What a clone lacks is not fetched, as its configuration says how; its index is not written to.
fn clean(cmd: Cmd) -> Cmd {
    let cmd = ELSEWHERE.into_iter().fold(cmd, Cmd::env_remove);
    cmd.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "").env("GIT_OPTIONAL_LOCKS", "0")
}

/// What a command lists with a zero byte behind each. Names may be anything.
fn listed(what: &str, cmd: Cmd) -> Result<Vec<String>> {
    Ok(names(&printed(what, clean(cmd))?))
}

/// What a command prints that ends with success.
fn printed(what: &str, cmd: Cmd) -> Result<Vec<u8>> {
    super::printed(what, cmd).map_err(|error| {
        error.remedy("see what git says of the clone itself: git status; a clone without its files' contents needs git fetch --refetch")
    })
}

fn names(output: &[u8]) -> Vec<String> {
    let names = output.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

impl Repository {
    /// The work tree that a folder is in.
    pub fn of(dir: &Path) -> Result<Option<Self>> {
        let (sh, safe) = git(dir)?;
        let Ok(top) = capture("git", clean(cmd!(sh, "git {safe...} rev-parse --show-toplevel"))) else {
            return Ok(None);
        };
        let commit = capture("git", clean(cmd!(sh, "git {safe...} rev-parse --verify HEAD"))).ok();
        Ok(Some(Self { top: top.into(), commit }))
    }

    /// Files and folders that are not in the commit as they are, by their paths in the work tree.
    pub fn changes(&self) -> Result<Vec<String>> {
        let (sh, safe) = git(&self.top)?;
        let mut changes = Vec::new();
        let mut entries = self.status(OsStr::new("."))?.into_iter();
        while let Some(entry) = entries.next() {
            let Some((kind, path)) = entry.split_at_checked(3) else { continue };
            if !changes.iter().any(|known| known == path) {
                changes.push(path.to_owned());
            }
            // Behind a file that was renamed stands its old name.
            if kind.starts_with(['R', 'C']) {
                entries.next();
            }
        }
        // `git update-index --assume-unchanged` hides changes from all of that.
        let flags = listed("git ls-files", cmd!(sh, "git {safe...} ls-files -v -z"))?;
        let hidden = flags.iter().filter_map(|line| line.split_once(' '));
        for (_, path) in hidden.filter(|(flag, _)| flag.starts_with(|c: char| c.is_ascii_lowercase())) {
            if !matches!(state(&self.top.join(path)), Ok(GitState::Committed(..))) {
                changes.push(path.to_owned());
            }
        }
        Ok(changes)
    }

    /// Ignored files below folders of the work tree; of a folder whose files are all ignored, the folder.
    pub fn ignored(&self, dirs: &[PathBuf]) -> Result<Vec<String>> {
        let (sh, safe) = git(&self.top)?;
        let list = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        listed("git ls-files", cmd!(sh, "git {safe...} {list...} -- {dirs...}"))
    }

    /// Whether files below a folder would change the work tree: it lies in it, and no rule ignores it.
    pub fn sees(&self, folder: &Path) -> Result<bool> {
        let Some(relative) = fs::canonicalize(&self.top)
            .ok()
            .and_then(|top| Some(folder.strip_prefix(top).ok()?.join("file")))
        else {
            return Ok(false);
        };
        let (sh, safe) = git(&self.top)?;
        let check = clean(cmd!(sh, "git {safe...} check-ignore --quiet -- {relative}"));
        Ok(capture("git check-ignore", check).is_err())
    }

    /// Where the repository can be had: the remote `origin`, else the only one.
    pub fn remote(&self) -> Result<Remote> {
        let (sh, safe) = git(&self.top)?;
        let top = self.top.clone();
        let listed = capture("git remote", clean(cmd!(sh, "git {safe...} remote")))?;
        let names: Vec<&str> = listed.lines().collect();
        let name = match &names[..] {
            names if names.contains(&ORIGIN) => ORIGIN,
            [only] => only,
            [] => return Err(GitError::NoRemote { top }.into()),
            several => {
                let remotes = several.iter().map(|&name| name.to_owned()).collect();
                return Err(GitError::SeveralRemotes { top, remotes }.into());
            }
        };
        // The URL as it is written: `url.*.insteadOf` is this host's affair.
        let key = format!("remote.{name}.url");
        let urls = capture("git config", clean(cmd!(sh, "git {safe...} config --get-all {key}")))?;
        Remote::parse(urls.lines().next().unwrap_or_default()).map_err(|error| {
            let remote = name.to_owned();
            match error {
                RemoteError::Folder => GitError::RemoteIsFolder { top, remote },
                _ => GitError::RemoteNamesNoSource { top, remote },
            }
            .into()
        })
    }
}

/// What git has of a file or folder.
pub fn state(path: &Path) -> Result<GitState> {
    let path = fs::canonicalize(path).at(path)?;
    let dir = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let Some(repository) = Repository::of(dir.unwrap_or(Path::new("/")))? else {
        return Ok(GitState::NoRepository);
    };
    let Some(relative) = fs::canonicalize(&repository.top)
        .ok()
        .and_then(|top| Some(path.strip_prefix(top).ok()?.as_os_str().to_owned()))
    else {
        return Ok(GitState::NoRepository);
    };
    if repository.commit.is_none() {
        return Ok(GitState::NoCommit(repository));
    }
    let (sh, safe) = git(&repository.top)?;
    let mut object = OsString::from("HEAD:");
    object.push(&relative);
    let Ok(object) = capture("git", clean(cmd!(sh, "git {safe...} rev-parse --verify --quiet {object}")))
    else {
        let check = cmd!(sh, "git {safe...} check-ignore --quiet -- {relative}");
        let ignored = capture("git check-ignore", clean(check)).is_ok();
        return Ok(if ignored { GitState::Ignored(repository) } else { GitState::Untracked(repository) });
    };
    let same = if path.is_dir() {
        let dot = if relative.is_empty() { OsStr::new(".") } else { relative.as_os_str() };
        repository.status(dot)?.is_empty()
    } else {
        let own = cmd!(sh, "git {safe...} hash-object --no-filters -- {relative}");
        capture("git hash-object", clean(own))? == object || lfs_has(&sh, &object, &path)?
    };
    let relative = relative.to_string_lossy().into_owned();
    Ok(if same { GitState::Committed(repository, relative) } else { GitState::Modified(repository) })
}

/// Whether a file is what git-lfs keeps for this object.
fn lfs_has(sh: &Shell, object: &str, path: &Path) -> Result<bool> {
    let size = clean(cmd!(sh, "git {SAFE...} cat-file -s {object}"));
    if capture("git cat-file", size)?.parse::<usize>().map_or(true, |size| size > MAX_LFS) {
        return Ok(false);
    }
    let Ok(text) = capture("git cat-file", clean(cmd!(sh, "git {SAFE...} cat-file blob {object}"))) else {
        return Ok(false);
    };
    let kept = text.lines().find_map(|line| line.strip_prefix("oid sha256:"));
    Ok(text.as_bytes().starts_with(LFS) && kept == Some(bundle::hash_file(path).at(path)?.sha256.as_str()))
}

/// Where a committed file can be had again; `own` is the work tree that is built.
pub fn origin(path: &Path, own: Option<&Repository>) -> Result<Option<Origin>> {
    let GitState::Committed(repository, path) = state(path)? else { return Ok(None) };
    let own = own.is_some_and(|own| own.top == repository.top);
    // A mirror's or fork's URL must not make another bundle.
    let remote = if own { None } else { repository.remote().ok() };
    let commit = repository.commit.unwrap_or_default();
    Ok(Some(Origin { path, commit, repository: remote.and_then(|remote| remote.name()) }))
}

/// The commit of the work tree, marked if it has been modified. None outside git.
pub fn revision(root: &Path) -> Result<Option<String>> {
    let Some(repository) = Repository::of(root)? else { return Ok(None) };
    let Some(commit) = &repository.commit else { return Ok(None) };
    let changes = repository.changes()?;
    Ok(Some(if changes.is_empty() { commit.clone() } else { format!("{commit}-modified") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    /// Runs git as someone who has never configured it.
    fn run(dir: &Path, arguments: &[&str]) {
        let sh = shell(dir).unwrap();
        let who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"];
        clean(cmd!(sh, "git {who...} {arguments...}")).quiet().ignore_stdout().ignore_stderr().run().unwrap();
    }

    /// A repository with one commit of `a` and `.gitignore`.
    fn repository() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap().join("repository");
        fs::create_dir_all(top.join("folder")).unwrap();
        run(&top, &["init", "--quiet"]);
        for (name, text) in [("folder/a", "a\n"), (".gitignore", "*.elf\n")] {
            fs::write(top.join(name), text).unwrap();
        }
        run(&top, &["add", "--all"]);
        run(&top, &["commit", "--quiet", "-m", "first"]);
        (dir, top)
    }

    #[test]
    fn a_file_is_in_the_commit_or_it_is_told_why_not() {
        let (dir, top) = repository();
        let write = |name: &str, text: &str| fs::write(top.join(name), text).unwrap();
        let of = |name: &str| state(&top.join(name)).unwrap();
        assert!(matches!(of("folder/a"), GitState::Committed(r, path) if r.top == top && path == "folder/a"));
        assert!(matches!(of("folder"), GitState::Committed(_, path) if path == "folder"));
        assert!(matches!(of("."), GitState::Committed(_, path) if path.is_empty()));
        write("x.elf", "x");
        write("b", "b");
        assert!(matches!(of("x.elf"), GitState::Ignored(_)));
        assert!(matches!(of("b"), GitState::Untracked(_)));
        // In the index is not in a commit.
        run(&top, &["add", "b"]);
        assert!(matches!(of("b"), GitState::Untracked(_)));
        write("folder/a", "other\n");
        assert!(matches!(of("folder/a"), GitState::Modified(_)));
        assert!(matches!(of("folder"), GitState::Modified(_)));
        run(&top, &["update-index", "--assume-unchanged", "folder/a"]);
        assert!(
            matches!(of("folder/a"), GitState::Modified(_)),
            "the file is compared, not what git was told"
        );
        assert_eq!(
            Repository::of(&top).unwrap().unwrap().changes().unwrap(),
            ["b", "folder/a"],
            "what is hidden is found"
        );
        assert!(revision(&top).unwrap().unwrap().ends_with("-modified"));
        let outside = dir.path().join("outside");
        fs::write(&outside, "x").unwrap();
        assert_eq!(state(&outside).unwrap(), GitState::NoRepository);
        // A link leads to the file that is read.
        std::os::unix::fs::symlink(&outside, top.join("link")).unwrap();
        assert_eq!(of("link"), GitState::NoRepository);
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        run(&empty, &["init", "--quiet"]);
        fs::write(empty.join("a"), "a").unwrap();
        assert!(matches!(state(&empty.join("a")).unwrap(), GitState::NoCommit(_)));
    }

    #[test]
    fn what_git_lfs_keeps_is_committed() {
        let (_dir, top) = repository();
        let pointer = |bytes: &[u8]| {
            format!(
                "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
                bundle::sha256(bytes),
                bytes.len()
            )
        };
        fs::write(top.join("rootfs.tar"), pointer(b"contents")).unwrap();
        run(&top, &["add", "--all"]);
        run(&top, &["commit", "--quiet", "-m", "pointer"]);
        for (contents, committed) in [("contents", true), ("Contents", false)] {
            fs::write(top.join("rootfs.tar"), contents).unwrap();
            let found = state(&top.join("rootfs.tar")).unwrap();
            assert_eq!(matches!(found, GitState::Committed(..)), committed, "{found:?}");
        }
    }

    #[test]
    fn changes_are_found_whatever_is_configured() {
        let (_dir, top) = repository();
        let repository = Repository::of(&top.join("folder")).unwrap().unwrap();
        assert_eq!(repository.changes().unwrap(), Vec::<String>::new());
        assert_eq!(revision(&top).unwrap(), repository.commit);
        run(&top, &["config", "status.showUntrackedFiles", "no"]);
        fs::create_dir(top.join("new")).unwrap();
        fs::write(top.join("new/ü\n"), "x").unwrap();
        run(&top, &["mv", "folder/a", "folder/b"]);
        assert_eq!(repository.changes().unwrap(), ["folder/b", "new/"]);
        fs::write(top.join("folder/x.elf"), "x").unwrap();
        assert_eq!(repository.ignored(&[top.join("folder")]).unwrap(), ["folder/x.elf"]);
        fs::write(top.join(".git/info/exclude"), "/out\n").unwrap();
        let sees = |path: &Path| repository.sees(path).unwrap();
        assert!(sees(&top.join("releases")) && sees(&top));
        assert!(!sees(&top.join("out/releases")) && !sees(&top.with_file_name("elsewhere")));
    }

    #[test]
    fn the_remote_is_origin_or_the_only_one() {
        let (_dir, top) = repository();
        let repository = Repository::of(&top).unwrap().unwrap();
        let refused = |text: &str, remedy: &str| {
            let error = repository.remote().unwrap_err();
            assert_eq!(error.exit, Exit::Check);
            assert!(error.message.contains(text), "{error}");
            assert!(error.remedy.as_ref().is_some_and(|r| r.contains(remedy)), "{error}");
        };
        refused("has no remote", "remote add origin URL");
        run(&top, &["remote", "add", "one", "git@example.com:team/one.git"]);
        assert_eq!(repository.remote().unwrap().uri(), "git+ssh://git@example.com/team/one.git");
        run(&top, &["remote", "add", "two", "https://example.com/two"]);
        refused("There are one, two", "remote rename one origin");
        run(&top, &["remote", "rename", "two", "origin"]);
        assert_eq!(repository.remote().unwrap().uri(), "git+https://example.com/two");
        // Another repository's file has a name without scheme and user; the own one's has none.
        let file = top.join("folder/a");
        let name = |own| origin(&file, own).unwrap().unwrap().repository;
        assert_eq!(name(None).as_deref(), Some("example.com/two"));
        assert_eq!(name(Some(&repository)), None);
        run(&top, &["remote", "set-url", "origin", "/srv/carveout.git"]);
        refused("origin is a folder of this machine", "remote set-url origin URL");
    }
}
