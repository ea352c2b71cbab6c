//! What a flash leaves for later: records of what a board may run, and copies of root filesystems that outlast a power cut.

use super::device::{Bus, XAVIER_32GB};
use super::flash::{APP, bundle, flash, in_use, records, rootfs, wrote};
use super::traced::Copy;
use crate::builds::util::{Ran, root, run};
use bundle::{FileEntry, Partition, Role};
use serde_json::json;
use std::fs;
use std::io::Cursor;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tegra_flash::filesystem::test_image::image;
use tegra_flash::sparse;

/// Notes every sync among the calls of a board.
const SYNCS: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int note(int fd, long call) {
  char link[64], path[4096];
  const char *calls = getenv("CALLS");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  FILE *file = calls && length > 0 ? fopen(calls, "a") : NULL;
  if (file) {
    path[length] = 0;
    fprintf(file, "sync %s\n", path);
    fclose(file);
  }
  return syscall(call, fd);
}
int fsync(int fd) { return note(fd, SYS_fsync); }
int fdatasync(int fd) { return note(fd, SYS_fdatasync); }
"#;

/// Our own program, whose syncs are among the calls of board 1-2.
fn synced(bus: &Bus, arguments: &[&str]) -> Ran {
    let dir = bus.home().parent().unwrap().to_owned();
    let (source, library) = (dir.join("syncs.c"), dir.join("syncs.so"));
    if !library.exists() {
        fs::write(&source, SYNCS).unwrap();
        let paths = [&library, &source].map(|path| path.to_str().unwrap());
        run("cc", ["-shared", "-fPIC", "-o", paths[0], paths[1]]).ok();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).current_dir(root()).env("LD_PRELOAD", library);
    Ran::new(bus.connect(command.env("CALLS", dir.join("state/1-2.calls"))))
}

/// The only copy of what is about to be overwritten, and afterwards the only one that was compared with nothing.
#[test]
fn a_kept_root_filesystem_outlasts_a_power_cut_and_the_flash() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 7);
    let ran = synced(&bus, &flash(&["--keep-app"]));
    let said = ran.stderr();
    ran.ok();
    let line = said.lines().find(|line| line.contains("the copy of its root filesystem stays in ")).unwrap();
    let kept = line.split("remove it: rm ").nth(1).unwrap().trim();
    assert!(fs::read(kept).unwrap() == rootfs(7), "{line}");
    let calls = board.calls();
    let at = |call: &str| {
        calls.iter().position(|other| other == call).unwrap_or_else(|| panic!("{call}: {calls:#?}"))
    };
    // A file is synced under the name that it has until it is whole.
    let synced_file = |calls: &[String], path: &Path| {
        let [folder, name] = [path.parent().unwrap().as_os_str(), path.file_name().unwrap()];
        let [folder, name] = [folder, name].map(|text| text.to_str().unwrap());
        let is = |call: &String| call.starts_with(&format!("sync {folder}/")) && call.ends_with(name);
        calls.iter().position(is).unwrap_or_else(|| panic!("{name}: {calls:#?}"))
    };
    let written = calls.iter().position(|call| call.contains("--create")).unwrap();
    let folder = Path::new(kept).parent().unwrap();
    assert!(synced_file(&calls, Path::new(kept)) < written);
    assert!(at(&format!("sync {}", folder.display())) < written);
    // And the record of what the board has.
    assert!(written < at(&format!("sync {}", folder.join("records.jsonl").display())));
    // A backup is there when the command says so.
    for (name, more) in [("app.raw", &["--raw"][..]), ("app.img", &[])] {
        board.reset();
        let before = board.calls().len();
        let dir = fs::canonicalize(bus.home()).unwrap();
        let file = dir.join(name).display().to_string();
        let backup = ["backup", bundle().to_str().unwrap(), "--output", &file];
        synced(&bus, &[&backup[..], more].concat()).ok();
        let calls = board.calls().split_off(before);
        synced_file(&calls, Path::new(&file));
        assert!(calls.contains(&format!("sync {}", dir.display())), "{calls:#?}");
    }
}

/// All was written and only the restart failed: the board may run it, and an older bundle is a downgrade.
#[test]
fn what_was_written_counts_for_downgrades_whatever_failed_then() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 1);
    let again = |more: &[&str]| {
        board.reset();
        let options = [&["--scope", "secure-os"], more].concat();
        bus.xtask(flash(&options))
    };
    board.script(&["--reboot coldboot fail"]);
    again(&[]).fails(1);
    let record = records(&bus).pop().unwrap();
    let steps: Vec<(&str, bool)> = record["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), step["ok"].as_bool().unwrap()))
        .collect();
    let expected = [
        ("identify", true),
        ("boot the recovery loader", true),
        ("compare the carve-out", true),
        ("write secure-os", true),
        ("read secure-os back", true),
        ("write secure-os_b", true),
        ("read secure-os_b back", true),
        ("restart", false),
    ];
    assert_eq!(steps, expected, "{record}");
    board.script(&[]);
    // The same bundle had been a newer one; and the line after it was cut off.
    let path = bus.home().join("carveout/flash-records/records.jsonl");
    let newer =
        fs::read_to_string(&path).unwrap().replace("\"security_version\": 0", "\"security_version\":0");
    assert!(newer.contains("\"security_version\":0"), "{newer}");
    fs::write(&path, newer.replace("\"security_version\":0", "\"security_version\":9") + "5\n{\"cut")
        .unwrap();
    let calls = board.calls().len();
    let error = again(&[]).fails(1);
    assert!(error.contains("the board has had security version 9"), "{error}");
    assert!(!board.calls()[calls..].iter().any(|call| call.contains("--write")), "{error}");
    let last = fs::read_to_string(&path).unwrap();
    let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_ne!(last["result"], "ok", "a line of its own, behind the one that was cut off");
    again(&["--allow-downgrade"]).ok();
}

