//! What does not boot, ends too early or hangs is told, and nothing of it is left running.

use super::{linux, product, script};
use crate::builds::util::{Ran, root};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A QEMU whose arguments another script changes first: `$@` are they.
fn qemu(dir: &Path, change: &str) -> PathBuf {
    let path = dir.join("qemu");
    let text = format!(
        "#!/bin/bash\ncase $1 in --version) ;; *) {change};; esac\nexec qemu-system-aarch64 \"$@\"\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Boots with such a QEMU.
fn with(change: &str, options: &[&str], command: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_xtask"));
    program.args(["emulate", product().to_str().unwrap(), "--linux"]).args(options).arg("--").args(command);
    Ran::new(program.env("CARVEOUT_QEMU", qemu(dir.path(), change)).current_dir(root()))
}

/// Puts a word at the end of the kernel's command line.
fn word(word: &str) -> String {
    format!(
        "a=(); for w in \"$@\"; do case $w in console=*) w=\"$w {word}\";; esac; a+=(\"$w\"); done; set -- \"${{a[@]}}\""
    )
}

/// The entry of a folder whose name begins so.
fn first(folder: &Path, head: &str) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let begins = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(head);
    entries.find(begins).unwrap()
}

#[test]
fn what_does_not_boot_says_why() {
    let error = with(&word("rdinit=/none init=/none root=/dev/none"), &[], &["true"]).fails(1);
    assert!(error.contains("the guest has ended before it was ready"), "{error}");
    assert!(error.contains("Kernel panic - not syncing: "), "{error}");
    let error = with(&word("carveout.init=/no/init"), &[], &["true"]).fails(1);
    assert!(
        error.contains("  | /no/init: no init in the root filesystem: No such file or directory"),
        "{error}"
    );
    // A root filesystem that is none.
    let zeros = "a=(); for w in \"$@\"; do case $w in if=none,id=disk,*) truncate -s 64M \"$0.disk\"; w=\"if=none,id=disk,format=raw,file=$0.disk\";; esac; a+=(\"$w\"); done; set -- \"${a[@]}\"";
    let error = with(zeros, &[], &["true"]).fails(1);
    assert!(error.contains("  | /dev/vda: no root filesystem: Invalid argument"), "{error}");
    // A kernel of one's own that lacks what it needs, and none at all.
    let kernel = first(&root().join("target/carveout/linux"), "kernel-").join("boot");
    let option = format!("--kernel={}", first(&kernel, "vmlinuz-").display());
    let error = with(":", &[&option], &["true"]).fails(1);
    assert!(error.contains("there is no virtio-serial port carveout.commands"), "{error}");
    let error = with(":", &["--kernel=/no/Image"], &["true"]).fails(2);
    assert!(error.contains("--kernel: /no/Image: No such file or directory"), "{error}");
    let error = with("echo 'qemu: cannot' >&2; exit 4", &[], &["true"]).fails(3);
    assert!(error.contains("QEMU does not start this machine (exit status: 4)"), "{error}");
    assert!(error.contains("  | qemu: cannot"), "{error}");
}

#[test]
fn what_ends_or_hangs_says_so() {
    let error = with("(sleep 6; kill -9 $$) &", &[], &["sleep", "1000"]).fails(1);
    assert!(
        error.contains("the guest has ended before ") && error.contains("QEMU has ended (signal: 9"),
        "{error}"
    );
    let bundle = product();
    let bundle = bundle.to_str().unwrap();
    let error = linux(bundle, &["--snapshot", "--timeout", "2"], &["sleep", "1000"]).fails(1);
    assert!(error.contains("the guest took more than 2 s while sleep ran"), "{error}");
    let error = linux(bundle, &["--snapshot", "--wait-for", "no-such.service"], &["true"]).fails(1);
    assert!(error.contains("no-such.service is not there"), "{error}");
    // A full disk is the command's to tell; and a system that powers off has ended well.
    let text =
        "dd if=/dev/zero of=/var/full bs=1M 2>&1 | grep -o 'No space left on device'; poweroff; sleep 100";
    assert_eq!(linux(bundle, &["--snapshot"], &script(text)).ok(), "No space left on device");
}

#[test]
fn a_unit_that_fails_is_told_with_its_log() {
    let bad = "systemd.run=/bin/false systemd.run_failure_action=none systemd.run_success_action=none";
    let error = with(&word(bad), &["--wait-for", "running"], &["true"]).fails(1);
    assert!(
        error.contains("error: the system is degraded\n  kernel-command-line.service has failed\n  | "),
        "{error}"
    );
    assert!(error.contains("status=1/FAILURE"), "the unit's own log: {error}");
}

/// Trusty's end reaches the client app in the guest, and the command.
#[test]
fn the_end_of_the_trusted_apps_is_an_error_in_the_guest() {
    let dir = tempfile::tempdir().unwrap();
    let said = dir.path().join("said");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let text = "while echo-srv-app --ta echo-srv --count 64000 > /dev/null 2>/run/why; do echo served; done; cat /run/why; echo over";
    command.args(["emulate", product().to_str().unwrap(), "--linux", "--snapshot", "--"]).args(script(text));
    let output = fs::File::create(&said).unwrap();
    let child =
        command.current_dir(root()).stdout(output).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(120);
    let told = || fs::read_to_string(&said).unwrap();
    while !told().contains("served") && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The emulator is a child of ours.
    let pids =
        Ran::new(Command::new("pgrep").args(["-P", &child.id().to_string(), "-f", "trusty-emulator"])).ok();
    for pid in pids.lines() {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    let status = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&status.stderr);
    assert_eq!(status.status.code(), Some(3), "{errors}");
    assert!(errors.contains("the emulator did not end by itself: signal: 9"), "{errors}");
    let told = told();
    assert!(told.ends_with("over\n") && told.contains("Trusty"), "{told}");
}
