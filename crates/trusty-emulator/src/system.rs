//! Trusted apps and clients on one kernel, until something stops it.

use crate::clock::Clock;
use crate::debugger::{Attended, Debugger};
use crate::image::ImageError;
use crate::process::{AppState, Crash, Known, Process};
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
    debugger: Option<Debugger>,
    clock: Clock,
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
    /// The socket for a debugger.
    #[error("cannot listen for a debugger at {0}: {1}")]
    Debugger(String, std::io::Error),
    /// The trusted app to debug.
    #[error("no trusted app with UUID {0} is in the image: a debugger has nothing to attach to")]
    NoSuchApp(uuid::Uuid),
    /// The engine.
    #[error("the engine refuses a debugger: {0:?}")]
    Engine(unicorn_engine::uc_error),
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
        Ok(Self { apps, kernel, server, linux, agent: None, debugger: None, clock: Clock::of_host() })
    }

    /// Starts a stand-in for NVIDIA's hwkey-agent.
    pub fn start_agent(&mut self) {
        self.agent = Some(Agent::start(&mut self.kernel));
    }

    /// Lets a debugger stop the trusted app with this UUID. Nothing runs before one has come to the socket.
    pub fn debug(&mut self, uuid: uuid::Uuid, socket: &Path) -> Result<(), StartError> {
        let found = self.apps.iter_mut().enumerate().find(|(_, app)| app.app.manifest.uuid == uuid);
        let (index, app) = found.ok_or(StartError::NoSuchApp(uuid))?;
        app.machine.allow_debugger().map_err(StartError::Engine)?;
        let listen = |error| StartError::Debugger(socket.display().to_string(), error);
        self.debugger = Some(Debugger::listen(index, socket).map_err(listen)?);
        Ok(())
    }

    /// Runs until it is told to stop: by the flag, or by the end of standard input if that is watched. Prints `ready` when
    /// all TAs wait for the first time, or do not after some seconds.
    pub fn run(&mut self, stop: &AtomicBool, watch_stdin: bool) -> End {
        let (mut ready, mut agent_told) = (false, false);
        let mut looked = Instant::now();
        let mut ended: Option<Instant> = None;
        let mut ended_by = None;
        while !stop.load(Ordering::Relaxed) {
            let is_over = || stop.load(Ordering::Relaxed) || watch_stdin && has_stdin_ended();
            if self.attend(&is_over) == Attended::Ends {
                break;
            }
            let passed = self.run_apps();
            let Ok(mut passed) = passed.map_err(|report| ended_by = Some(report)) else { break };
            if !ready && (!passed || self.clock.now() > BOOT) {
                ready = true;
                for app in &mut self.apps {
                    app.heap_at_ready = app.heap_figures().map(|[used, _]| used);
                }
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
        if let Some(debugger) = &mut self.debugger
            && let Some(app) = self.apps.get_mut(debugger.app)
        {
            debugger.ended(&mut app.machine, ended_by.is_some());
        }
        ended_by.map_or(End::Told, End::Fault)
    }

    /// Gives each trusted app its turn. Whether one had something to do; or the report of a fault.
    fn run_apps(&mut self) -> Result<bool, String> {
        let mut passed = false;
        for (index, app) in self.apps.iter_mut().enumerate() {
            if !app.wake(&mut self.kernel, &self.clock) {
                continue;
            }
            passed = true;
            let ran = app.run(&mut self.kernel, &self.clock);
            let Some(debugger) = self.debugger.as_mut().filter(|debugger| debugger.app == index) else {
                ran.map_err(|crash| told(app, &crash))?;
                continue;
            };
            match ran {
                Ok(Some(hit)) => debugger.hit(&mut app.machine, hit),
                Ok(None) if app.state == AppState::Exited => debugger.ended(&mut app.machine, false),
                Ok(None) => {}
                Err(crash) => {
                    if !debugger.fault(&mut app.machine) {
                        return Err(told(app, &crash));
                    }
                    app.dump(&crash);
                }
            }
        }
        Ok(passed)
    }

    /// Does what a debugger asks, if there is one and what it debugs.
    fn attend(&mut self, is_over: &dyn Fn() -> bool) -> Attended {
        let Some(debugger) = &mut self.debugger else { return Attended::Runs };
        match self.apps.get_mut(debugger.app) {
            Some(app) if app.state != AppState::Exited => debugger.attend(&mut app.machine, is_over),
            _ => Attended::Runs,
        }
    }

    /// Waits until something may have happened, if all TAs wait. Whether standard input has ended.
    fn pause(&mut self, watch_stdin: bool, idle: bool) -> bool {
        let until = self.apps.iter().filter_map(|app| match app.state {
            AppState::Waiting(_, until) => until,
            _ => None,
        });
        let now = self.clock.now();
        let nap = until.min().map_or(NAP, |until| until.saturating_sub(now)).min(NAP);
        let nap = if idle { nap } else { Duration::ZERO };
        let nap = Timespec { tv_sec: 0, tv_nsec: nap.subsec_nanos().into() };
        let stdin = std::io::stdin();
        let mut fds = self.server.poll_fds(true);
        fds.extend(self.debugger.iter_mut().flat_map(Debugger::poll_fds));
        if watch_stdin {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        // Interrupted or not: the loop looks at everything again.
        let _ = rustix::event::poll(&mut fds, Some(&nap));
        watch_stdin && fds.last().is_some_and(is_readable) && has_ended(&stdin)
    }
}

/// The report of a crash, whose core file is written.
fn told(app: &Process, crash: &Crash) -> String {
    app.dump(crash);
    app.report(crash)
}

fn is_readable(fd: &PollFd) -> bool {
    fd.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
}

fn has_ended(stdin: &std::io::Stdin) -> bool {
    rustix::io::read(stdin, &mut [0; 64]).is_ok_and(|length| length == 0)
}

/// Whether standard input has ended, without waiting for it.
pub fn has_stdin_ended() -> bool {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let ready = rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    ready.is_ok() && fds.first().is_some_and(is_readable) && has_ended(&stdin)
}
