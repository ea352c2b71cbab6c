//! Trusted apps that run, and clients of them.

use crate::builds::util::{root, run};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tipc::{Channel, Error, MAX_MESSAGE, Transport};

/// All is built, has booted and answers within this time, or never.
const START: Duration = Duration::from_secs(600);
/// A busy host is given so long for an answer.
const ANSWER: Duration = Duration::from_secs(120);

/// `cargo xtask emulate` with a socket.
pub struct Run {
    child: Child,
    dir: TempDir,
    socket: PathBuf,
}

impl Run {
    /// Starts a bundle of the suite's, and waits until it serves clients.
    pub fn start(bundle: &Path, backend: &str) -> Self {
        Self::start_with(bundle, backend, super::PEER)
    }

    /// Starts a bundle, and waits until it serves clients of a port.
    pub fn start_with(bundle: &Path, backend: &str, port: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("trusty");
        let log = File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("emulate").arg(bundle).args(["--backend", backend, "--listen"]).arg(&socket);
        let child = command.current_dir(root()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut this = Self { child, dir, socket };
        let start = Instant::now();
        while this.connect(port).is_err() {
            let ended = this.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < START, "{ended:?}: {}", this.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        this
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// Connects a client.
    pub fn connect(&self, port: &str) -> Result<Channel, Error> {
        self.connect_within(port, ANSWER)
    }

    /// Connects a client that does not wait longer, nor does it for messages.
    pub fn connect_within(&self, port: &str, timeout: Duration) -> Result<Channel, Error> {
        Channel::connect_timeout(&self.socket, port, Some(timeout))
    }

    /// Ends it, as Ctrl-C does.
    pub fn stop(mut self) {
        run("kill", ["-INT", &self.child.id().to_string()]).ok();
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended}: {}", self.log());
    }

    /// Waits for its own end, with exit code 1. What it has printed.
    pub fn fails(mut self) -> String {
        let start = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(ended) => {
                    assert_eq!(ended.code(), Some(1), "{}", self.log());
                    return self.log();
                }
                None => assert!(start.elapsed() < ANSWER, "it goes on: {}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Not killed: it has a child of its own to end.
            let _ = run("kill", ["-INT", &self.child.id().to_string()]);
            let _ = self.child.wait();
        }
    }
}

/// A message.
pub fn receive(channel: &mut Channel) -> Result<Vec<u8>, Error> {
    let mut buffer = [0; MAX_MESSAGE];
    let length = channel.receive(&mut buffer)?;
    Ok(buffer[..length].to_vec())
}

/// Asks for a check and takes its transcript, which an empty message ends.
pub fn ask(channel: &mut Channel, check: &str) -> String {
    channel.send(check.as_bytes()).unwrap();
    transcript(channel, check)
}

/// Takes a transcript.
pub fn transcript(channel: &mut Channel, check: &str) -> String {
    let mut text = Vec::new();
    loop {
        let part = receive(channel).unwrap_or_else(|error| {
            panic!("{check}: {error}, after: {}", String::from_utf8_lossy(&text));
        });
        if part.is_empty() {
            return String::from_utf8(text).unwrap();
        }
        text.extend(part);
    }
}
