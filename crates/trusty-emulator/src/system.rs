//! Trusted apps and clients on one kernel, until something stops it.

use crate::image::ImageError;
use crate::process::{AppState, Known, Process};
use crate::say;
use crate::server::Linux;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tipc::server::Server;
use trusty_model::hwkey::Agent;
use trusty_model::{Kernel, Task};

/// How often the stop flag and standard input are looked at, at least.
const NAP: Duration = Duration::from_millis(200);
/// A TA that still runs after this time at its start may never wait.
const BOOT: Duration = Duration::from_secs(5);
/// How long TAs may run on once standard input has ended.
const LAST: Duration = Duration::from_secs(1);

/// A kernel with its TAs and clients.
pub struct System {
    /// The TAs.
    pub apps: Vec<Process>,
    /// The kernel.
    pub kernel: Kernel,
    /// The clients.
    pub server: Server,
    linux: Task,
    agent: Option<Agent>,
    start: Instant,
}

/// Why the system has stopped.
#[derive(Debug)]
pub enum End {
    /// It was told to.
    Told,
    /// A TA faulted, or the kernel panicked: with a report.
    Fault(String),
}

/// What keeps it from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The socket.
    #[error("cannot listen at {0}: {1}")]
    Listen(String, Errno),
}

impl System {
    /// Loads the TAs and listens.
    pub fn new(elves: &[Vec<u8>], known: &dyn Known, socket: &Path) -> Result<Self, StartError> {
        let mut kernel = Kernel::new();
        let linux = kernel.add_linux();
        let load = |(index, elf): (usize, &Vec<u8>)| Process::load(index, elf, &mut kernel, known);
        let apps = elves.iter().enumerate().map(load).collect::<Result<_, _>>()?;
        let listen = |error| StartError::Listen(socket.display().to_string(), error);
        let server = Server::listen(socket).map_err(listen)?;
        Ok(Self { apps, kernel, server, linux, agent: None, start: Instant::now() })
    }

    /// Starts a stand-in for NVIDIA's hwkey-agent.
    pub fn start_agent(&mut self) {
        self.agent = Some(Agent::start(&mut self.kernel));
    }

    /// Runs until it is told to stop: by the flag, or by the end of standard input if that is watched. Prints `ready` when
    /// all TAs wait for the first time, or do not after some seconds.
    pub fn run(&mut self, stop: &AtomicBool, watch_stdin: bool) -> End {
        let (mut ready, mut agent_told) = (false, false);
        let mut looked = Instant::now();
        let mut ended: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            let mut passed = false;
            for app in &mut self.apps {
                app.wake(&mut self.kernel);
                if app.state == AppState::Ready {
                    passed = true;
                    if let Err(report) = app.run(&mut self.kernel, self.start) {
                        self.apps.iter_mut().for_each(Process::end_line);
                        self.server.stop();
                        return End::Fault(report);
                    }
                }
            }
            if !ready && (!passed || self.start.elapsed() > BOOT) {
                ready = true;
                say::ready();
            }
            if self.agent.as_ref().is_some_and(|agent| agent.serve(&mut self.kernel)) {
                passed = true;
                if !std::mem::replace(&mut agent_told, true) {
                    say::line("emulator: stands in for hwkey-agent: its key is not secret");
                }
            }
            let mut linux = Linux { kernel: &mut self.kernel, task: self.linux, apps: &self.apps };
            passed |= self.server.serve(&mut linux);
            match ended {
                // Who has gone before the end of input is told to the TAs first, and they close their channels.
                Some(at) if !passed || at.elapsed() > LAST => break,
                Some(_) => {}
                None if !passed || looked.elapsed() > NAP => {
                    looked = Instant::now();
                    ended = self.pause(watch_stdin, !passed).then(Instant::now);
                }
                None => {}
            }
        }
        self.server.stop();
        self.apps.iter_mut().for_each(Process::end_line);
        End::Told
    }

    /// Waits until something may have happened, if all TAs wait. Whether standard input has ended.
    fn pause(&self, watch_stdin: bool, idle: bool) -> bool {
        let until = self.apps.iter().filter_map(|app| match app.state {
            AppState::Waiting(_, until) => until,
            _ => None,
        });
        let now = Instant::now();
        let nap = until.min().map_or(NAP, |until| until.saturating_duration_since(now)).min(NAP);
        let nap = if idle { nap } else { Duration::ZERO };
        let nap = Timespec { tv_sec: 0, tv_nsec: nap.subsec_nanos().into() };
        let stdin = std::io::stdin();
        let mut fds = self.server.poll_fds(true);
        if watch_stdin {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        // Interrupted or not: the loop looks at everything again.
        let _ = rustix::event::poll(&mut fds, Some(&nap));
        let ended = |fd: &PollFd| fd.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        watch_stdin
            && fds.last().is_some_and(ended)
            && rustix::io::read(&stdin, &mut [0; 64]).is_ok_and(|length| length == 0)
    }
}
