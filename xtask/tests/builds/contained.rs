//! A client app that looks around: what it sees of this host, which has run it as root.

use crate::builds::util::{Ran, desk, root, run};
use carveout_host::tools::bwrap::Sandbox;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const SPY: &str = include_str!("spy.c");

/// The program, and a package with it.
fn spy(dir: &Path) -> (PathBuf, PathBuf) {
    let (source, tree) = (dir.join("spy.c"), dir.join("tree"));
    let (program, deb) = (tree.join("usr/bin/spy"), dir.join("spy.deb"));
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    fs::create_dir(tree.join("DEBIAN")).unwrap();
    fs::write(&source, SPY).unwrap();
    let control =
        "Package: spy\nVersion: 1\nArchitecture: arm64\nMaintainer: x <x@example.com>\nDescription: x\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    run(
        "aarch64-linux-gnu-gcc",
        ["-static".as_ref(), "-o".as_ref(), program.as_os_str(), source.as_os_str()],
    )
    .ok();
    run("dpkg-deb", ["--build".as_ref(), tree.as_os_str(), deb.as_os_str()]).ok();
    (program, deb)
}

fn lines(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// It may see nothing of the host, and change nothing.
fn sees_nothing(seen: &BTreeMap<String, String>, network: &str, pwd: &str) {
    let environment = format!("HOME=/tmp PATH=/usr/bin {pwd}TIPC_DEVICE=/carveout/trusty");
    let expected = [
        ("ids", "65534 65534 65534 65534"),
        ("capabilities", "0"),
        ("gains privileges", "no"),
        ("environment", environment.as_str()),
        ("descriptors", "0 1 2"),
        ("user namespace", "no"),
        ("controlling terminal", "no"),
        ("signals another", "no"),
        ("/etc/shadow", "no"),
        ("/etc/passwd", "no"),
        ("/root", "no"),
        ("/home", "no"),
        ("/proc/1/environ", "no"),
        ("/proc/self/root/etc", "no"),
        ("Cargo.toml", "no"),
        ("/usr/bin", "no"),
        ("writes /x", "no"),
        ("writes x", "no"),
        ("writes /carveout/x", "no"),
        ("writes /carveout/package/usr/bin/spy", "no"),
        ("writes /carveout/qemu", "no"),
        ("writes /dev/x", "no"),
        ("network", network),
    ];
    for (name, value) in expected {
        assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name} in {seen:#?}");
    }
}

/// Runs it as a client app of the desk bundle, below these words.
fn spied(deb: &Path, outer: &[&str], port: u16) -> Ran {
    let dir = deb.parent().unwrap();
    let mut command = Command::new("bash");
    // A folder of the host is open, as a shell may leave it.
    command.args(["-c", "exec 7</ && exec \"$@\"", "bash"]).args(outer).arg(env!("CARGO_BIN_EXE_xtask"));
    command.arg("emulate").arg(desk()).arg("--client").arg(deb);
    command.arg("--writes").arg(dir.join("written"));
    command.arg("--").args([port.to_string(), std::process::id().to_string()]);
    command
        .arg(dir.join("given"))
        .arg(format!("--also={}", dir.join("also").display()))
        .arg(dir.join("written"));
    Ran::new(command.current_dir(root()).env("SECRET_OF_THE_CALLER", "x"))
}

#[test]
fn a_client_app_sees_what_it_is_given_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (_, deb) = spy(dir.path());
    for (name, text) in [("given", "1234"), ("also", "12345"), ("beside", "123456")] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    // Without the right to make namespaces root still changes the root folder and the user.
    for (outer, network) in [(&[][..], "no"), (&["setpriv", "--bounding-set=-sys_admin"], "yes")] {
        let ran = spied(&deb, outer, port);
        let said = ran.stderr();
        assert_eq!(
            said.contains("this host refuses namespaces: the client app runs as nobody"),
            network == "yes",
            "{said}"
        );
        let seen = lines(&ran.ok());
        sees_nothing(&seen, network, "");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let seen = |name: &str| seen.get(&path(name)).map(String::as_str);
        assert_eq!([seen("given"), seen("also")], [Some("4 bytes"), Some("5 bytes")]);
        let written = dir.path().join("written");
        assert_eq!(fs::read_to_string(&written).unwrap(), "from the client app");
        let metadata = fs::metadata(&written).unwrap();
        assert_eq!((metadata.uid(), metadata.permissions().mode() & 0o777), (0, 0o644));
        fs::remove_file(&written).unwrap();
        let left = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with('.')));
    }
    // What only root may read is not shown to nobody.
    fs::set_permissions(dir.path().join("given"), fs::Permissions::from_mode(0o600)).unwrap();
    let error = spied(&deb, &[], port).fails(2);
    assert!(error.contains("runs as nobody, who may not read this file (mode 0600)"), "{error}");
}

