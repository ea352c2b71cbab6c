//! `emulate --linux`: the device boots from what a bundle or a virt device has.

mod device;
mod faults;
mod update;

use crate::builds::util::{Ran, desk, manifest, once, root, run, xtask};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The default product with a trusted app that answers each message with itself.
fn product() -> PathBuf {
    let made = once("linux", |folder| {
        let config = folder.join("linux.yaml");
        let text = fs::read_to_string(root().join("configs/desk.yaml")).unwrap();
        let text = text.replace("name: desk\n", "name: linux\n");
        let text = text.replace("  - echo-srv\n", "  - echo-srv\n  - conformance-peer\n");
        fs::write(&config, text).unwrap();
        // Its root filesystem is that of the default product.
        desk();
        let words = ["image", "--boot-linux", "-c"].map(OsStr::new);
        let words = words.into_iter().chain([config.as_os_str(), "-o".as_ref(), folder.as_os_str()]);
        xtask(words).ok()
    });
    made.into()
}

/// Boots what is named, and runs a command there.
fn linux<S: AsRef<OsStr>>(target: &str, options: &[S], command: &[&str]) -> Ran {
    let mut words: Vec<&OsStr> = ["emulate", target, "--linux"].map(OsStr::new).into();
    words.extend(options.iter().map(AsRef::as_ref));
    words.push(OsStr::new("--"));
    words.extend(command.iter().map(OsStr::new));
    xtask(words)
}

/// A shell script as the command.
fn script(text: &str) -> [&str; 3] {
    ["sh", "-c", text]
}

fn sha256(path: &Path) -> String {
    run("sha256sum", [path]).ok()[..64].to_owned()
}

/// Everything that systemd starts, the client app as it is on the board, and nothing of it in the image.
#[test]
fn the_default_product_runs_and_its_client_app_passes() {
    let bundle = desk();
    let image = bundle.join("rootfs/system.img");
    let before = sha256(&image);
    let options = ["--wait-for", "running", "--json"];
    let value = linux(bundle.to_str().unwrap(), &options, &["echo-srv-app", "--self-test"]).result();
    let linux = &value["linux"];
    assert!(value["client"].as_str().unwrap().ends_with("all outcomes are right\n"), "{value}");
    assert_eq!((&linux["exit_code"], &linux["reboots"]), (&0.into(), &0.into()));
    assert_eq!(linux["failed_units"], Value::Array(Vec::new()), "{linux}");
    let stages = linux["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(names, ["kernel", "modules", "root", "device", "system"]);
    let times: Vec<u64> = stages.iter().map(|stage| stage["milliseconds"].as_u64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 0, "{times:?}");
    assert_eq!(linux["slowest_units"].as_array().unwrap().len(), 5);
    let kernel = &linux["kernel"];
    assert!(kernel["package"].as_str().unwrap().starts_with("linux-image-6."), "{kernel}");
    assert_eq!(kernel["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(value["stats"]["channels"], 0, "{value}");
    assert_eq!(sha256(&image), before, "the image is as it was");
}

/// What goes in and what comes out, from a snapshot that the first of them makes.
#[test]
fn commands_files_input_and_exit_codes_pass_through() {
    let (bundle, dir) = (product(), tempfile::tempdir().unwrap());
    let bundle = bundle.to_str().unwrap();
    let (given, got) = (dir.path().join("given"), dir.path().join("got"));
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&given, &bytes).unwrap();
    run("chmod", ["750".as_ref(), given.as_os_str()]).ok();
    let options = [
        "--snapshot".to_owned(),
        format!("--copy-in={}:/srv/new/given", given.display()),
        format!("--copy-out=/tmp/out:{}", got.display()),
    ];
    let text = "stat -c %a /srv/new/given; systemctl is-system-running; cat /srv/new/given - > /tmp/out; echo wrong >&2; exit 7";
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["emulate", bundle, "--linux"]).args(&options).arg("--").args(script(text));
    command.current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "750\nrunning\n");
    assert!(errors.contains("wrong\n"), "{errors}");
    assert!(fs::read(&got).unwrap() == [&bytes[..], &bytes].concat());

    // The second start has it; and time has gone on there.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let value =
        linux(bundle, &["--snapshot", "--json"], &script("date +%s; ls /tmp/out /srv; ip addr 2>&1")).json();
    let value = &value["result"];
    assert_eq!(value["linux"]["from_snapshot"], true);
    let said = value["client"].as_str().unwrap();
    let there: u64 = said.lines().next().unwrap().parse().unwrap();
    assert!(there >= now && there < now + 600, "{there}, {now}");
    assert!(!said.contains("/tmp/out"), "nothing of the first run is left: {said}");

    assert_eq!(linux(bundle, &["--snapshot"], &script("kill -9 $$")).fails(137).matches("error").count(), 0);
    let error = linux(bundle, &["--snapshot"], &["no-such-program"]).fails(127);
    assert!(error.contains("no-such-program: No such file or directory"), "{error}");
    let out = format!("--copy-out=/no/file:{}", dir.path().join("none").display());
    let error = linux(bundle, &["--snapshot", &out], &["true"]).fails(1);
    assert!(error.contains("--copy-out: /no/file in the guest: No such file or directory"), "{error}");
    let error = linux(bundle, &["--snapshot", "--copy-in=/etc/hostname:/proc/x/y"], &["true"]).fails(1);
    assert!(error.contains("--copy-in: /proc/x/y in the guest: "), "{error}");
    let error = linux(bundle, &["--copy-in=/no/file:/root/x"], &["true"]).fails(2);
    assert!(error.contains("--copy-in: /no/file: No such file or directory"), "{error}");
}

