//! Two builds of the same sources give the same bytes, wherever and however they run.

use crate::builds::elsewhere::{Elsewhere, HOST_NAME, bases_of};
use crate::builds::util::{desk, files, root, run, xtask};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn stages(json: &str, reused: bool) -> BTreeSet<String> {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    let rows = value["result"]["stages"].as_array().unwrap().iter();
    rows.filter(|r| r["reused"] == reused).map(|r| r["stage"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn another_folder_user_time_zone_and_job_count_give_the_same_bundle() {
    let first = desk();
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = Elsewhere::new(dir.path());
    // All but Debian's base, which takes minutes: `pinned` builds it elsewhere and compares it.
    bases_of(xtask(["rootfs"]).ok().as_ref()).iter().for_each(|base| elsewhere.take_base(base));
    let json = elsewhere.xtask(&["--json", "image"]).ok();
    assert_eq!(stages(&json, true), BTreeSet::from(["rootfs base".to_owned()]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let second = PathBuf::from(json["result"]["bundle"].as_str().unwrap());
    let texts = [first, &second].map(|bundle| fs::read_to_string(bundle.join("manifest.json")).unwrap());
    assert_eq!(texts[0], texts[1]);
    for file in files(first) {
        run("cmp", [first.join(&file), second.join(&file)]).ok();
    }
    let sum = |bundle: &Path| {
        let archive =
            bundle.with_file_name(format!("{}.tar.zst", bundle.file_name().unwrap().to_str().unwrap()));
        run("sha256sum", [archive]).ok()[..64].to_owned()
    };
    assert_eq!(sum(first), sum(&second));
    nothing_tells_where_it_was_built(&second, &elsewhere.0);
    one_changed_line_rebuilds_what_it_must(&elsewhere);
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

fn one_changed_line_rebuilds_what_it_must(elsewhere: &Elsewhere) {
    let rebuilt = || stages(&elsewhere.xtask(&["--json", "image"]).ok(), false);
    assert_eq!(rebuilt(), BTreeSet::new());
    let path = elsewhere.0.join("apps/echo-srv/src/main.rs");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("const ROOM: usize = 64_000;"));
    fs::write(&path, text.replace("const ROOM: usize = 64_000;", "const ROOM: usize = 63_999;")).unwrap();
    let expected =
        ["trusted app echo-srv", "trusted apps", "symbols", "secure-os", "bundle"].map(String::from);
    assert_eq!(rebuilt(), BTreeSet::from(expected));
    // A comment changes no byte of the app: nothing behind it is built anew but the bundle, which names the work tree.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "// no effect\n").unwrap();
    assert_eq!(rebuilt(), BTreeSet::from(["trusted app echo-srv".to_owned()]));
}
