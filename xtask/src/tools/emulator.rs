//! The emulator: built when it is first used, started as a program of its own.

use super::cargo;
use crate::error::{At, Error, Result};
use crate::host::{self, Need};
use crate::interrupt;
use crate::stages::{home, logs};
use crate::ui::Ui;
use rustix::process::{Pid, Signal};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What builds its engine.
pub const NEEDS: [Need; 3] = [
    Need { program: "cmake", package: "cmake", why: "builds the engine of the emulator" },
    Need { program: "make", package: "make", why: "builds the engine of the emulator" },
    Need { program: "cc", package: "gcc", why: "builds the engine of the emulator" },
];

const PACKAGE: &str = "trusty-emulator";

/// The emulator's program, up to date.
pub fn program(root: &Path, ui: &Ui) -> Result<PathBuf> {
    host_program(root, PACKAGE, &NEEDS, ui)
}

/// A package of the workspace, built for this host.
pub fn host_program(root: &Path, package: &str, needs: &[Need], ui: &Ui) -> Result<PathBuf> {
    let logs = logs(root)?;
    host::ensure(needs, false, &logs.join("host.log"), ui)?;
    let target_dir = home(root).join("cargo/host");
    let program = target_dir.join("release").join(package);
    if !program.exists() {
        ui.note(&format!("building {package}, as it is used for the first time"));
    }
    let log = logs.join(format!("{package}.log"));
    let _ = fs::remove_file(&log);
    cargo::build_for_host(root, package, &target_dir, &log, ui)?;
    program.metadata().at(&program)?;
    Ok(program)
}

/// The process that a signal to us is passed on to, or 0.
static EMULATOR: AtomicU32 = AtomicU32::new(0);

/// Lets SIGINT, SIGTERM and SIGHUP end the emulator, and so its client app: what they have used is then still told.
pub fn pass_signals_on() {
    interrupt::instead(|| {
        let process = i32::try_from(EMULATOR.load(Ordering::Relaxed)).ok().and_then(Pid::from_raw);
        process.is_some_and(|process| rustix::process::kill_process(process, Signal::TERM).is_ok())
    });
}

/// An emulator that runs. It ends when this is dropped.
pub struct Emulator {
    child: Child,
    /// Its end is the emulator's.
    stdin: Option<ChildStdin>,
    stats: PathBuf,
    /// Where its lines are, if they are not shown.
    lines: Option<PathBuf>,
    /// Where it listens.
    pub socket: PathBuf,
}

impl Emulator {
    /// Starts it on an image, in a folder of ours, and waits until the trusted apps wait for clients. `known` are options that
    /// tell names and files with debug information; `memory` is what the carve-out has free for the kernel, if that is known.
    pub fn start(
        program: &Path,
        image: &Path,
        known: &[String],
        memory: Option<u64>,
        socket: &Path,
        dir: &Path,
        quiet: bool,
    ) -> Result<Self> {
        let stats = dir.join("stats.json");
        let mut command = Command::new(program);
        command
            .arg("--image")
            .arg(image)
            .arg("--listen")
            .arg(socket)
            .arg("--stats")
            .arg(&stats)
            .arg("--until-eof");
        if let Some(memory) = memory {
            command.arg("--kernel-memory").arg(memory.to_string());
        }
        command.args(known);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let lines = quiet.then(|| dir.join("lines"));
        if let Some(lines) = &lines {
            command.stderr(crate::files::make(lines)?);
        }
        let failed = |e| Error::environment(format!("cannot start {}: {e}", program.display()));
        let mut child = command.spawn().map_err(failed)?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        EMULATOR.store(child.id(), Ordering::Relaxed);
        let mut this = Self { child, stdin, stats, lines, socket: socket.into() };
        if line.trim() == "ready" {
            return Ok(this);
        }
        let status = this.child.wait().map_err(failed)?;
        let why = this.lines.as_ref().map_or("it says why above".to_owned(), |lines| {
            let said = fs::read(lines).unwrap_or_default();
            String::from_utf8_lossy(&said).lines().map(|line| format!("\n  | {line}")).collect()
        });
        let message = format!("the emulator ended before its trusted apps were ready: {why}");
        Err(match status.code() {
            Some(2) => Error::usage(message),
            _ => Error::check(message),
        })
    }

    /// Waits for its end, which a fault or Ctrl-C brings. Returns what the trusted apps have used.
    pub fn wait(mut self) -> Result<Value> {
        self.finish()
    }

    /// Ends it and returns what the trusted apps have used.
    pub fn stop(mut self) -> Result<Value> {
        drop(self.stdin.take());
        self.finish()
    }

    fn finish(&mut self) -> Result<Value> {
        let status = self.child.wait().map_err(|e| Error::environment(format!("the emulator: {e}")))?;
        EMULATOR.store(0, Ordering::Relaxed);
        if status.code().is_none() {
            return Err(Error::environment(format!("the emulator did not end by itself: {status}")));
        }
        let text = fs::read_to_string(&self.stats).at(&self.stats)?;
        serde_json::from_str(&text).map_err(|e| Error::check(format!("{}: {e}", self.stats.display())))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
