//! Two builds of the same sources give the same bytes, wherever and however they run.

use crate::builds::util::{Ran, desk, files, root, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A name that can be in no output by accident.
const HOST_NAME: &str = "carveout-build-host-7q3";

/// A copy of the work tree, uncommitted changes included, with git's history.
fn copy_workspace(to: &Path) {
    let root = root();
    let (from, to_text) = (root.to_str().unwrap(), to.to_str().unwrap());
    run("git", ["-c", "safe.directory=*", "clone", "--quiet", from, to_text]).ok();
    for kind in [&["-co"][..], &["-d"]] {
        let mut command = Command::new("git");
        command.current_dir(&root).args(["-c", "safe.directory=*", "ls-files", "-z", "--exclude-standard"]);
        for name in Ran::new(command.args(kind)).ok().split('\0').filter(|n| !n.is_empty()) {
            let (source, copy) = (root.join(name), to.join(name));
            if source.exists() {
                fs::create_dir_all(copy.parent().unwrap()).unwrap();
                fs::copy(source, copy).unwrap();
            } else {
                fs::remove_file(copy).unwrap();
            }
        }
    }
    // Compilers and helper programs are downloads, not what is compared.
    for downloaded in ["target/toolchains", "target/carveout/tools"] {
        if root.join(downloaded).exists() {
            let parent = to.join(downloaded).parent().unwrap().to_owned();
            fs::create_dir_all(&parent).unwrap();
            run("cp", ["-a", root.join(downloaded).to_str().unwrap(), parent.to_str().unwrap()]).ok();
        }
    }
}

/// `cargo xtask image` in another folder, as another kind of user would run it. The program is the one that is there: it is no part of a
/// bundle.
fn build(dir: &Path) -> String {
    let script = "umask 077; if [ \"$(id -u)\" = 0 ]; then hostname \"$1\"; fi; shift; exec \"$@\"";
    let mut command = if run("id", ["-u"]).ok() == "0" {
        let mut command = Command::new("unshare");
        command.arg("--uts");
        command.arg("sh");
        command
    } else {
        Command::new("sh")
    };
    let program = env!("CARGO_BIN_EXE_xtask");
    command.args(["-c", script, "sh", HOST_NAME, program, "--json", "image"]).current_dir(dir);
    without_cargos_variables(&mut command);
    command.env("CARGO_MANIFEST_DIR", dir.join("xtask"));
    for (name, value) in [("TZ", "Asia/Kathmandu"), ("LANG", "tr_TR.UTF-8"), ("CARGO_BUILD_JOBS", "1")] {
        command.env(name, value);
    }
    command.env_remove("LC_ALL");
    Ran::new(&mut command).ok()
}

/// Those of the cargo that runs this test.
fn without_cargos_variables(command: &mut Command) {
    let names = std::env::vars().map(|(name, _)| name);
    for name in names.filter(|name| name.starts_with("CARGO_") && !name.ends_with("HOME")) {
        command.env_remove(name);
    }
}

fn built(json: &str) -> BTreeSet<String> {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    let rows = value["result"]["stages"].as_array().unwrap().iter();
    rows.filter(|r| r["reused"] == false).map(|r| r["stage"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn another_folder_user_time_zone_and_job_count_give_the_same_bundle() {
    let first = desk();
    let dir = tempfile::tempdir().unwrap();
    let workspace = dir.path().join("a folder/one deeper/clone");
    copy_workspace(&workspace);
    let json: serde_json::Value = serde_json::from_str(&build(&workspace)).unwrap();
    let second = PathBuf::from(json["result"]["bundle"].as_str().unwrap());
    for file in files(first).iter().map(String::as_str).chain(["manifest.json"]) {
        run("cmp", [first.join(file), second.join(file)]).ok();
    }
    let sum = |bundle: &Path| {
        let archive =
            bundle.with_file_name(format!("{}.tar.zst", bundle.file_name().unwrap().to_str().unwrap()));
        run("sha256sum", [archive]).ok()[..64].to_owned()
    };
    assert_eq!(sum(first), sum(&second));
    nothing_tells_where_it_was_built(&second, &workspace);
    one_changed_line_rebuilds_what_it_must(&workspace);
}

/// Neither a path of a build nor the build host's name is in any output, packed ones included.
fn nothing_tells_where_it_was_built(bundle: &Path, workspace: &Path) {
    let secrets = [root(), workspace.to_path_buf()].map(|p| p.to_str().unwrap().to_owned());
    let home = std::env::var("HOME").unwrap_or_default();
    let shared = ["/.cargo", "/.rustup"].map(|folder| format!("{home}{folder}"));
    let secrets: Vec<&str> = secrets.iter().chain(&shared).map(String::as_str).chain([HOST_NAME]).collect();
    let unpacked = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> = files(bundle).iter().map(|f| bundle.join(f)).collect();
    for deb in paths.clone().iter().filter(|p| p.extension().is_some_and(|e| e == "deb")) {
        run("dpkg-deb", ["-R", deb.to_str().unwrap(), unpacked.path().join("deb").to_str().unwrap()]).ok();
    }
    walk(unpacked.path(), &mut paths);
    assert!(paths.len() > files(bundle).len());
    assert_eq!(holders(&paths, &secrets), "");
    let found = holders(&paths, &["com.carveout.srv.echo-srv"]);
    assert!(found.contains("secure-os/tos.img"), "it finds what is there: {found}");
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

/// Which of some files hold one of some texts. By grep: images are large, and this program is not optimized.
fn holders(paths: &[PathBuf], texts: &[&str]) -> String {
    let mut command = Command::new("grep");
    command.args(["--files-with-matches", "--text", "--fixed-strings"]).env("LC_ALL", "C");
    for text in texts {
        command.args(["-e", text]);
    }
    let output = command.arg("--").args(paths).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn one_changed_line_rebuilds_what_it_must(workspace: &Path) {
    assert_eq!(built(&build(workspace)), BTreeSet::new());
    let path = workspace.join("apps/echo-srv/src/main.rs");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("const ROOM: usize = 64_000;"));
    fs::write(&path, text.replace("const ROOM: usize = 64_000;", "const ROOM: usize = 63_999;")).unwrap();
    let expected =
        ["trusted app echo-srv", "trusted apps", "symbols", "secure-os", "bundle"].map(String::from);
    assert_eq!(built(&build(workspace)), BTreeSet::from(expected));
    // A comment changes no byte of the app: nothing behind it is built anew but the bundle, which names the work tree.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "// no effect\n").unwrap();
    let effect = built(&build(workspace));
    assert_eq!(effect, BTreeSet::from(["trusted app echo-srv".to_owned()]));
}
