//! What goes wrong: clear errors, and nothing left behind.

use super::{Emulate, emulate, machines, receive};
use crate::builds::util::{Ran, root, test_kernel, xtask};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tipc::{Channel, Error, Transport};
use trusty_image::{Container, TosType};

#[test]
fn a_panic_of_the_kernel_ends_all() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channel = emulate.connect("test.echo");
    assert!(Channel::connect(&emulate.socket, "test.panic").is_err());
    assert!(matches!(receive(&mut channel), Err(Error::Stopped)));
    let ended = emulate.wait();
    assert_eq!(ended.code, Some(1));
    let message = ended.json["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("Trusty's kernel panics: asked to"), "{message}");
    assert!(
        ended.stderr.contains("panic (caller test): asked to"),
        "the console was shown: {}",
        ended.stderr
    );
}

/// In the midst of a transfer, and in the midst of a connection.
#[test]
fn clients_that_vanish_leave_the_others_alone() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut stays = emulate.connect("test.echo");
    for round in 0..20u8 {
        let mut leaves = emulate.connect("test.chatty");
        receive(&mut leaves).unwrap();
        let mut sends = emulate.connect("test.echo");
        (0..10).for_each(|_| sends.send(&[0; 4080]).unwrap());
        let waits = Channel::connect_timeout(&emulate.socket, "test.never", Some(Duration::from_millis(1)));
        assert!(waits.is_err());
        drop((leaves, sends));
        stays.send(&[round]).unwrap();
        assert_eq!(receive(&mut stays).unwrap(), [round]);
    }
    emulate.stop();
}

#[test]
fn a_machine_that_is_killed_is_told() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channel = emulate.connect("test.echo");
    let [machine] = machines(emulate.id())[..] else { panic!("one QEMU") };
    assert!(Command::new("kill").args(["-KILL", &machine.to_string()]).status().unwrap().success());
    assert!(matches!(receive(&mut channel), Err(Error::Stopped)));
    let ended = emulate.wait();
    assert_eq!(ended.code, Some(1));
    let message = ended.json["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("QEMU has ended (signal: 9"), "{message}");
}

#[test]
fn no_machine_outlives_its_command() {
    let emulate = Emulate::test_kernel("16MiB");
    let [machine] = machines(emulate.id())[..] else { panic!("one QEMU") };
    emulate.signal("-KILL");
    let start = Instant::now();
    while Path::new(&format!("/proc/{machine}")).exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "QEMU goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An image and a carve-out that do not go together, or are none.
#[test]
fn what_cannot_boot_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("tos.img");
    let sound = Container::pack(&[1; 64], &test_kernel(), TosType::Trusty).unwrap();
    let mut encrypted = sound.clone();
    encrypted[32..36].copy_from_slice(&0x45u32.to_le_bytes());
    let large =
        Container::pack(&[1; 64], &[test_kernel(), vec![0; 900 << 10]].concat(), TosType::Trusty).unwrap();
    let apps = Container::pack(&[], b"\x7fELF", TosType::Trusty).unwrap();
    for (bytes, tzdram, code, expected) in [
        (&sound[..sound.len() - 700], "16MiB", 1, "tos.img: "),
        (&encrypted, "16MiB", 1, "is encrypted, so its kernel cannot be booted here"),
        (&apps, "16MiB", 1, "has no kernel, only trusted apps"),
        (&large, "1MiB", 1, "raise tzdram.size"),
        (&sound, "107MiB", 2, "1MiB to 106MiB"),
        (&sound, "0MiB", 2, "1MiB to 106MiB"),
    ] {
        fs::write(&image, bytes).unwrap();
        let error =
            emulate(&image, &["--backend", "qemu", "--tzdram", tzdram, "--client", "/bin/true"], &["x"]);
        let error = error.fails(code);
        assert!(error.contains(expected), "{expected} in {error}");
    }
    fs::write(&image, &sound).unwrap();
    let error = emulate(&image, &["--backend", "qemu", "--profile", "--client", "/bin/true"], &["x"]);
    let error = error.fails(2);
    assert!(error.contains("--backend unicorn"), "{error}");
}

/// A kernel that runs wild ends in the monitor's hands, and it is told where.
#[test]
fn a_kernel_that_runs_wild_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("lk.bin");
    // mov x0, #0x40000000, which as secure memory is nowhere; str x0, [x0]; b .
    let code = [0xd2a8_0000u32, 0xf900_0000, 0x1400_0000].map(u32::to_le_bytes).concat();
    fs::write(&image, Container::pack(&[], &code, TosType::Trusty).unwrap()).unwrap();
    let error = emulate(&image, &["--tzdram", "2MiB", "--client", "/bin/true"], &["x"]).fails(1);
    assert!(error.contains("does not boot: Trusty left its carve-out"), "{error}");
    assert!(error.contains("write to secure memory at 0x40000000"), "{error}");
}

fn with_qemu(qemu: &Path, path: Option<&Path>) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("tos.img");
    fs::write(&image, Container::pack(&[], &test_kernel(), TosType::Trusty).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("emulate").arg(&image).args(["--backend", "qemu"]).current_dir(root());
    match path {
        Some(path) => command.env("PATH", path),
        None => command.env("CARVEOUT_QEMU", qemu),
    };
    Ran::new(&mut command)
}

fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("qemu");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_qemu_that_will_not_do_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let old = script(dir.path(), "echo 'QEMU emulator version 6.2.0 (Debian 1:6.2)'");
    let error = with_qemu(&old, None).fails(3);
    assert!(error.contains("QEMU 6.2.0 is too old") && error.contains("7.2 or later"), "{error}");
    let other = script(dir.path(), "echo hello");
    assert!(with_qemu(&other, None).fails(3).contains("says no version of QEMU: hello"));
    let refuses =
        "case $1 in --version) echo QEMU emulator version 99.0;; *) echo no such machine >&2; exit 1;; esac";
    let error = with_qemu(&script(dir.path(), refuses), None).fails(3);
    assert!(
        error.contains("QEMU does not start this machine") && error.contains("no such machine"),
        "{error}"
    );
    assert!(with_qemu(Path::new("/nonexistent/qemu"), None).fails(2).contains("CARVEOUT_QEMU names"));
    // Neither QEMU nor a way to install it.
    let error = with_qemu(Path::new(""), Some(dir.path())).fails(3);
    assert!(error.contains("qemu-system-arm"), "{error}");
}

#[test]
fn a_bundle_that_does_not_boot_gets_no_name() {
    use crate::builds::jetson::Machine;
    let machine = Machine::new();
    let product = machine.product("unchecked-srv", "accept_license: true");
    let error = machine.image(&["-c", &product]).fails(1);
    for expected in [
        "the secure-os image that was built does not work: Trusty's kernel panics: asked to",
        "| panic (caller test): asked to",
        "--no-boot builds the bundle all the same",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
    assert!(!machine.path("out").exists() || fs::read_dir(machine.path("out")).unwrap().next().is_none());
    let built = machine.image(&["-c", &product, "--no-boot"]).ok();
    assert_eq!(crate::builds::util::manifest(Path::new(&built))["desk_boot"], "skipped");
    assert_eq!(xtask(["verify", &built]).ok(), "ok");
    assert!(xtask(["inspect", &built]).ok().contains("not booted"), "inspect tells it");
}
