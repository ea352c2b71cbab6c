//! Programs that we start: what they know of our secrets, and what is left of them however we end.

use crate::report::small;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What is left running when we have ended must be gone within this time.
const SOON: Duration = Duration::from_secs(15);
/// Something that happens within moments has not happened if it has not by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until it is ended, and so does what it starts: a process that hears nothing of SIGTERM, and one in a session of its own.
const ENDLESS: &str = "\
    (trap '' TERM INT HUP; exec sleep 1000) & first=$!\n\
    setsid sleep 1000 & second=$!\n\
    echo \"$$ $first $second\" > $STARTED.new && mv $STARTED.new $STARTED\n\
    wait; wait; wait";
/// Stands in for the emulator: serves nobody, until its stdin ends.
const EMULATOR: &str = "\
    while [ $# -gt 0 ]; do [ \"$1\" = --stats ] && stats=$2; shift; done\n\
    echo 'a line of its console' >&2\necho ready\ncat > /dev/null\necho '{}' > \"$stats\"";

/// A workspace, a bundle, and programs that stand in for others.
struct Scene {
    dir: TempDir,
    bundle: String,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bundle = small::write(dir.path(), "1", 32 << 20);
        let scene = Self { dir, bundle };
        scene.put("Cargo.toml", "[workspace]\nmembers = [\"xtask\"]\nresolver = \"3\"\n");
        let manifest = "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        scene.put("xtask/Cargo.toml", manifest);
        scene.put("xtask/src/lib.rs", "");
        // The emulator is built of carveout's own sources: here they are.
        scene.put("crates/carveout-host/Cargo.toml", "");
        let package = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        scene.put("Cargo.lock", &format!("version = 4\n\n{}\n{}", package("trusty-image"), package("xtask")));
        fs::create_dir(scene.path("tmp")).unwrap();
        // What the emulator's build needs of a host.
        for name in ["cmake", "make", "cc"] {
            scene.program(&format!("bin/{name}"), "");
        }
        scene.program("target/carveout/cargo/host/desk/trusty-emulator", EMULATOR);
        scene.cargo("true");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A script that leaves its environment beside itself.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.path(name);
        let text = format!("#!/bin/sh\nenv > {0}.env\nSTARTED={0}.started\n{1}\n", path.display(), script);
        self.put(name, &text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A cargo that builds and installs as the script says, and all else as the real one.
    fn cargo(&self, script: &str) -> PathBuf {
        let real = env!("CARGO");
        self.program(
            "cargo",
            &format!("case $1 in build | install) ;; *) exec {real} \"$@\" ;; esac\n{script}"),
        )
    }

    fn xtask(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        self.settle(&mut command);
        command.args(args);
        command
    }

    fn settle(&self, command: &mut Command) {
        command.current_dir(self.dir.path()).env_remove("CARGO_MANIFEST_DIR");
        command.env("XDG_STATE_HOME", self.path("state")).env("TMPDIR", self.path("tmp"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.path("bin")).chain(std::env::split_paths(&path));
        command.env("CARGO", self.path("cargo")).env("PATH", std::env::join_paths(path).unwrap());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// The words of `emulate` with a client app.
    fn emulate<'a>(&'a self, client: &'a str) -> Vec<&'a str> {
        vec!["emulate", &self.bundle, "--backend", "unicorn", "--client", client, "--", "x"]
    }

    /// Waits until a program that stands in says that it runs: all its processes.
    fn started(&self, program: &Path) -> Vec<Pid> {
        let path = PathBuf::from(format!("{}.started", program.display()));
        until(PATIENCE, || path.exists(), "it was not started");
        let text = fs::read_to_string(&path).unwrap();
        text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect()
    }

    /// On a terminal of its own, with this typed in when a program that stands in has started, if it is to be waited for.
    fn on_a_terminal(&self, before: &str, args: &[&str], typed: &[u8], when: Option<&Path>) -> Output {
        let words = args.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let line = format!("{before} exec {} {words}", env!("CARGO_BIN_EXE_xtask"));
        let mut command = Command::new("script");
        self.settle(&mut command);
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("SHELL", "/bin/sh");
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        if let Some(program) = when {
            self.started(program);
        }
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(typed).unwrap();
        let output = ends(child);
        drop(stdin);
        output
    }
}

fn until(most: Duration, mut done: impl FnMut() -> bool, why: &str) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < most, "{why}");
        sleep(Duration::from_millis(20));
    }
}

/// Waits for the end of a program, which must come; what it has printed.
fn ends(mut child: Child) -> Output {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("does not end: {:?}", child.wait_with_output());
        }
        sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn runs(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    // A zombie of somebody else's is none of ours.
    !stat.is_empty() && !stat.contains(") Z ")
}

/// What runs of these must be gone soon; it is ended here if it is not.
fn gone(pids: &[Pid], what: &str) {
    let start = Instant::now();
    while pids.iter().any(|pid| runs(*pid)) && start.elapsed() < SOON {
        sleep(Duration::from_millis(20));
    }
    let left: Vec<Pid> = pids.iter().copied().filter(|pid| runs(*pid)).collect();
    for pid in &left {
        let _ = kill_process(*pid, Signal::KILL);
    }
    assert!(left.is_empty(), "{what}: {left:?} of {pids:?} still run");
}

