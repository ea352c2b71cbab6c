//! Serves clients, on a thread of its own.

use super::fault;
use super::machine::Desk;
use super::symbols::Symbols;
use crate::errors::MachineError;
use crate::results::{EndedApp, KernelStats};
use carveout_host::error::{Error, Result};
use rustix::event::{PollFd, PollFlags};
use serde_json::{Value, json};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tipc::server::Server;

/// Set by signals.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// A machine that serves.
pub struct Running {
    thread: Option<JoinHandle<Value>>,
    /// Its end is the machine's.
    stop: Option<UnixStream>,
    /// Where it listens.
    pub socket: PathBuf,
}

/// A socket in the file system, which goes with this.
struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Running {
    /// Waits until Trusty is up, and serves clients from then on.
    pub fn start(mut desk: Desk, symbols: Symbols, version: &str, socket: &Path) -> Result<Self> {
        if !desk.wait_ready(&STOP) {
            return Err(Error::interrupted());
        }
        if desk.fate().is_some() {
            let report = fault::report(&desk, &symbols);
            return Err(MachineError::DoesNotBoot { report }.into());
        }
        let server = Server::listen(socket)
            .map_err(|source| MachineError::NoClientSocket { path: socket.into(), source: source.into() })?;
        let (stop, stopped) = UnixStream::pair().map_err(|source| MachineError::NoSocketPair { source })?;
        let version = version.to_owned();
        let bound = Bound(socket.to_owned());
        let thread = std::thread::spawn(move || {
            let _bound = bound;
            serve(desk, server, &stopped, &symbols, &version)
        });
        Ok(Self { thread: Some(thread), stop: Some(stop), socket: socket.into() })
    }

    /// Waits for its end, which a fault or a signal brings.
    pub fn wait(mut self) -> Result<Value> {
        self.join()
    }

    /// Ends it.
    pub fn stop(mut self) -> Result<Value> {
        drop(self.stop.take());
        self.join()
    }

    fn join(&mut self) -> Result<Value> {
        let joined = self.thread.take().map(JoinHandle::join);
        joined.and_then(std::result::Result::ok).ok_or_else(|| MachineError::ServingFailed.into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.join();
    }
}

fn serve(
    mut desk: Desk,
    mut server: Server,
    stopped: &UnixStream,
    symbols: &Symbols,
    version: &str,
) -> Value {
    let told = |mut stopped: &UnixStream| {
        // Nothing is ever written to the other end: it is closed.
        let _ = stopped.set_nonblocking(true);
        stopped.read(&mut [0]).is_ok()
    };
    let mut fault = None;
    while !STOP.load(Ordering::Relaxed) && !told(stopped) {
        let mut passed = desk.pump();
        if desk.fate().is_some() {
            fault = Some(fault::report(&desk, symbols));
            break;
        }
        passed |= server.serve(&mut desk);
        passed |= desk.pump();
        if !passed {
            let mut fds = server.poll_fds(tipc::server::Backend::accepts(&desk));
            fds.push(PollFd::new(stopped, PollFlags::IN));
            desk.wait(&fds);
        }
    }
    server.stop();
    let ended = |(name, ended): (&str, &str)| EndedApp { name: name.into(), ended: ended.into() };
    json!(KernelStats {
        backend: "qemu",
        qemu: version.into(),
        boot_milliseconds: desk.boot_time.map(|time| time.as_millis() as u64),
        messages: server.messages,
        lost: desk.lost(),
        absent_devices: desk.devices(),
        console: desk.console.path().into(),
        trusted_apps: desk.ends().map(ended).collect(),
        fault,
    })
}
