//! The emulator, as a program of its own.

use crate::errors::EmulateError;
use carveout_host::error::{At, Result};
use carveout_host::process;
use carveout_host::process::{Running, Streams};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// An emulator that runs. It ends when this is dropped.
pub struct Emulator {
    /// The end of its stdin is the emulator's.
    running: Running,
    stats: PathBuf,
    /// Where its lines are, if they are not shown.
    lines: Option<PathBuf>,
    /// Where it listens.
    pub socket: PathBuf,
}

/// The program, started.
pub struct Launched {
    /// It ends when its stdin does.
    pub running: Running,
    /// Where it writes what it has to tell.
    pub stats: PathBuf,
    /// Where its lines are, if they are not shown.
    pub lines: Option<PathBuf>,
}

/// Starts the program on an image, in a folder of ours.
pub fn launch(program: &Path, image: &Path, options: &[String], dir: &Path, quiet: bool) -> Result<Launched> {
    let stats = dir.join("stats.json");
    let sh = process::shell(Path::new("."))?;
    let command = process::foreign(sh.cmd(program)).arg("--image").arg(image).arg("--stats").arg(&stats);
    let mut streams = Streams { stdin: Stdio::piped(), stdout: Stdio::piped(), stderr: Stdio::inherit() };
    let lines = quiet.then(|| dir.join("lines"));
    if let Some(lines) = &lines {
        streams.stderr = carveout_host::files::make(lines)?.into();
    }
    let running = process::start(command.arg("--until-eof").args(options), streams);
    Ok(Launched { running: running.map_err(|unstarted| unstarted.of("the emulator"))?, stats, lines })
}

/// Why the program has ended, as it says itself.
pub fn said(lines: Option<&Path>) -> String {
    lines.map_or("it says why above".to_owned(), |lines| {
        let said = fs::read(lines).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().map(|line| format!("\n  | {line}")).collect()
    })
}

impl Emulator {
    /// Starts it on an image, in a folder of ours, and waits until the trusted apps wait for clients. `known` are options that
    /// tell names and files with debug information, and what else it is to know. `awaits` says that a debugger may come, if one is to.
    pub fn start(
        program: &Path,
        image: &Path,
        known: &[String],
        socket: &Path,
        dir: &Path,
        quiet: bool,
        awaits: &dyn Fn(),
    ) -> Result<Self> {
        let listen = ["--listen".into(), socket.display().to_string()];
        let options: Vec<String> = known.iter().cloned().chain(listen).collect();
        let Launched { mut running, stats, lines } = launch(program, image, &options, dir, quiet)?;
        let mut line = String::new();
        if let Some(stdout) = running.stdout() {
            let mut stdout = BufReader::new(stdout);
            let _ = stdout.read_line(&mut line);
            if line.trim() == "debugger" {
                awaits();
                line.clear();
                let _ = stdout.read_line(&mut line);
            }
        }
        let mut this = Self { running, stats, lines, socket: socket.into() };
        if line.trim() == "ready" {
            return Ok(this);
        }
        let status = this.running.wait().map_err(|source| EmulateError::EmulatorStatusUnknown { source })?;
        let why = said(this.lines.as_deref());
        let error = match status.code() {
            Some(0) => EmulateError::EmulatorNotReady { why: "a signal or the debugger has ended it".into() },
            Some(2) => EmulateError::EmulatorRefused { why },
            _ => EmulateError::EmulatorNotReady { why },
        };
        Err(error.into())
    }

    /// Waits for its end, which a fault or Ctrl-C brings. Returns what the trusted apps have used.
    pub fn wait(mut self) -> Result<Value> {
        self.finish()
    }

    /// Ends it and returns what the trusted apps have used.
    pub fn stop(mut self) -> Result<Value> {
        drop(self.running.stdin().take());
        self.finish()
    }

    fn finish(&mut self) -> Result<Value> {
        let status = self.running.wait().map_err(|source| EmulateError::EmulatorStatusUnknown { source })?;
        if status.code().is_none() {
            return Err(EmulateError::EmulatorKilled { status: status.to_string() }.into());
        }
        let text = fs::read_to_string(&self.stats).at(&self.stats)?;
        serde_json::from_str(&text)
            .map_err(|error| EmulateError::BadStats { path: self.stats.clone(), source: error.into() }.into())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.running.stdin().take());
        let _ = self.running.wait();
    }
}