/// A build whose cargo never ends, or an emulation whose client app does not, with all of its processes.
fn endless(scene: &Scene, emulates: bool) -> (Child, Vec<Pid>) {
    let program = if emulates { scene.program("client", ENDLESS) } else { scene.cargo(ENDLESS) };
    let client = program.display().to_string();
    let args = if emulates { scene.emulate(&client) } else { vec!["recipes"] };
    let child = scene.xtask(&args).spawn().unwrap();
    let mut pids = scene.started(&program);
    assert_eq!(pids.len(), 3);
    // The emulator is one of them.
    let own = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit(") ").next()?.split(' ').nth(1)?.parse::<u32>().ok()?;
        (parent == child.id()).then_some(pid)
    });
    pids.extend(own);
    (child, pids)
}

#[test]
fn nobody_gets_our_secrets() {
    let scene = Scene::new();
    let client = scene.program("client", "");
    let mut command = scene.xtask(&scene.emulate(client.to_str().unwrap()));
    for name in ["SIGN_PASSWORD", "SIGN_KEY", "PKCS11_PIN", "FLEET_PASSWORD", "OTHER_PIN", "OTHER_KEY"] {
        command.env(format!("CARVEOUT_{name}"), "hunter2");
    }
    let output = ends(command.spawn().unwrap());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for name in ["cargo", "target/carveout/cargo/host/desk/trusty-emulator", "client"] {
        let environment = fs::read_to_string(scene.path(&format!("{name}.env"))).unwrap();
        assert!(environment.contains("PATH=") && !environment.contains("hunter2"), "{name}: {environment}");
    }
}

#[test]
fn a_signal_to_us_alone_leaves_no_program() {
    for emulates in [false, true] {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let scene = Scene::new();
            let (child, pids) = endless(&scene, emulates);
            kill_process(Pid::from_child(&child), signal).unwrap();
            let output = ends(child);
            gone(&pids, &format!("{signal:?}, {emulates}"));
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(130), "{error}");
            assert!(error.ends_with("error: interrupted; the same command continues\n"), "{error}");
            assert_eq!(fs::read_dir(scene.path("tmp")).unwrap().count(), 0, "{signal:?}");
        }
    }
}

#[test]
fn a_kill_of_us_leaves_no_program() {
    for emulates in [false, true, false, true] {
        let scene = Scene::new();
        let (mut child, pids) = endless(&scene, emulates);
        child.kill().unwrap();
        child.wait().unwrap();
        gone(&pids, &format!("SIGKILL, {emulates}"));
    }
}

/// Then the kernel does it.
#[test]
fn a_kill_of_us_and_of_the_guard_leaves_no_program() {
    let scene = Scene::new();
    let cargo = scene.cargo("echo $$ > $STARTED.new && mv $STARTED.new $STARTED\nexec sleep 1000");
    let mut child = scene.xtask(&["recipes"]).spawn().unwrap();
    let pids = scene.started(&cargo);
    let guards = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let mark = format!("CARVEOUT_STARTED_BY={}-", child.id());
        (line.contains("carveout-guard") && line.contains(&mark)).then_some(pid)
    });
    let guards: Vec<Pid> = guards.collect();
    assert_eq!(guards.len(), 1);
    kill_process(guards[0], Signal::KILL).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    gone(&pids, "SIGKILL of both");
}

/// As people use it: the client app asks, they type. A terminal that stops whoever writes from the background stops nobody here.
#[test]
fn people_talk_to_a_client_app() {
    let scene = Scene::new();
    let client = scene.program(
        "client",
        "touch $STARTED\nread -r line < /dev/tty && read -r other && echo \"got $line and $other\"",
    );
    let args = scene.emulate(client.to_str().unwrap()).join(" ");
    let args: Vec<&str> = args.split(' ').collect();
    let output = scene.on_a_terminal("stty tostop;", &args, b"this\nthat\n", Some(&client));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("got this and that") && text.contains("a line of its console"), "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn a_key_press_ends_a_client_app_and_a_build() {
    for emulates in [false, true] {
        let scene = Scene::new();
        let program = if emulates { scene.program("client", ENDLESS) } else { scene.cargo(ENDLESS) };
        let client = program.display().to_string();
        let args = if emulates { scene.emulate(&client) } else { vec!["recipes"] };
        let output = scene.on_a_terminal("", &args, b"\x03", Some(&program));
        gone(&scene.started(&program), &format!("Ctrl-C, {emulates}"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(130), "{text}");
    }
}

/// A program of a build that asks at the terminal was stopped as all are that read there from the background, and the build with it.
#[test]
fn no_program_of_a_build_waits_for_a_terminal() {
    let scene = Scene::new();
    let cargo = scene.cargo("touch $STARTED\necho asks >&2\nread -r password < /dev/tty; exit 9");
    let output = scene.on_a_terminal("stty tostop;", &["recipes"], b"", Some(&cargo));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code().is_some_and(|code| code != 0) && text.contains("asks"), "{text}");
}
