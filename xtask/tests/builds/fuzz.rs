//! Messages to a trusted app's ports until it faults.

use crate::builds::util::{Ran, root, xtask};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

fn fuzz(args: &[&str]) -> Ran {
    let config = root().join("configs/examples/unchecked.yaml");
    let config = [OsStr::new("fuzz"), OsStr::new("-c"), config.as_os_str()];
    xtask(config.into_iter().chain(args.iter().map(OsStr::new)))
}

fn result(args: &[&str]) -> Value {
    let document = fuzz(&[args, &["--json"]].concat()).json();
    assert_eq!(document["errors"], Value::Array(Vec::new()), "{document}");
    document["result"].clone()
}

/// Reports of cases that were played again, null for those that end well.
fn replay(dir: &str, files: &[&str]) -> Vec<Value> {
    let played = result(&[&["--dir", dir, "--replay"], files].concat())["played"].clone();
    played.as_array().unwrap().iter().map(|played| played["report"].clone()).collect()
}

/// The write through null behind an allocation that nobody checked, and the length that nobody checked behind `put`.
#[test]
fn what_nobody_checks_is_found_and_found_again() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("cases");
    let dir = dir.to_str().unwrap();
    // What else is found before, and so in which order, depends on the code: each run goes on from the one before.
    let (mut null, mut length, mut most) = (None, None, 2);
    while null.is_none() || length.is_none() {
        assert!(most < 16, "{null:?} {length:?}");
        let result = result(&["--dir", dir, "--most", &most.to_string(), "--seconds", "300"]);
        let found = result["found"].as_array().unwrap();
        let file = |report: &[&str]| {
            let is =
                |found: &&Value| report.iter().all(|part| found["report"].as_str().unwrap().contains(part));
            found.iter().find(is).map(|found| found["file"].as_str().unwrap().to_owned())
        };
        null = file(&["null + 0 written", "place examples/unchecked-srv/src/main.rs:"]);
        length = file(&["in unchecked_srv::ends::put"]);
        most += 1;
    }
    let file = length.as_deref().unwrap();
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("\nconnect com.carveout.srv.unchecked-srv.end\nsend 0 707574"), "{text}");

    // Alone it leaves a core file, too.
    let again = fuzz(&["--replay", file]);
    assert!(
        again.stdout().contains("core file: ") && again.stdout().contains("core.gdb"),
        "{}",
        again.stdout()
    );
    again.fails(1);
    let all = replay(dir, &[]);
    assert!(all.iter().filter(|report| report.is_string()).count() >= 2 && all.len() > 20, "{}", all.len());
    is_small(file);
}

/// The smallest case has no more actions and bytes than it needs.
fn is_small(file: &str) {
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() == 2 && lines[1].len() < 60, "{text}");
}

#[test]
fn cases_are_read_and_told_as_they_are() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("cases");
    let [finds, corpus] = ["finds", "corpus"].map(|part| dir.join(part));
    let put = |at: &Path, name: &str, text: &str| {
        fs::create_dir_all(at).unwrap();
        fs::write(at.join(name), text).unwrap();
        at.join(name).to_str().unwrap().to_owned()
    };
    let dir = dir.to_str().unwrap();
    let connect = "connect com.carveout.srv.unchecked-srv.end\n";
    let mended = put(&finds, "a.case", &format!("# once\n{connect}send 0 00\n"));
    let panics = put(&finds, "b.case", &format!("{connect}send 0 70616e6963\n"));
    assert_eq!(replay(dir, &[&mended]), [Value::Null]);
    let report = replay(dir, &[&panics]).remove(0);
    assert!(report.as_str().unwrap().contains("a message of 5 bytes was not expected"), "{report}");
    let result = result(&["--dir", dir, "--most", "1"]);
    assert_eq!((&result["mended"][0], result["found"][0]["known"].as_bool()), (&mended.into(), Some(true)));

    put(&corpus, "c.case", "sned 0 \u{1b}[31m\n");
    let refused = fuzz(&["--dir", dir]).fails(2);
    assert!(
        refused.contains("corpus/c.case: line 1: is none of") && !refused.contains('\u{1b}'),
        "{refused}"
    );
    let refused = fuzz(&["nobody"]).fails(2);
    assert!(refused.contains("nobody: no trusted app has this name"), "{refused}");
    let refused = fuzz(&["--dir", "/nowhere", "--replay"]).fails(2);
    assert!(refused.contains("/nowhere: there are no cases to play again"), "{refused}");
}
