//! Outside programs. Each is called in one place, through here: output in a log file, its last lines in the error.

pub mod apt;
pub mod board_conf;
pub mod cargo;
pub mod curl;
pub mod dpkg;
pub mod emulator;
pub mod ext4;
pub mod git;
pub mod l4t;
pub mod mmdebstrap;
pub mod npm;
pub mod pip;
pub mod qemu;
pub mod tarball;
pub mod token;
pub mod trusty;

use crate::config::pkcs11::PIN_VARIABLE;
use crate::error::{At, Error, Result};
pub use crate::files::{Scratch, read_limited, scratch};
use crate::interrupt;
use crate::signing::{KEY_VARIABLE, PASSWORD_VARIABLE};
use crate::text::Lines;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use xshell::{Cmd, Shell};

/// Where Debian keeps some programs that need no root.
const ROOTS_PATH: [&str; 2] = ["/usr/sbin", "/sbin"];
/// Lines of a log that an error shows.
const TAIL: usize = 15;

/// A shell of xshell in a folder. Cheap: one for each use, as it cannot be shared between threads.
pub fn shell(dir: &Path) -> Result<Shell> {
    let shell = Shell::new().map_err(|e| Error::environment(format!("the current folder: {e}")))?;
    shell.change_dir(dir);
    // What programs say is read by us, and some of it shapes the output.
    shell.set_var("LC_ALL", "C");
    // Nobody's business: the token alone is told it (tools/token.rs), and we alone sign.
    for secret in [PIN_VARIABLE, KEY_VARIABLE, PASSWORD_VARIABLE] {
        shell.set_var(secret, "");
    }
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
    let mut command = Command::from(cmd);
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    let status = interrupt::spawn(&mut command)
        .and_then(|mut running| running.wait())
        .map_err(|e| cannot_start(what, &command, &e))?;
    interrupt::check()?;
    if status.success() {
        return Ok(());
    }
    let tail = tail(log);
    Err(diagnose(format!("{what} failed ({status})\n{tail}\n  full log: {}", log.display()), &tail))
}

fn cannot_start(what: &str, command: &Command, error: &std::io::Error) -> Error {
    if interrupt::is_set() {
        return Error::interrupted();
    }
    let program = command.get_program().to_string_lossy().into_owned();
    Error::environment(format!("{what}: cannot start {program}: {error}"))
        .remedy("cargo xtask doctor lists what is missing")
}

/// Runs a program and returns what it prints on stdout, without the final newline.
pub fn capture(what: &str, cmd: Cmd) -> Result<String> {
    cmd.quiet().ignore_stderr().read().map_err(|e| Error::environment(format!("{what}: {e}")))
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
