//! The process that a PKCS#11 module is loaded into. It logs in once, and signs until its stdin ends.
//!
//! A module is a library of somebody else's, written in C: here it may crash, hang or print without harm to who has started us.

mod key;
mod module;
mod pss;

use super::order::{Failure, Order, Reply, SOCKET, Step};
use key::Key;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

/// What whoever asks may take to do so.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the order, answers it, and signs.
pub fn run() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn work() -> io::Result<()> {
    // Modules have been seen to print: only we write to what is read.
    let mut out = File::from(rustix::io::dup(io::stdout())?);
    rustix::stdio::dup2_stdout(io::stderr())?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let opened = serde_json::from_str::<Order>(&line)
        .map_err(|error| Failure::new(Step::Token, error.to_string()))
        .and_then(|order| Key::open(&order))
        .and_then(|key| {
            let socket = UnixListener::bind(SOCKET);
            Ok((key, socket.map_err(|error| Failure::new(Step::Token, error.to_string()))?))
        });
    let mut answer = |reply: &Reply| writeln!(out, "{}", serde_json::to_string(reply)?);
    match opened {
        Ok((key, socket)) => {
            answer(&key.reply())?;
            serve(&key, &socket)?;
            key.close();
            Ok(())
        }
        Err(failure) => answer(&Reply::Failed(failure)),
    }
}

/// Answers `+` and the signature, or `-` and what failed, until stdin ends.
fn serve(key: &Key, socket: &UnixListener) -> io::Result<()> {
    loop {
        let stdin = io::stdin();
        let mut either = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
        match poll(&mut either, None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let [stdin, _] = either;
        if !stdin.revents().is_empty() {
            return Ok(());
        }
        let (peer, _) = socket.accept()?;
        // Whoever asked may have gone away.
        let _ = answer(key, peer);
    }
}

fn answer(key: &Key, mut peer: UnixStream) -> io::Result<()> {
    peer.set_read_timeout(Some(PATIENCE))?;
    peer.set_write_timeout(Some(PATIENCE))?;
    let message = key.request(&mut peer)?;
    match key.sign(&message) {
        Ok(signature) => peer.write_all(&[b"+", &signature[..]].concat()),
        Err(failure) => peer.write_all(&[b"-", failure.detail.as_bytes()].concat()),
    }
}
