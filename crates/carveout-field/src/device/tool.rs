//! One call of one of NVIDIA's tools: its output in a log, its exit code and its words judged, a limit to its time.

use crate::errors::BoardError;
use carveout_host::error::{At, Error, Result};
use carveout_host::interrupt;
use carveout_host::process;
use carveout_host::process::Streams;
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// For what a board answers at once.
pub const SHORT: Duration = Duration::from_secs(120);
/// A board that writes slower than this, in bytes a second, has stopped. (USB 2 and eMMC do 20 to 40 MB.)
const SLOWEST: u64 = 1 << 20;
/// Words that a tool says when it failed, whatever its exit code.
const BAD: [&str; 6] = ["Error", "ERROR", " E> ", "FAILED", "failed", "is not running"];
/// Bytes of a tool's output that are judged.
const MOST: u64 = 4 << 20;

/// The tools of one board.
pub struct Tools {
    /// Where they lie and work.
    pub dir: PathBuf,
    /// The board, by bus and port.
    pub instance: String,
    /// All that they print.
    pub log: PathBuf,
}

/// How a call ended.
pub struct Said {
    /// Whether exit code and words are good.
    pub good: bool,
    /// All that it printed.
    pub text: String,
    code: Option<i32>,
    timed_out: bool,
}

/// The time within which so many bytes are written or read.
pub fn within(bytes: u64) -> Duration {
    SHORT + Duration::from_secs(bytes / SLOWEST)
}

impl Tools {
    /// Runs a tool that must do what it is told.
    pub fn run(&self, tool: &str, arguments: &[&str], most: Duration) -> Result<String> {
        let said = self.ask(tool, arguments, most)?;
        self.judged(said, tool, arguments, most)
    }

    /// What a tool has said that must do what it was told, or the error of it.
    pub fn judged(&self, said: Said, tool: &str, arguments: &[&str], most: Duration) -> Result<String> {
        if said.good {
            return Ok(said.text);
        }
        let last = said.text.lines().map(str::trim).rfind(|line| !line.is_empty());
        let (last, log) = (last.unwrap_or("it printed nothing").to_owned(), self.log.clone());
        let command = format!("{tool} {}", arguments.join(" "));
        let failed = match (said.timed_out, said.code) {
            (true, _) => BoardError::ToolTimedOut { command, seconds: most.as_secs(), last, log },
            (false, Some(0)) => BoardError::ToolPrintedError { command, last, log },
            (false, Some(exit_code)) => BoardError::ToolFailed { command, exit_code, last, log },
            (false, None) => BoardError::ToolKilled { command, last, log },
        };
        Err(failed.into())
    }

    /// Runs a tool whose answer may be no.
    pub fn ask(&self, tool: &str, arguments: &[&str], most: Duration) -> Result<Said> {
        let output = self.dir.join(".output");
        let file = carveout_host::files::make(&output)?;
        let errors = file.try_clone().at(&output)?;
        let program = self.dir.join(tool);
        let sh = process::shell(&self.dir)?;
        let mut command = sh.cmd(&program);
        // Only what talks to a board wants to know which.
        if !tool.starts_with("tegraparser") && !tool.starts_with("chkbdinfo") {
            command = command.args(["--instance", &self.instance]);
        }
        let streams = Streams { stdout: file.into(), stderr: errors.into(), ..Streams::default() };
        let mut running = process::start(command.args(arguments), streams).map_err(|unstarted| {
            if interrupt::is_set() {
                return Error::interrupted();
            }
            BoardError::ToolNotStarted { program: program.clone(), source: unstarted.error }.into()
        })?;
        let (start, mut timed_out) = (Instant::now(), false);
        let status = loop {
            if let Some(status) = running.try_wait().at(&program)? {
                break status;
            }
            if start.elapsed() > most {
                timed_out = true;
                running.signal(Signal::KILL);
            }
            sleep(Duration::from_millis(10));
        };
        let mut bytes = Vec::new();
        File::open(&output).and_then(|file| file.take(MOST).read_to_end(&mut bytes)).at(&output)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = format!(
            "$ {tool} {}\n{text}\n({status}, {:.1} s)\n",
            arguments.join(" "),
            start.elapsed().as_secs_f64()
        );
        let mut log = carveout_host::files::log(&self.log)?;
        log.write_all(line.as_bytes()).at(&self.log)?;
        interrupt::check()?;
        let good = status.success() && !timed_out && !BAD.iter().any(|word| text.contains(word));
        Ok(Said { good, text, code: status.code(), timed_out })
    }

    /// A file of the package.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Removes a file that a call will make, so that an old one is not taken for it.
    pub fn fresh(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, &error)),
            _ => Ok(()),
        }
    }
}
