//! Outside programs. Each is called in one place, through here: output in a log file, its last lines in the error.

pub mod apt;
pub mod bwrap;
pub mod cargo;
pub mod curl;
pub mod dpkg;
pub mod git;
pub mod namespace;
pub mod rust;
pub mod tarball;

use crate::error::{At, Error, Result};
use crate::errors::ProgramError;
pub use crate::files::{Scratch, read_limited, scratch};
use crate::interrupt;
use crate::process;
use crate::process::Streams;
use crate::text::Lines;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use xshell::{Cmd, Shell};

/// Where Debian keeps some programs that need no root.
const ROOTS_PATH: [&str; 2] = ["/usr/sbin", "/sbin"];
/// Lines of a log that an error shows.
const TAIL: usize = 15;
/// Nothing that is asked takes so long to answer.
const ANSWER: Duration = Duration::from_secs(1800);

/// A shell of xshell in a folder. Cheap: one for each use, as it cannot be shared between threads.
pub fn shell(dir: &Path) -> Result<Shell> {
    let shell = process::shell(dir)?;
    // What programs say is read by us, and some of it shapes the output.
    shell.set_var("LC_ALL", "C");
    // Debian keeps some programs where only root's PATH looks.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::env::split_paths(&path).chain(ROOTS_PATH.map(PathBuf::from)));
    if let Ok(path) = path {
        shell.set_var("PATH", path);
    }
    Ok(shell)
}

/// Whether a program is on the PATH, or where Debian keeps those for root.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(ROOTS_PATH.map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|p| p.is_file())
}

/// Runs a program with its output in a log file.
pub fn run(what: &str, cmd: Cmd, log: &Path) -> Result<()> {
    let line = format!("$ {cmd}\n");
    let mut file = crate::files::log(log)?;
    file.write_all(line.as_bytes()).at(log)?;
    let errors = file.try_clone().at(log)?;
    let mut running =
        process::start(cmd, Streams { stdout: file.into(), stderr: errors.into(), ..Streams::default() })
            .map_err(|unstarted| unstarted.of(what))?;
    let status = running.wait().map_err(|source| ProgramError::NoStatus { task: what.into(), source })?;
    interrupt::check()?;
    if status.success() {
        return Ok(());
    }
    let tail = tail(log);
    Err(diagnose(what, status, &tail, log, &tail))
}

/// Runs a program and returns the bytes that it prints on stdout. If it fails, its first line on stderr says why.
pub fn printed(what: &str, cmd: Cmd) -> Result<Vec<u8>> {
    let command = cmd.to_string();
    let output = process::output(cmd, Some(ANSWER)).map_err(|unstarted| unstarted.of(what))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it printed no error");
        let (status, said) = (output.status.to_string(), Lines(first).to_string());
        return Err(ProgramError::QueryFailed { task: what.into(), command, status, said }.into());
    }
    Ok(output.stdout)
}

/// Runs a program and returns the text that it prints on stdout, without the final newline.
pub fn capture(what: &str, cmd: Cmd) -> Result<String> {
    let command = cmd.to_string();
    let mut text = String::from_utf8(printed(what, cmd)?)
        .map_err(|_| ProgramError::NotUtf8 { task: what.into(), command })?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// Why a program has failed, by the last lines of its log; `output` is what is shown of it.
fn diagnose(what: &str, status: ExitStatus, output: &str, log: &Path, tail: &str) -> Error {
    const NETWORK: [&str; 8] = [
        "Temporary failure resolving",
        "Could not resolve",
        "Could not connect",
        "Network is unreachable",
        "network failure seems to have happened",
        "Failed to establish a new connection",
        "failed to download",
        "dns error",
    ];
    let (task, status, output, log) = (what.into(), status.to_string(), output.into(), log.into());
    let says = |text: &str| tail.contains(text);
    if says("No space left on device") {
        ProgramError::DiskFull { task, status, output, log }
    } else if says("Could not allocate block in ext2 filesystem") {
        ProgramError::RootfsFull { task, status, output, log }
    } else if NETWORK.into_iter().any(says) {
        ProgramError::NetworkFailed { task, status, output, log }
    } else if says("cannot update the lock file") {
        ProgramError::LockFileOutdated { task, status, output, log }
    } else if says("Unable to locate package") {
        ProgramError::UnknownPackage { task, status, output, log }
    } else {
        ProgramError::Failed { task, status, output, log }
    }
    .into()
}

/// The last lines of a log, without progress noise.
fn tail(log: &Path) -> String {
    let text = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 << 10)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default();
    last.iter().map(|line| format!("  | {}", Lines(line))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use xshell::cmd;

    #[test]
    fn failures_show_the_logs_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        let sh = shell(dir.path()).unwrap();
        let script = "seq 100; echo oops >&2; exit 7";
        let error = run("counting", cmd!(sh, "sh -c {script}"), &log).unwrap_err();
        assert_eq!(error.exit, Exit::Check);
        assert!(error.message.starts_with("counting failed (exit status: 7)\n  | 87\n"), "{error}");
        assert!(error.message.contains("  | oops\n  full log: "), "{error}");
        let error = run("x", cmd!(sh, "no-such-program"), &log).unwrap_err();
        assert_eq!(error.exit, Exit::Environment);
    }

    #[test]
    fn what_the_environment_lacks_is_recognised() {
        let exit = |text: &str| diagnose("x", ExitStatus::default(), "", Path::new("log"), text).exit;
        assert_eq!(exit("E: Temporary failure resolving 'x'"), Exit::Environment);
        assert_eq!(exit("Failed to establish a new connection: [Errno -3]"), Exit::Environment);
        assert_eq!(exit("write: No space left on device"), Exit::Environment);
        assert_eq!(exit("mke2fs: Could not allocate block in ext2 filesystem"), Exit::Usage);
        assert_eq!(exit("E: Unable to locate package systemd-sysw"), Exit::Usage);
        assert_eq!(exit("error[E0308]: mismatched types"), Exit::Check);
    }
}