/// It is ended while it reads back what it has written. (Not by SIGINT: a test that runs in the background of a shell ignores that.)
#[test]
fn a_flash_that_is_ended_leaves_its_record() {
    let bus = Bus::new();
    let board = in_use(&bus, "1-2", 1);
    board.script(&["--read secure-os_b hang"]);
    let mut command = bus.flash_sh(bundle());
    command.args(["--scope", "secure-os"]).process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    while !board.calls().iter().any(|call| call.contains("--read secure-os_b")) {
        assert_eq!(child.try_wait().unwrap(), None);
        sleep(Duration::from_millis(100));
    }
    run("kill", ["-TERM", "--", &format!("-{}", child.id())]).ok();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let record = records(&bus).pop().unwrap();
    assert_ne!(record["result"], "ok");
    let [write, last] = [3, 6].map(|at| &record["steps"][at]);
    assert_eq!((&write["step"], &write["ok"]), (&json!("write secure-os"), &json!(true)));
    assert_eq!((&last["step"], &last["ok"]), (&json!("read secure-os_b back"), &json!(false)));
}

/// A copy of the bundle with a root filesystem of its own.
fn with_rootfs(seed: u8) -> Copy {
    let copy = Copy::of(bundle());
    let (raw, mut file) = (image(APP, seed), Cursor::new(Vec::new()));
    sparse::encode(&mut &raw[..], APP as u64, &mut file, sparse::BLOCK_SIZE).unwrap();
    let bytes = file.into_inner();
    fs::create_dir(copy.folder.join("rootfs")).unwrap();
    fs::write(copy.folder.join("rootfs/system.img"), &bytes).unwrap();
    copy.manifest(|manifest| {
        manifest.files.push(FileEntry {
            path: "rootfs/system.img".into(),
            role: Role::Rootfs,
            size: bytes.len() as u64,
            sha256: bundle::sha256(&bytes),
            partitions: vec!["APP".into()],
            executable: false,
            made_of: None,
            identity: None,
        });
        manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        manifest
            .plan
            .partitions
            .insert(0, Partition { name: "APP".into(), size: APP as u64, used: APP as u64 });
    });
    copy
}

/// A folder's root filesystem is written from where it lies: what is written must be what was verified.
#[test]
fn a_root_filesystem_that_changes_behind_the_verification_is_told() {
    for (line, state) in [
        ("--iscpubl grow", "nothing has been written"),
        ("--create grow", "the board's root filesystem is not sound now"),
    ] {
        let (copy, bus) = (with_rootfs(1), Bus::new());
        let board = bus.plug("1-2", XAVIER_32GB);
        board.script(&[line]);
        let error = bus.xtask(["flash", copy.folder.to_str().unwrap(), "--to", "usb"]).fails(1);
        assert!(error.contains("rootfs/system.img") && error.contains("has changed"), "{line}: {error}");
        assert!(error.contains(state), "{line}: {error}");
        assert_eq!(wrote(&board), line.starts_with("--create"), "{line}");
        assert_ne!(records(&bus).pop().unwrap()["result"], "ok");
    }
}

/// What scope auto chooses, together with what else was asked for.
#[test]
fn scope_auto_neither_forgets_a_root_filesystem_nor_overwrites_one_that_is_kept() {
    let (one, two, bus) = (with_rootfs(1), with_rootfs(2), Bus::new());
    let board = in_use(&bus, "1-2", 3);
    let [one, two] = [&one, &two].map(|copy| copy.folder.to_str().unwrap());
    let auto = |from: &str, to: &str, more: &[&str]| {
        let options = ["flash", to, "--to", "usb", "--scope", "auto", "--from", from];
        bus.xtask([&options[..], more].concat())
    };
    let given = bus.home().with_extension("raw");
    fs::write(&given, rootfs(9)).unwrap();
    let app = ["--app", given.to_str().unwrap()];
    assert_eq!(auto(one, two, &["--dry-run"]).ok(), "app");
    assert_eq!(auto(one, two, &["--keep-app"]).ok(), "none");
    let error = auto(one, one, &app).fails(2);
    assert!(
        error.contains(
            "--app with --scope auto: what differs needs scope none, which writes no root filesystem"
        ),
        "{error}"
    );
    assert_eq!(board.calls(), Vec::<String>::new());
    assert!(board.partition("APP").unwrap() == rootfs(3));
}
