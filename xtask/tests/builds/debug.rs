//! A debugger on a trusted app: gdb itself, and what it sends.

use crate::builds::emulate::{emulate, image};
use crate::builds::util::{Ran, desk, root, run};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An emulation that waits for a debugger.
struct Waiting {
    child: Child,
    /// What it prints from then on.
    lines: BufReader<std::process::ChildStderr>,
    script: PathBuf,
}

impl Waiting {
    fn start(bundle: &Path, app: &str, client: &[&str]) -> Self {
        // One emulation at a time debugs a trusted app; another test may be at it.
        for _ in 0..600 {
            match Self::try_start(bundle, app, client) {
                Ok(waiting) => return waiting,
                Err(said) => assert!(said.contains("is being debugged in another emulation"), "{said}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{app} is debugged by another test for ever");
    }

    fn try_start(bundle: &Path, app: &str, client: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("emulate").arg(bundle).arg(format!("--gdb={app}")).arg("--").args(client);
        command.current_dir(root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("gdb-multiarch -x ") {
            if lines.read_line(&mut said).unwrap() == 0 {
                return Err(said + &format!("{:?}", child.wait()));
            }
        }
        let script = said.rsplit("-x ").next().unwrap().trim().into();
        Ok(Self { child, lines, script })
    }

    /// Its end: the exit code, and what it has printed.
    fn end(mut self) -> (Option<i32>, String) {
        let (mut out, mut said) = (String::new(), String::new());
        self.lines.read_to_string(&mut said).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (self.child.wait().unwrap().code(), out + &said)
    }

    fn gdb(&self, commands: &[&str]) -> String {
        gdb(&self.script, commands)
    }

    /// Speaks as gdb does.
    fn speak(&self) -> Speaking {
        let text = fs::read_to_string(&self.script).unwrap();
        let socket = text.lines().find_map(|line| line.strip_prefix("target remote ")).unwrap();
        let mut connect = UnixStream::connect(socket);
        for _ in 0..100 {
            if connect.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            connect = UnixStream::connect(socket);
        }
        let stream = connect.unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Speaking(stream)
    }
}

/// gdb, with a script of carveout and these commands.
pub fn gdb(script: &Path, commands: &[&str]) -> String {
    // What it prints is for a terminal of some width otherwise.
    let fixed = ["set pagination off", "set width 0"];
    let mut words = vec!["-nx", "-batch", "-iex", fixed[0], "-iex", fixed[1], "-x", script.to_str().unwrap()];
    words.extend(commands.iter().flat_map(|command| ["-ex", command]));
    run("gdb-multiarch", words).ok()
}

/// gdb's protocol.
struct Speaking(UnixStream);

impl Speaking {
    fn send(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        write!(self.0, "${packet}#{sum:02x}").unwrap();
    }

    /// The next answer; what acknowledges is passed over.
    fn hear(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            match byte[0] {
                b'$' => text.clear(),
                b'#' => break,
                byte => text.push(byte),
            }
        }
        self.0.read_exact(&mut [0; 2]).unwrap();
        self.0.write_all(b"+").unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Breakpoint, arguments, step, inlined frames and a watchpoint; and the client app has its answer.
#[test]
fn gdb_stops_a_trusted_app_where_it_is_told_to() {
    let waiting = Waiting::start(desk(), "echo-srv", &["--ta", "echo-srv", "--count", "1000"]);
    let said = waiting.gdb(&[
        "info registers pc",
        "break echo_service::service::EchoService::open",
        "continue",
        "next",
        "print *self",
        "backtrace",
        "watch self.held",
        "continue",
        "print total",
        "next",
        "delete",
        "continue",
    ]);
    for expected in [
        // Before its first instruction.
        "pc             0x8000 ",
        // The values of the client app, in bytes.
        "$2 = 4000\n",
        "wanted: 64000, held: false, told: false",
        "apps/echo-service/src/service.rs:",
        // Nobody calls these: the compiler has put them into their caller.
        "trusty_ta::event_loop::Manager<echo_service::service::EchoService>::dispatch",
        "trusty_ta::target::run",
        "\nOld value = false\nNew value = true\n",
        "return client.link.accept(handle);",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let (code, said) = waiting.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1000 values (4000 bytes) came back intact"), "{said}");
}

/// A fault can be looked at while it is there, and afterwards in its core file.
#[test]
fn a_fault_is_shown_in_gdb_and_leaves_a_core_file() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = image(dir.path(), "16MiB", "unchecked-srv");
    let payload = ["--ta", "unchecked-srv", "--count", "64000"];
    let waiting = Waiting::start(&bundle, "", &payload);
    let alive = waiting.gdb(&["continue", "backtrace", "continue"]);
    assert!(alive.contains("received signal SIGSEGV"), "{alive}");
    let (code, said) = waiting.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("unchecked-srv faults: null + 0 written"), "{said}");
    let crash = emulate(&bundle, &[], &payload).fails(1);
    let (_, script) = crash.split_once("look at it: gdb-multiarch -x ").unwrap_or_else(|| panic!("{crash}"));
    let script = script.lines().next().unwrap();
    let dead = gdb(script.as_ref(), &["backtrace", "print/x $sp < 0x1000000"]);
    for said in [&alive, &dead] {
        for expected in ["unchecked_srv::{impl#1}::on_message", "examples/unchecked-srv/src/main.rs:"] {
            assert!(said.contains(expected), "{expected} in {said}");
        }
    }
    assert!(dead.contains("Program terminated with signal SIGSEGV") && dead.contains("$1 = 0x1"), "{dead}");
}

/// Interrupted while it waits for messages; given up, and the trusted app serves as if nobody had come.
#[test]
fn a_debugger_interrupts_and_may_go_away_at_any_time() {
    let waiting = Waiting::start(
        desk(),
        "small-echo-srv",
        &["--ta", "small-echo-srv", "--count", "100", "--rounds", "20000"],
    );
    let mut first = waiting.speak();
    first.send("?");
    assert!(first.hear().starts_with(['T', 'S']));
    first.send("g");
    let registers = first.hear();
    assert_eq!((registers.len(), &registers[15 * 8..16 * 8]), (17 * 8, "00800000"));
    first.send("m0,4");
    assert_eq!(first.hear(), "E0e");
    first.send("c");
    std::thread::sleep(Duration::from_millis(300));
    first.0.write_all(&[3]).unwrap();
    let stopped = first.hear();
    assert!(stopped.starts_with("T02") || stopped.starts_with("S02"), "{stopped}");
    // A breakpoint that nobody is there for any more stops nothing.
    first.send("g");
    let registers = first.hear();
    let pc = u32::from_str_radix(&registers[15 * 8..16 * 8], 16).unwrap().swap_bytes();
    first.send(&format!("Z0,{pc:x},4"));
    assert_eq!(first.hear(), "OK");
    drop(first);
    // What is no packet, and another one.
    waiting.speak().0.write_all(b"xyz$g#00").unwrap();
    let mut second = waiting.speak();
    second.send("?");
    assert!(second.hear().starts_with(['T', 'S']));
    second.send("c");
    drop(second);
    let (code, said) = waiting.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("emulator: the debugger is gone"), "{said}");
}

#[test]
fn a_debugger_needs_to_know_its_trusted_app() {
    let which = |option: &str, more: &[&str]| -> Ran {
        emulate(desk(), &[&[option], more].concat(), &["--count", "1"])
    };
    let error = which("--gdb", &[]).fails(2);
    assert!(error.contains("say which, as --gdb=NAME: echo-srv, small-echo-srv"), "{error}");
    let error = which("--gdb=no-srv", &[]).fails(2);
    assert!(error.contains("--gdb=no-srv: no trusted app has this name"), "{error}");
    let error = which("--gdb=echo-srv", &["--backend", "qemu"]).fails(2);
    assert!(error.contains("--gdb: only the unicorn backend"), "{error}");
    let waiting = Waiting::start(desk(), "echo-srv", &["--count", "1"]);
    let error = which("--gdb=echo-srv", &[]).fails(2);
    assert!(error.contains("echo-srv is being debugged in another emulation already"), "{error}");
    let mut killing = waiting.speak();
    killing.send("k");
    let (code, said) = waiting.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ready: a signal or the debugger has ended it"), "{said}");
}