/// What does not pass in the booted system is no bundle; what does says so.
#[test]
fn a_product_is_booted_before_it_is_a_bundle() {
    let (bundle, dir) = (product(), tempfile::tempdir().unwrap());
    let boot = manifest(&bundle)["linux_boot"].clone();
    assert_eq!(boot["self_test"], serde_json::json!(["echo-srv-app", "--self-test"]));
    assert!(boot["kernel"].as_str().unwrap().starts_with("linux-image-"), "{boot}");
    let said = xtask([OsStr::new("inspect"), bundle.as_os_str()]).ok();
    assert!(said.contains("it is running, and `echo-srv-app --self-test` passed"), "{said}");
    let config = dir.path().join("bad.yaml");
    let text = fs::read_to_string(root().join("configs/desk.yaml")).unwrap();
    let bad = "self_test: [sh, -c, 'echo the reason; exit 6']";
    fs::write(&config, text.replace("self_test: [echo-srv-app, --self-test]", bad)).unwrap();
    let out = dir.path().join("out");
    let words = ["image", "--boot-linux", "-c"].map(OsStr::new);
    let words = words.into_iter().chain([config.as_os_str(), "-o".as_ref(), out.as_os_str()]);
    let error = xtask(words).fails(1);
    assert!(error.contains("ended with exit code 6 in the booted system\n  | the reason"), "{error}");
    assert!(!out.exists() || fs::read_dir(&out).unwrap().count() == 0, "no bundle is there");
}

/// Without a command it is a shell.
#[test]
fn a_shell_has_a_terminal() {
    let bundle = product();
    let program = env!("CARGO_BIN_EXE_xtask");
    let line = format!("stty rows 33 cols 77; '{program}' emulate '{}' --linux --snapshot", bundle.display());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(root());
    command.env("TERM", "vt100").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    // What is typed before there is a shell waits for it.
    keys.write_all(b"stty size; echo $TERM $((40+2)); tty; id -u; exit 9\r").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(keys);
    let said = String::from_utf8_lossy(&output.stdout);
    for expected in ["33 77\r\n", "vt100 42\r\n", "/dev/pts/0\r\n", "\n0\r\n"] {
        assert!(said.contains(expected), "{expected:?} in {said}");
    }
    assert_eq!(output.status.code(), Some(9), "{said}");
}
