//! QEMU with our firmware, and in it a kernel: our own for tests, which needs nothing of NVIDIA's, and the real one where it is.

pub mod ends;
mod errors;
mod heaps;
mod keys;
mod machine;
mod real;
mod security_engine;

use crate::builds::util::{Ran, root, test_kernel};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tipc::{Channel, Transport};
use trusty_image::{Container, TosType};

/// How long anything may take on a host that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// `emulate` that waits for clients. Whatever a test does, it ends with it.
pub struct Emulate {
    child: Child,
    pub dir: TempDir,
    pub socket: PathBuf,
}

/// How it ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stderr: String,
    /// Its JSON.
    pub json: Value,
}

impl Emulate {
    /// Of the test kernel, in a carve-out.
    pub fn test_kernel(tzdram: &str) -> Self {
        Self::test_kernel_with(tzdram, &[])
    }

    /// The same with more options.
    pub fn test_kernel_with(tzdram: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("tos.img");
        fs::write(&image, Container::pack(&[], &test_kernel(), TosType::Trusty).unwrap()).unwrap();
        Self::start(dir, &image, &[&["--tzdram", tzdram], more].concat())
    }

    /// Of an image or a bundle; it is up when this returns.
    pub fn start(dir: TempDir, target: &Path, more: &[&str]) -> Self {
        let socket = dir.path().join("trusty");
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["--json", "emulate"]).arg(target).arg("--listen").arg(&socket).args(more);
        let file = |name: &str| fs::File::create(dir.path().join(name)).unwrap();
        command.stdout(file("stdout")).stderr(file("stderr")).stdin(Stdio::null()).current_dir(root());
        let mut this = Self { child: command.spawn().unwrap(), dir, socket };
        let start = Instant::now();
        while !this.socket.exists() {
            assert!(
                start.elapsed() < PATIENCE && this.child.try_wait().unwrap().is_none(),
                "{}",
                this.said()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        this
    }

    fn said(&self) -> String {
        fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Connects to a port.
    pub fn connect(&self, port: &str) -> Channel {
        let start = Instant::now();
        loop {
            match Channel::connect(&self.socket, port) {
                Ok(channel) => return channel,
                // Its socket has a name a moment before anybody listens there.
                Err(tipc::Error::Open { .. }) if start.elapsed() < Duration::from_secs(5) => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(e) => panic!("{port}: {e}\n{}", self.said()),
            }
        }
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(!self.socket.exists(), "its socket is left");
        let stdout = fs::read_to_string(self.dir.path().join("stdout")).unwrap();
        let json = serde_json::from_str(&stdout).unwrap_or(Value::Null);
        Ended { code: status.code(), stderr: self.said(), json }
    }

    /// Ends it as Ctrl-C does; its figures.
    pub fn stop(self) -> Value {
        self.signal("-INT");
        let ended = self.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.json["result"]["stats"].clone()
    }

    /// Ends it with Ctrl-C; it fails, and what it says.
    pub fn fails(self) -> String {
        self.signal("-INT");
        let ended = self.wait();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        ended.json.to_string()
    }
}

impl Drop for Emulate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes of QEMU that a process has started.
pub fn machines(parent: u32) -> Vec<i32> {
    let output =
        Command::new("pgrep").args(["-P", &parent.to_string(), "-f", "virt,secure=on"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// One message.
pub fn receive(channel: &mut Channel) -> Result<Vec<u8>, tipc::Error> {
    let mut buffer = [0; tipc::MAX_MESSAGE];
    channel.receive(&mut buffer).map(|length| buffer[..length].to_vec())
}

/// `emulate` with a client app.
pub fn emulate(target: &Path, options: &[&str], client: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("emulate").arg(target).args(options).arg("--").args(client).current_dir(root());
    Ran::new(&mut command)
}
