//! The daemon as a process, in front of a trusted app that asks by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tipc::server::{Backend, Incoming, Server};
use trusty_abi::storage::{
    FILE_GET_SIZE, FILE_OPEN, FILE_READ, FILE_WRITE, HEAD, Head, OPEN_CREATE, Outcome, POST_COMMIT,
};
use trusty_abi::{Error, limit};

const PORT: &str = "com.carveout.storage.test";
const PATIENCE: Duration = Duration::from_secs(30);

/// A trusted app: what it sends to whoever connects, and what it gets.
#[derive(Default)]
struct App {
    connected: Option<u32>,
    connects: u32,
    accepted: bool,
    asks: VecDeque<Vec<u8>>,
    answers: VecDeque<Vec<u8>>,
}

impl Backend for App {
    fn connect(&mut self, port: &[u8]) -> Result<u32, Error> {
        if port != PORT.as_bytes() {
            return Err(Error::NotFound);
        }
        self.connects += 1;
        (self.connected, self.accepted) = (Some(self.connects), false);
        Ok(self.connects)
    }

    fn say(&mut self, _: &str) {}

    fn close(&mut self, channel: u32) {
        self.connected = self.connected.filter(|open| *open != channel);
    }

    fn send(&mut self, _: u32, message: &[u8]) -> Result<usize, Error> {
        assert!(message.len() <= limit::NS_MESSAGE);
        self.answers.push_back(message.to_vec());
        Ok(message.len())
    }

    fn next(&mut self, channel: u32) -> Option<Incoming> {
        if self.connected != Some(channel) {
            return Some(Incoming::Closed(Error::ChannelClosed));
        }
        if !std::mem::replace(&mut self.accepted, true) {
            return Some(Incoming::Accepted);
        }
        self.asks.pop_front().map(Incoming::Message)
    }
}

struct Desk {
    dir: tempfile::TempDir,
    server: Server,
    app: App,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::listen(&dir.path().join("trusty")).unwrap();
        Self { dir, server, app: App::default() }
    }

    fn stores(&self) -> PathBuf {
        self.dir.path().join("stores")
    }

    fn daemon(&self) -> Daemon {
        let config = self.dir.path().join("config");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("test"), format!("# the test's\n\n{PORT}\n")).unwrap();
        let mut command = command(&self.stores(), &config);
        command.env("TIPC_DEVICE", self.dir.path().join("trusty")).stderr(Stdio::piped());
        Daemon(command.spawn().unwrap())
    }

    fn until(&mut self, is: impl Fn(&App) -> bool) {
        let start = Instant::now();
        while !is(&self.app) {
            assert!(start.elapsed() < PATIENCE);
            if !self.server.serve(&mut self.app) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn ask(&mut self, command: u32, flags: u32, body: &[u8]) -> Result<Vec<u8>, Outcome> {
        let size = (HEAD + body.len()) as u32;
        let head = Head { command, op: 1, flags, size, result: 0 };
        self.app.asks.push_back([&head.bytes()[..], body].concat());
        self.until(|app| !app.answers.is_empty());
        let answer = self.app.answers.pop_front().unwrap();
        let (head, body) = Head::split(&answer).unwrap();
        match Outcome::of(head.result).unwrap() {
            Outcome::Done => Ok(body.to_vec()),
            outcome => Err(outcome),
        }
    }

    fn open(&mut self, name: &str, flags: u32) -> Result<Vec<u8>, Outcome> {
        self.ask(FILE_OPEN, 0, &[&flags.to_le_bytes()[..], name.as_bytes()].concat())
    }
}

fn command(stores: &Path, config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carveout-stored"));
    command.arg("--dir").arg(stores).arg("--config").arg(config).stdin(Stdio::null());
    command
}

struct Daemon(Child);

impl Daemon {
    /// Kills it; what it has said.
    fn kill(mut self) -> String {
        self.0.kill().unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut said).unwrap();
        self.0.wait().unwrap();
        said
    }
}

#[test]
fn what_is_answered_is_kept_when_the_daemon_is_killed() {
    let mut desk = Desk::new();
    for round in 0..10u8 {
        let daemon = desk.daemon();
        desk.until(|app| app.connects == u32::from(round) + 1);
        if round > 0 {
            let handle = desk.open("file", 0).unwrap();
            assert_eq!(desk.ask(FILE_GET_SIZE, 0, &handle), Ok(u64::from(round).to_le_bytes().to_vec()));
            let read = [&handle[..], &99u32.to_le_bytes(), &[0; 8]].concat();
            assert_eq!(desk.ask(FILE_READ, 0, &read), Ok((0..round).collect()));
        }
        let handle = desk.open("file", OPEN_CREATE).unwrap();
        let write = [&u64::from(round).to_le_bytes()[..], &handle, &[0; 4], &[round]].concat();
        assert_eq!(desk.ask(FILE_WRITE, POST_COMMIT, &write), Ok(vec![]));
        let said = daemon.kill();
        assert!(said.contains(&format!("{PORT}: keeps its store")), "{said}");
        desk.app.connected = None;
    }
}

#[test]
fn one_that_talks_nonsense_is_left_and_looked_for_again() {
    let mut desk = Desk::new();
    let daemon = desk.daemon();
    desk.until(|app| app.connects == 1 && app.accepted);
    desk.app.asks.push_back(b"what?".to_vec());
    desk.until(|app| app.connects == 2);
    assert!(desk.open("file", OPEN_CREATE).is_ok());
    let said = daemon.kill();
    assert!(said.contains("sends what is no request; tries again"), "{said}");
}

#[test]
fn wrong_usage_and_config_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |config: &Path, args: &[&str]| {
        let output = command(dir.path(), config).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&dir.path().join("none"), &[]).contains("no port is named"));
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(refused(&file, &[]).contains("file: "));
    let config = dir.path().join("config");
    std::fs::create_dir_all(config.join("a-folder")).unwrap();
    assert!(refused(&config, &["com.port"]).contains("a-folder: "));
}
