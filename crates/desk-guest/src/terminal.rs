//! A command on a terminal of its own.

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The word by which we are called to become a command on a terminal.
pub const WORD: &str = "on-terminal";

/// A terminal: our side of it, and the path of the command's.
pub fn new(rows: u16, columns: u16) -> io::Result<(File, String)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let path = ptsname(&ours, Vec::new())?.into_string().map_err(io::Error::other)?;
    resize(&ours, rows, columns)?;
    Ok((File::from(ours), path))
}

/// Tells it its size.
pub fn resize(terminal: impl std::os::fd::AsFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(terminal, size)?)
}

/// Becomes the command of these words, the first of which is the terminal's path: in a session of its own, whose terminal that is.
/// Returns only if that failed.
pub fn become_command(words: &[String]) -> io::Error {
    let [path, program, arguments @ ..] = words else { return io::ErrorKind::InvalidInput.into() };
    let attached = || -> io::Result<()> {
        rustix::process::setsid()?;
        // The first terminal that the leader of a session opens is the session's.
        let terminal: OwnedFd = open(path.as_str(), OFlags::RDWR, Mode::empty())?;
        rustix::stdio::dup2_stdin(&terminal)?;
        rustix::stdio::dup2_stdout(&terminal)?;
        Ok(rustix::stdio::dup2_stderr(&terminal)?)
    };
    match attached() {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    }
}
