//! gdb's connection to one trusted app. While it is stopped, nothing else runs either.

use crate::machine::Machine;
use crate::say;
use crate::tap::{Hit, Watched};
use gdbstub::common::Signal;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{DisconnectReason, GdbStub, SingleThreadStopReason};
use gdbstub::target::ext::breakpoints::WatchKind;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

type Session = GdbStubStateMachine<'static, Machine, UnixStream>;
type StopReason = SingleThreadStopReason<u32>;

/// Bytes of gdb's that are read at once.
const CHUNK: usize = 4096;

/// What a debugger is attached to, or may be.
pub struct Debugger {
    /// Which trusted app.
    pub app: usize,
    listener: UnixListener,
    session: Option<Session>,
    /// Nothing runs before the first debugger has come.
    awaited: bool,
    /// It has been told of the fault.
    told_fault: bool,
}

/// What gdb wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attended {
    /// The trusted app runs.
    Runs,
    /// All is to end.
    Ends,
}

impl Debugger {
    /// Listens for gdb at a Unix socket.
    pub fn listen(app: usize, socket: &Path) -> std::io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        Ok(Self { app, listener, session: None, awaited: true, told_fault: false })
    }

    /// What to wait for, so that gdb is heard at once.
    pub fn poll_fds(&mut self) -> Vec<PollFd<'_>> {
        let stream = self.session.as_mut().map(|session| PollFd::new(stream(session), PollFlags::IN));
        [PollFd::new(&self.listener, PollFlags::IN)].into_iter().chain(stream).collect()
    }

    /// Does what gdb asks until the trusted app is to run, or all is to end: as `is_over` says, which is asked now and then.
    pub fn attend(&mut self, machine: &mut Machine, is_over: &dyn Fn() -> bool) -> Attended {
        loop {
            self.turn_others_away();
            match self.session.take() {
                None => match self.accept(machine) {
                    Some(session) => (self.session, self.awaited) = (Some(session), false),
                    None if self.awaited => {
                        if is_over() {
                            return Attended::Ends;
                        }
                        wait(&self.listener);
                    }
                    None => {
                        // Nobody debugs it any more, if anybody did.
                        machine.tap().clear();
                        return Attended::Runs;
                    }
                },
                Some(GdbStubStateMachine::Disconnected(session)) => {
                    if session.get_reason() == DisconnectReason::Kill {
                        say::line("emulator: the debugger ends the emulation: no trusted app has faulted");
                        return Attended::Ends;
                    }
                }
                Some(GdbStubStateMachine::CtrlCInterrupt(session)) => {
                    let reason = Some(StopReason::Signal(Signal::SIGINT));
                    self.session = kept(session.interrupt_handled(machine, reason));
                }
                Some(mut session) => {
                    let running = matches!(session, GdbStubStateMachine::Running(_));
                    if !running {
                        if is_over() {
                            return Attended::Ends;
                        }
                        wait(stream(&mut session));
                    }
                    let (session, heard) = hear(machine, session);
                    self.session = session;
                    if running && !heard && matches!(self.session, Some(GdbStubStateMachine::Running(_))) {
                        return Attended::Runs;
                    }
                }
            }
        }
    }

    /// One at a time. What the one that is there has said is heard first: it may have gone, and come again.
    fn turn_others_away(&mut self) {
        let quiet = self.session.as_mut().is_some_and(|session| !is_readable(stream(session), 0));
        if quiet && self.listener.accept().is_ok() {
            say::line("emulator: another debugger is turned away: one is attached");
        }
    }

    fn accept(&mut self, machine: &mut Machine) -> Option<Session> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).ok()?;
        say::line("emulator: a debugger is attached");
        kept(GdbStub::new(stream).run_state_machine(machine))
    }

    /// The trusted app has stopped for gdb.
    pub fn hit(&mut self, machine: &mut Machine, hit: Hit) {
        let reason = match hit {
            Hit::Breakpoint => StopReason::SwBreak(()),
            Hit::Step => StopReason::DoneStep,
            Hit::Watch(watched, addr) => StopReason::Watch { tid: (), kind: kind(watched), addr },
        };
        self.report(machine, reason);
    }

    /// The trusted app has faulted. Whether gdb is told: then it may look, and the next run ends in the same fault.
    pub fn fault(&mut self, machine: &mut Machine) -> bool {
        let can = machine.fault().is_some() && matches!(self.session, Some(GdbStubStateMachine::Running(_)));
        if !can || std::mem::replace(&mut self.told_fault, true) {
            return false;
        }
        let instruction = machine.fault().is_some_and(|fault| fault.access.address().is_none());
        let signal = if instruction { Signal::SIGILL } else { Signal::SIGSEGV };
        self.report(machine, StopReason::Signal(signal));
        true
    }

    /// The trusted app has ended, and with it, of a fault, all of Trusty.
    pub fn ended(&mut self, machine: &mut Machine, fault: bool) {
        let reason = if fault { StopReason::Terminated(Signal::SIGSEGV) } else { StopReason::Exited(0) };
        self.report(machine, reason);
    }

    fn report(&mut self, machine: &mut Machine, reason: StopReason) {
        self.session = match self.session.take() {
            Some(GdbStubStateMachine::Running(session)) => kept(session.report_stop(machine, reason)),
            other => other,
        };
    }
}

fn kind(watched: Watched) -> WatchKind {
    match watched {
        Watched::Writes => WatchKind::Write,
        Watched::Reads => WatchKind::Read,
        Watched::Both => WatchKind::ReadWrite,
    }
}

/// A session that goes on.
fn kept<E: std::fmt::Display>(session: Result<Session, E>) -> Option<Session> {
    session.inspect_err(|error| say::line(&format!("emulator: the debugger is gone: {error}"))).ok()
}

/// Takes in what gdb says, if it says something. Whether it does.
fn hear(machine: &mut Machine, mut session: Session) -> (Option<Session>, bool) {
    let from = stream(&mut session);
    if !is_readable(from, 0) {
        return (Some(session), false);
    }
    let mut bytes = [0; CHUNK];
    let said = match from.read(&mut bytes) {
        Ok(0) | Err(_) => {
            say::line("emulator: the debugger is gone");
            return (None, true);
        }
        Ok(length) => bytes.get(..length).unwrap_or_default(),
    };
    for byte in said {
        let next = match session {
            GdbStubStateMachine::Idle(session) => session.incoming_data(machine, *byte),
            GdbStubStateMachine::Running(session) => session.incoming_data(machine, *byte),
            // Nothing is expected behind these.
            other => return (Some(other), true),
        };
        match kept(next) {
            Some(next) => session = next,
            None => return (None, true),
        }
    }
    (Some(session), true)
}

fn stream(session: &mut Session) -> &mut UnixStream {
    match session {
        GdbStubStateMachine::Idle(session) => session.borrow_conn(),
        GdbStubStateMachine::Running(session) => session.borrow_conn(),
        GdbStubStateMachine::CtrlCInterrupt(session) => session.borrow_conn(),
        GdbStubStateMachine::Disconnected(session) => session.borrow_conn(),
    }
}

/// Waits a moment for something to read.
fn wait(fd: &impl std::os::fd::AsFd) {
    is_readable(fd, 100);
}

fn is_readable(fd: &impl std::os::fd::AsFd, milliseconds: i64) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let time = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
    rustix::event::poll(&mut fds, Some(&time)).is_ok_and(|ready| ready > 0)
}
