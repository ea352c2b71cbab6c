//! What is started runs in order, is known while it runs, and is ended with us.

use super::*;
use carveout_keys::pkcs11::PIN_VARIABLE;
use carveout_keys::{KEY_VARIABLE, PASSWORD_VARIABLE};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use xshell::cmd;

fn sh() -> Shell {
    shell(Path::new("/")).unwrap()
}

#[test]
fn programs_are_known_while_they_run() {
    let sh = sh();
    let script = "exit 7";
    let mut running = start(cmd!(sh, "sh -c {script}"), Streams::default()).unwrap();
    let target = running.target;
    assert!(known().contains(&target));
    assert_eq!(running.wait().unwrap().code(), Some(7));
    assert!(!known().contains(&target));
    assert_eq!(running.wait().unwrap().code(), Some(7), "waiting twice harms nobody");
}

#[test]
fn what_a_thread_that_gives_way_starts_gives_way() {
    let run = |script: &str| {
        let sh = sh();
        output(cmd!(sh, "sh -c {script}"), Some(Duration::from_secs(60))).unwrap()
    };
    let in_thread = |script: String| {
        let work = move || {
            give_way();
            run(&script)
        };
        std::thread::spawn(work).join().unwrap()
    };
    let wanted = format!("{GIVES_WAY}\n").into_bytes();
    assert_eq!(in_thread("nice".into()).stdout, wanted);
    // The kernel may have no such groups.
    let script = "[ -e /proc/$$/autogroup ] || exit 0; until grep -q 'nice N$' /proc/$$/autogroup; do sleep 0.02; done";
    assert!(in_thread(script.replace('N', &GIVES_WAY.to_string())).status.success());
    assert_ne!(run("nice").stdout, wanted, "other threads keep their own");
}

#[test]
fn what_is_dropped_ends() {
    let sh = sh();
    let (start_time, script) = (Instant::now(), "sleep 1000 & sleep 1000");
    let running = start(cmd!(sh, "sh -c {script}"), Streams::default()).unwrap();
    let target = running.target;
    drop(running);
    assert!(!known().contains(&target) && start_time.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_limit_ends_what_hangs() {
    let sh = sh();
    let script = "echo x; sleep 1000 & sleep 1000";
    let error = output(cmd!(sh, "sh -c {script}"), Some(Duration::from_millis(200))).unwrap_err();
    assert_eq!(error.error.kind(), io::ErrorKind::TimedOut);
    let output = output(cmd!(sh, "sh -c 'echo x; echo y >&2'"), Some(Duration::from_secs(60))).unwrap();
    assert_eq!((output.stdout, output.stderr), (b"x\n".to_vec(), b"y\n".to_vec()));
}

#[test]
fn a_program_that_is_still_open_for_writing_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"#!/bin/sh\nexit 7\n").unwrap();
    file.set_permissions(Permissions::from_mode(0o755)).unwrap();
    let busy = Command::new(&path).spawn().unwrap_err();
    assert_eq!(busy.kind(), io::ErrorKind::ExecutableFileBusy);
    let writer = std::thread::spawn(move || {
        sleep(Duration::from_millis(100));
        drop(file);
    });
    let status = start(sh().cmd(&path), Streams::default()).unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(7));
    writer.join().unwrap();
}

#[test]
fn no_program_gets_a_secret() {
    let sh = sh();
    for secret in [PIN_VARIABLE, KEY_VARIABLE, PASSWORD_VARIABLE, "CARVEOUT_FLEET_TOKEN"] {
        sh.set_var(secret, "hunter2");
    }
    sh.set_var("CARVEOUT_SPIN", "0");
    let said = output(cmd!(sh, "env"), None).unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains(MARK) && text.contains("SPIN") && !text.contains("hunter2"), "{text}");
}
