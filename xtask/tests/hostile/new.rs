//! `new` where cargo fails or is killed, with names and in places that cannot be.

use crate::builds::util::{Ran, root};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

fn xtask(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).current_dir(folder).env_remove("CARGO_MANIFEST_DIR");
    command
}

/// `new` in a folder, of this clone.
fn new(folder: &Path, arguments: &[&str]) -> Command {
    let root = root();
    let clone = ["--carveout", root.to_str().unwrap()];
    xtask(folder, &[&["new"], arguments, &clone].concat())
}

/// A folder to put first into PATH, in which cargo is this script.
fn cargo(folder: &Path, script: &str) -> String {
    let path = folder.join("bin/cargo");
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap())
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_cargo_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (bin, place) = (dir.path().join("path"), dir.path().join("place"));
    fs::create_dir(&place).unwrap();
    for (script, expected) in [
        ("echo 'error: failed to get `carveout` as a dependency' >&2; exit 101", "failed to get `carveout`"),
        ("echo 'error: No space left on device (os error 28)' >&2; exit 101", "No space left on device"),
        ("kill -9 $$", "signal: 9"),
    ] {
        let path = cargo(&bin, script);
        for folder in ["door-lock", "deep/er/door-lock"] {
            let failed = Ran::new(new(&place, &[folder]).env("PATH", &path).env_remove("CARGO")).fails(2);
            assert!(failed.contains(expected), "{expected} in {failed}");
            assert_eq!(names(&place), Vec::<String>::new(), "{script}");
        }
        // An empty folder that was there stays, empty.
        let empty = place.join("door-lock");
        fs::create_dir(&empty).unwrap();
        Ran::new(new(&empty, &["."]).env("PATH", &path).env_remove("CARGO")).fails(2);
        assert_eq!(names(&empty), Vec::<String>::new(), "{script}");
        fs::remove_dir(&empty).unwrap();
    }
}

/// Whoever is killed cannot clean up: the next one does. An app is whole or not there.
#[test]
fn a_killed_one_is_made_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = cargo(&dir.path().join("path"), "kill -9 $PPID; sleep 1");
    let killed = |mut command: Command| {
        let ended = command.env("PATH", &path).env_remove("CARGO").output().unwrap();
        assert_eq!(ended.status.code(), None, "{ended:?}");
    };
    let folder = dir.path().join("door-lock");
    killed(new(dir.path(), &["door-lock"]));
    assert_eq!(names(&folder), [".carveout-new"]);
    Ran::new(&mut new(dir.path(), &["door-lock"])).ok();
    let whole = names(&folder);
    assert!(whole.contains(&"Cargo.lock".into()) && !whole.contains(&".carveout-new".into()), "{whole:?}");
    killed(xtask(&folder, &["new", "--ta", "second-srv"]));
    assert_eq!(names(&folder.join("apps/second-srv")), ["Cargo.toml", "build.rs", "src"]);
    // With it cargo reads the workspace as ever, and one more app is made.
    Ran::new(&mut xtask(&folder, &["new", "--app", "second-app"])).ok();
    let lock = fs::read_to_string(folder.join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"second-srv\"") && lock.contains("name = \"second-app\""));
}