#[test]
fn exit_codes_signals_input_and_output_pass_through() {
    let dir = tempfile::tempdir().unwrap();
    let (_, deb) = spy(dir.path());
    let emulate = |more: &[&str], words: &str| {
        let script = format!("printf 'a line' | \"$@\" -- {words}");
        let mut command = Command::new("bash");
        command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_xtask"), "emulate"]).arg(desk()).args(more);
        Ran::new(command.arg("--client").arg(&deb).current_dir(root()))
    };
    assert_eq!(emulate(&[], "cat").ok(), "a line");
    assert!(emulate(&[], "exit 3").fails(3).contains("spy ended with exit code 3"));
    assert!(emulate(&[], "exit 77").fails(1).contains("spy ended with exit code 77"));
    assert!(emulate(&[], "abort").fails(1).contains("exit code 134 (signal 6)"));
    let json = emulate(&["--json"], "cat").result();
    assert_eq!(json["client"], "a line");
    let error = emulate(&["--json"], "flood").stdout();
    assert!(error.contains("prints more than"), "{}", &error[..error.len().min(999)]);
    // Memory, and how large a file may be, have their limits.
    assert!(emulate(&[], "memory").ok().contains("refused"));
}

/// The same for a user: everything of it happens in a user namespace.
#[test]
fn a_user_contains_it_too() {
    const AGAIN: &str = "CARVEOUT_TEST_SPY";
    if let Some(program) = std::env::var_os(AGAIN) {
        let scratch = tempfile::tempdir().unwrap();
        let mut sandbox = Sandbox::new(scratch.path(), Path::new("/")).unwrap();
        sandbox.set("HOME", "/tmp");
        sandbox.set("PATH", "/usr/bin");
        sandbox.set("TIPC_DEVICE", "/carveout/trusty");
        sandbox.show(Path::new("/usr/bin/qemu-aarch64-static"), Path::new("/carveout/qemu"));
        sandbox.show(Path::new(&program), Path::new("/carveout/package/usr/bin/spy"));
        let words = |more: &[&str]| -> Vec<OsString> {
            ["/carveout/qemu"].iter().chain(more).map(Into::into).collect()
        };
        assert_eq!(sandbox.ensure_works(&words(&["--version"])).unwrap(), None);
        let port = std::env::var("CARVEOUT_TEST_PORT").unwrap();
        let words = words(&["/carveout/package/usr/bin/spy", &port, &std::process::id().to_string()]);
        let sh = carveout_host::process::shell(Path::new("/")).unwrap();
        let mut command = Command::from(sandbox.command(&sh, &words).unwrap());
        // bubblewrap says where it has put it.
        sees_nothing(&lines(&Ran::new(&mut command).ok()), "no", "PWD=/ ");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (program, _) = spy(dir.path());
    // Where others reach it.
    let test = dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=1234", "--regid=1234", "--clear-groups"]).arg(&test);
    command
        .args(["--exact", "builds::contained::a_user_contains_it_too", "--nocapture"])
        .env(AGAIN, &program);
    command.env("CARVEOUT_TEST_PORT", host.local_addr().unwrap().port().to_string());
    assert!(Ran::new(command.current_dir("/")).ok().contains("1 passed"));
}
