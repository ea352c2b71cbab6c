//! Outside programs. Each is called in one place, through here: output in a log file, its last lines in the error.

pub mod apt;
pub mod bwrap;
pub mod cargo;
pub mod curl;
pub mod dpkg;
pub mod git;
pub mod namespace;
pub mod npm;
pub mod pip;
pub mod tarball;

use crate::error::{At, Error, Result};
pub use crate::files::{Scratch, read_limited, scratch};
use crate::interrupt;
use crate::process;
use crate::process::Streams;
use crate::text::Lines;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
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
    let status = running.wait().map_err(|e| Error::environment(format!("{what}: {e}")))?;
    interrupt::check()?;
    if status.success() {
        return Ok(());
    }
    let tail = tail(log);
    Err(diagnose(format!("{what} failed ({status})\n{tail}\n  full log: {}", log.display()), &tail))
}

/// Runs a program and returns the bytes that it prints on stdout. If it fails, its first line on stderr says why.
pub fn printed(what: &str, cmd: Cmd) -> Result<Vec<u8>> {
    let line = cmd.to_string();
    let output = process::output(cmd, Some(ANSWER)).map_err(|unstarted| unstarted.of(what))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it printed no error");
        return Err(Error::environment(format!(
            "{what}: `{line}` failed ({}): {}",
            output.status,
            Lines(first)
        )));
    }
    Ok(output.stdout)
}

/// Runs a program and returns the text that it prints on stdout, without the final newline.
pub fn capture(what: &str, cmd: Cmd) -> Result<String> {
    let line = cmd.to_string();
    let mut text = String::from_utf8(printed(what, cmd)?)
        .map_err(|_| Error::environment(format!("{what}: `{line}` printed text that is not UTF-8")))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// Sets the exit code and a remedy for what the environment lacks, by what programs say of it.
fn diagnose(message: String, tail: &str) -> Error {
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
    if tail.contains("No space left on device")
        || tail.contains("Could not allocate block in ext2 filesystem")
    {
        let remedy = if tail.contains("No space left") {
            "free some space and run the command again: what is built already stays"
        } else {
            "raise rootfs.size in the product config: the packages do not fit"
        };
        let error =
            if tail.contains("No space left") { Error::environment(message) } else { Error::usage(message) };
        return error.remedy(remedy);
    }
    if NETWORK.iter().any(|text| tail.contains(text)) {
        return Error::environment(message)
            .remedy("check the network and the package mirrors, and run the command again: what is built already stays");
    }
    if tail.contains("cannot update the lock file") {
        return Error::usage(message).remedy(
            "a package has come or changed: run cargo update --workspace --offline, and commit Cargo.lock",
        );
    }
    if tail.contains("Unable to locate package") {
        return Error::usage(message).remedy("correct rootfs.packages in the product config");
    }
    Error::check(message)
}

/// The last lines of a log, to put behind a message.
fn tail_of(log: &Path) -> String {
    format!("\n{}\n  full log: {}", tail(log), log.display())
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
        let exit = |text: &str| diagnose(String::new(), text).exit;
        assert_eq!(exit("E: Temporary failure resolving 'x'"), Exit::Environment);
        assert_eq!(exit("Failed to establish a new connection: [Errno -3]"), Exit::Environment);
        assert_eq!(exit("write: No space left on device"), Exit::Environment);
        assert_eq!(exit("mke2fs: Could not allocate block in ext2 filesystem"), Exit::Usage);
        assert_eq!(exit("E: Unable to locate package systemd-sysw"), Exit::Usage);
        assert_eq!(exit("error[E0308]: mismatched types"), Exit::Check);
    }
}