#[test]
fn places_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("file"), "").unwrap();
    fs::create_dir(path("full")).unwrap();
    fs::write(path("full/x"), "").unwrap();
    symlink("nowhere", path("dangling")).unwrap();
    fs::create_dir_all(path("other/apps")).unwrap();
    fs::write(path("other/Cargo.toml"), "[workspace]\nmembers = [\"apps/*\"]\n").unwrap();
    let before = names(dir.path());
    let long = "n".repeat(300);
    let (clone, other) = (root().join("apps/door-lock"), path("other").display().to_string());
    for (folder, code, expected) in [
        ("..", 2, "is not empty"),
        ("tür", 2, "`tür`: no name for packages"),
        (&*long, 2, "no name for packages"),
        ("file", 2, "file: is a file, not a folder"),
        ("file/door", 1, "Not a directory"),
        ("full", 2, "full: is not empty"),
        ("dangling", 1, "dangling/.carveout-new: File exists"),
        ("other/apps/door-lock", 2, &*format!("other/apps/door-lock: lies in the cargo workspace {other}")),
        (clone.to_str().unwrap(), 2, "lies in the cargo workspace"),
        ("/proc/door-lock", 1, "/proc/door-lock"),
        ("-x", 2, "unexpected argument '-x'"),
    ] {
        let refused = Ran::new(&mut new(dir.path(), &[folder])).fails(code);
        assert!(refused.contains(expected), "{folder}: {expected} in {refused}");
        assert_eq!(names(dir.path()), before, "{folder}");
    }
    assert!(!clone.exists());
    // Names of folders become names; with a word of Rust's packages are called fn-srv and so on.
    let made = Ran::new(&mut new(dir.path(), &["My_Door Lock.v2"])).ok();
    assert!(
        fs::read_to_string(Path::new(&made).join("configs/desk.yaml"))
            .unwrap()
            .contains("name: my-door-lock-v2")
    );
    let made = PathBuf::from(Ran::new(&mut new(dir.path(), &["fn"])).ok());
    let service = fs::read_to_string(made.join("apps/fn-service/src/lib.rs")).unwrap();
    assert!(service.contains("pub struct FnService {"), "{service}");
}

#[test]
fn names_of_apps_and_workspaces_that_people_have_edited() {
    let dir = tempfile::tempdir().unwrap();
    Ran::new(&mut new(dir.path(), &["door-lock"])).ok();
    let folder = dir.path().join("door-lock");
    let before = names(&folder.join("apps"));
    for (name, expected) in [
        ("..", "no name for packages"),
        ("a/b", "no name for packages"),
        ("tür", "no name for packages"),
        ("self", "`self`: Rust or cargo uses this word"),
        ("core", "`core`: Rust or cargo uses this word"),
        ("trusty-ta", "`trusty-ta`: a crate in Cargo.lock of this workspace has this name"),
        ("serde", "a crate in Cargo.lock"),
        ("xtask", "a crate in Cargo.lock"),
        ("door-lock-app", "door-lock-app: exists already"),
        ("-x", "error: "),
    ] {
        for kind in ["--ta", "--app"] {
            let refused = Ran::new(&mut xtask(&folder, &["new", kind, name])).fails(2);
            assert!(refused.contains(expected), "{name}: {expected} in {refused}");
        }
        assert_eq!(names(&folder.join("apps")), before, "{name}");
    }
    let manifest = folder.join("Cargo.toml");
    let whole = fs::read_to_string(&manifest).unwrap();
    for (from, to, expected) in [
        (
            "members = [\"apps/*\", \"xtask\"]",
            "members = [\"apps/door-lock-app\", \"xtask\"]",
            "its members have no apps/one-srv",
        ),
        (
            "\ntrusty-ta = ",
            "\ntrusty-other = ",
            "`dependency.trusty-ta` was not found in `workspace.dependencies`",
        ),
        ("[workspace.package]\n", "[workspace.package\n", "Cargo.toml"),
    ] {
        assert!(whole.contains(from), "{from}");
        fs::write(&manifest, whole.replacen(from, to, 1)).unwrap();
        let refused = Ran::new(&mut xtask(&folder, &["new", "--ta", "one-srv"])).fails(2);
        assert!(refused.contains(expected), "{expected} in {refused}");
        assert_eq!(names(&folder.join("apps")), before, "{to}");
        Ran::new(&mut xtask(&folder, &["run", "--", "x"])).fails(2);
        fs::write(&manifest, &whole).unwrap();
    }
    let outside = Ran::new(&mut xtask(dir.path(), &["run", "--", "x"])).fails(2);
    assert!(outside.contains("workspace"), "{outside}");
}
