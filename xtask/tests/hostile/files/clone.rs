//! Somebody else's clone: git would run the filters, monitors and hooks that it configures.

use carveout_host::tools::git::{GitState, Repository, revision, state};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A user that is nobody here; files are given to it where we may.
const OTHER: u32 = 65534;

struct Clone {
    dir: TempDir,
    top: PathBuf,
}

/// Runs git as its owner would have; what it must not do is looked at later.
fn git(dir: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(dir).env("HOME", dir).args(["-c", "user.name=A", "-c", "user.email=a@example.com"]);
    command.args(["-c", "protocol.file.allow=always", "-c", "commit.gpgSign=false"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn commit(top: &Path) {
    fs::create_dir_all(top).unwrap();
    git(top, &["init", "--quiet"]);
    fs::write(top.join(".gitattributes"), "*.elf filter=trap diff=trap\n*.long filter=long\n").unwrap();
    fs::write(top.join("a.elf"), "a\n").unwrap();
    fs::write(top.join("b.long"), "b\n").unwrap();
    git(top, &["add", "--all"]);
    git(top, &["commit", "--quiet", "-m", "first"]);
}

impl Clone {
    /// A clone with a submodule; both have traps of all kinds.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let top = fs::canonicalize(dir.path()).unwrap().join("clone");
        commit(&dir.path().join("module"));
        commit(&top);
        git(&top, &["submodule", "--quiet", "add", "../module", "module"]);
        git(&top, &["commit", "--quiet", "-m", "module"]);
        let clone = Self { dir, top };
        clone.arm(&clone.top.clone(), &clone.top.join(".git"));
        clone.arm(&clone.top.join("module"), &clone.top.join(".git/modules/module"));
        clone.touch();
        clone
    }

    fn sprung(&self) -> PathBuf {
        self.dir.path().join("sprung")
    }

    /// Sets traps: each leaves a line.
    fn arm(&self, top: &Path, folder: &Path) {
        let script = self.dir.path().join("trap");
        let text = format!("#!/bin/sh\necho \"$0 $*\" >>{}\ncat\n", self.sprung().display());
        fs::write(&script, text).unwrap();
        fs::create_dir_all(folder.join("hooks")).unwrap();
        for hook in ["post-index-change", "reference-transaction", "fsmonitor-watchman", "post-checkout"] {
            fs::copy(&script, folder.join("hooks").join(hook)).unwrap();
            fs::set_permissions(folder.join("hooks").join(hook), PermissionsExt::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let script = script.display().to_string();
        for key in [
            "filter.trap.clean",
            "filter.trap.smudge",
            "filter.long.process",
            "diff.trap.textconv",
            "diff.trap.command",
            "diff.external",
            "core.fsmonitor",
            "core.sshCommand",
            "core.pager",
            "core.alternateRefsCommand",
            "credential.helper",
            "remote.origin.uploadpack",
            "alias.status",
            "interactive.diffFilter",
        ] {
            git(top, &["config", key, &script]);
        }
        for (key, value) in [
            ("core.hooksPath", folder.join("hooks").display().to_string()),
            ("remote.origin.url", "ssh://host.example/x".into()),
            ("remote.origin.promisor", "true".into()),
            ("remote.origin.partialclonefilter", "blob:none".into()),
            ("status.showUntrackedFiles", "no".into()),
        ] {
            git(top, &["config", key, &value]);
        }
    }

    /// Makes all files look changed: only then are filters asked.
    fn touch(&self) {
        for name in ["a.elf", "b.long", "module/a.elf", "module/b.long"] {
            let path = self.top.join(name);
            let text = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, text).unwrap();
            let _ = fs::remove_file(self.sprung());
        }
        if rustix::process::geteuid().is_root() {
            let owner = format!("{OTHER}:{OTHER}");
            assert!(Command::new("chown").arg("-R").arg(owner).arg(&self.top).status().unwrap().success());
        }
    }

    fn ensure_quiet(&self, what: &str) {
        let said = fs::read_to_string(self.sprung()).unwrap_or_default();
        assert_eq!(said, "", "{what}: the clone's own programs were run");
    }
}

#[test]
fn git_runs_nothing_that_a_clone_configures() {
    let clone = Clone::new();
    let top = &clone.top;
    let repository = Repository::of(top).unwrap().unwrap();
    // All is as it was committed, and said so.
    let asks: [(&str, &dyn Fn() -> bool); 7] = [
        ("revision", &|| revision(top).unwrap() == repository.commit),
        ("changes", &|| repository.changes().unwrap().is_empty()),
        ("a file", &|| matches!(state(&top.join("a.elf")).unwrap(), GitState::Committed(..))),
        ("a file of the submodule", &|| {
            matches!(state(&top.join("module/a.elf")).unwrap(), GitState::Committed(..))
        }),
        ("the folder", &|| matches!(state(top).unwrap(), GitState::Committed(..))),
        ("ignored files", &|| repository.ignored(std::slice::from_ref(top)).unwrap().is_empty()),
        ("the remote", &|| repository.remote().is_ok()),
    ];
    for (what, ask) in asks {
        clone.touch();
        assert!(ask(), "{what}");
        clone.ensure_quiet(what);
    }
    // An object that is missing is not fetched, and no error is a yes.
    let object = Command::new("git")
        .args(["-c", "safe.directory=*", "rev-parse", "HEAD:a.elf"])
        .current_dir(top)
        .output()
        .unwrap();
    let object = String::from_utf8(object.stdout).unwrap();
    let (folder, rest) = object.trim().split_at(2);
    fs::remove_file(top.join(".git/objects").join(folder).join(rest)).unwrap();
    clone.touch();
    let _ = state(&top.join("a.elf"));
    assert!(matches!(state(top), Ok(GitState::Committed(..)) | Err(_)));
    clone.ensure_quiet("a missing object");
}

#[test]
fn changes_are_found_without_the_clones_own_programs() {
    let clone = Clone::new();
    let top = &clone.top;
    let repository = Repository::of(top).unwrap().unwrap();
    fs::write(top.join("a.elf"), "other\n").unwrap();
    fs::write(top.join("new"), "").unwrap();
    assert_eq!(repository.changes().unwrap(), ["a.elf", "new"]);
    fs::write(top.join("module/b.long"), "other\n").unwrap();
    assert_eq!(repository.changes().unwrap(), ["a.elf", "new", "module"]);
    assert!(matches!(state(&top.join("module")).unwrap(), GitState::Modified(_)));
    clone.ensure_quiet("changes");
    // One that leads to itself ends.
    fs::remove_dir_all(top.join("module")).unwrap();
    std::os::unix::fs::symlink(".", top.join("module")).unwrap();
    assert!(repository.changes().unwrap().contains(&"module".to_owned()));
}
