//! The program itself, as a shell starts it: where it works, and how it ends.
#![allow(clippy::unwrap_used, clippy::panic)]

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn xtask(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).current_dir(folder).env_remove("CARGO_MANIFEST_DIR");
    command.env("XDG_STATE_HOME", folder.join("state"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ends(output: &Output, code: i32) -> String {
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{error}");
    out + &error
}

/// A workspace of a team's own, as far as it is read.
fn team() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("Cargo.toml", "[workspace]\nmembers = [\"xtask\"]\nresolver = \"3\"\n");
    put("xtask/Cargo.toml", "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    put("xtask/src/lib.rs", "");
    let package = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    put("Cargo.lock", &format!("version = 4\n\n{}\n{}", package("trusty-image"), package("xtask")));
    put("apps/deep/notes", "");
    dir
}

#[test]
fn the_workspace_is_that_of_who_calls() {
    let team = team();
    for folder in ["", "apps/deep"] {
        let output = xtask(&team.path().join(folder), &["plan"]).output().unwrap();
        // carveout's own configs/desk.yaml would be found where this program was compiled.
        let error = ends(&output, 2);
        assert!(error.contains("configs/desk.yaml: No such file or directory"), "{error}");
    }
}

#[test]
fn outside_a_workspace_only_what_builds_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| xtask(dir.path(), arguments).output().unwrap();
    for verb in ["image", "plan", "doctor", "test"] {
        let error = ends(&run(&[verb]), 2);
        assert!(
            error.contains("neither this folder nor one above it is a workspace of carveout"),
            "{verb}: {error}"
        );
        assert!(error.contains("help: change into a clone of carveout"), "{verb}: {error}");
    }
    fs::create_dir(dir.path().join("none")).unwrap();
    for verb in [&["verify", "none"][..], &["report", "none"], &["diff", "none", "none"]] {
        let error = ends(&run(verb), 2);
        assert!(error.contains("no bundle") && !error.contains("workspace"), "{verb:?}: {error}");
    }
    assert!(ends(&run(&["completions", "bash"]), 0).contains("complete"));
    ends(&run(&["key", "new", "release.key", "--no-password"]), 0);
    assert!(ends(&run(&["key", "public", "release.key"]), 0).contains("public key"));
    let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/boards/virt");
    let cfg = boards.join("tegra194-mb1-bct-misc-l4t.cfg");
    assert!(ends(&run(&["inspect", cfg.to_str().unwrap()]), 0).contains("tzdram"));
}

/// A cargo whose installing never ends, and starts another process besides; both tell their numbers.
fn endless_cargo(dir: &Path) -> PathBuf {
    let path = dir.join("cargo");
    let (real, dir) = (env!("CARGO"), dir.display());
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = install ] || exec {real} \"$@\"\ntrap '' INT\nsleep 1000 &\n\
         echo \"$$ $!\" > {dir}/pids.new\nmv {dir}/pids.new {dir}/pids\nwait\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_signal_ends_all_that_runs_and_says_how_to_go_on() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let team = team();
        // carveout's own sources lie in it, so that nothing is asked for before the helper program.
        let ours = team.path().join("crates/carveout-host");
        fs::create_dir_all(&ours).unwrap();
        fs::write(ours.join("Cargo.toml"), "").unwrap();
        let scratch = team.path().join("tmp");
        fs::create_dir(&scratch).unwrap();
        let mut command = xtask(team.path(), &["recipes"]);
        command.env("CARGO", endless_cargo(team.path())).env("TMPDIR", &scratch);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (pids, start) = (team.path().join("pids"), Instant::now());
        while !pids.exists() {
            assert!(start.elapsed() < Duration::from_secs(30), "cargo was not started");
            sleep(Duration::from_millis(20));
        }
        let pids: Vec<Pid> = fs::read_to_string(pids)
            .unwrap()
            .split_whitespace()
            .map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap())
            .collect();
        assert_eq!(pids.len(), 2);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let error = ends(&output, 130);
        assert!(error.ends_with("error: interrupted; the same command continues\n"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20), "nobody wants to wait");
        for pid in pids {
            // A zombie of somebody else's is none of ours.
            let state =
                fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
            assert!(test_kill_process(pid).is_err() || state.contains(") Z "), "{pid:?} still runs");
        }
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "{signal:?}");
    }
}

/// A file's name may hold what a terminal would obey.
#[test]
fn no_error_moves_the_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let error = ends(&xtask(dir.path(), &["verify", "a\u{1b}[2Jb"]).output().unwrap(), 2);
    assert!(error.contains("a\\u{1b}[2Jb: No such file") && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn an_update_archive_is_verified_and_is_no_bundle() {
    use crate::report::small;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(small::write(dir.path(), "1", 32 << 20));
    let source = bundle::Source::open(&folder).unwrap();
    let (manifest, _) = bundle::extract(&source, |_| false).unwrap();
    let update = manifest.update_name();
    bundle::write_update(&source, &manifest, 1, &dir.path().join(&update)).unwrap();
    let run = |arguments: &[&str], code| ends(&xtask(dir.path(), arguments).output().unwrap(), code);
    let said = run(&["verify", &update], 0);
    assert!(said.contains("desk-1-virt-tzdram32M: an update of 2 files, each of which"), "{said}");
    assert!(said.contains("not signed"), "{said}");
    for verb in [&["flash", &update, "--to", "virt:d.img"][..], &["diff", &update, &update]] {
        let said = run(verb, 2);
        assert!(said.contains("is an update archive, which a running device takes, and no bundle"), "{said}");
    }
    let whole = fs::read(dir.path().join(&update)).unwrap();
    fs::write(dir.path().join(&update), &whole[..whole.len() / 2]).unwrap();
    let said = run(&["verify", &update], 1);
    assert!(said.contains("copy it again from the release"), "{said}");
    let said = run(&["verify", "none-update.tar.zst"], 2);
    assert!(said.contains("No such file"), "{said}");
}

/// A stand-in for ssh says what a device would.
#[test]
fn a_device_that_runs_tells_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let ssh = dir.path().join("ssh");
    fs::write(
        &ssh,
        "#!/bin/sh\necho \"$*\" > \"$0.asked\"\ncat \"$0.says\"\necho 'Permission denied' >&2\nexit 255\n",
    )
    .unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let status = |to: &str, says: &str, code| {
        fs::write(dir.path().join("ssh.says"), says).unwrap();
        ends(&xtask(dir.path(), &["status", "--to", to]).env("PATH", &path).output().unwrap(), code)
    };
    let identity = r#"{"format":1,"bundle":"p-1-b-tzdram32M","name":"p","version":"1","board":"b","security_version":3}"#;
    let said = status("ssh:root@board", identity, 0);
    assert_eq!(
        said,
        "device     ssh:root@board\nboard      b\nruns       not known\nrootfs     p-1-b-tzdram32M\nsecurity   3\n"
    );
    let asked = fs::read_to_string(dir.path().join("ssh.asked")).unwrap();
    assert!(
        asked.contains("BatchMode=yes") && asked.contains(" -- root@board u=/usr/sbin/carveout-update"),
        "{asked}"
    );
    // Whoever the device is, it does not move the cursor.
    let evil = r#"{"ok":true,"result":{"runs":"a\u001b[2Jb","security_version":0}}"#;
    let said = status("ssh:board", evil, 0);
    assert!(said.contains("runs       a\\u{1b}[2Jb\n") && !said.contains('\u{1b}'), "{said}");
    let said =
        status("ssh:board", r#"{"ok":false,"error":{"code":"no-disk","message":"no disk","help":""}}"#, 1);
    assert!(said.contains("ssh:board: no disk"), "{said}");
    assert!(
        status("ssh:board", "null", 1)
            .contains("has neither carveout-update nor /usr/lib/carveout/bundle.json")
    );
    let said = status("ssh:board", "", 3);
    assert!(
        said.contains("brought no status and ended with exit code 255; it said last: Permission denied"),
        "{said}"
    );
    let said = status("ssh:-oProxyCommand=x", "", 2);
    assert!(said.contains("is no name of a host"), "{said}");
    assert!(status("virt:none.img", "", 2).contains("none.img"));
}
