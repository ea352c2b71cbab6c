//! The one place that starts programs. They are written as xshell's commands; what is started here knows none of our secrets, is ended by
//! a signal to us, and does not outlive us, however we end.
//!
//! A signal is passed on to the process group that each program has of its own, so that it reaches all that the program has started. If
//! we are killed (SIGKILL, or for want of memory), nothing of ours runs any more: then a guard, a small script of its own, sees the end
//! of its stdin and ends the groups, and by a mark in their environment also what has left them. Should the guard have been killed as
//! well, the kernel ends the programs themselves (PR_SET_PDEATHSIG).

mod guard;

use crate::error::{Error, Result};
use crate::errors::ProgramError;
use crate::interrupt::flag;
use guard::{Guard, MARK};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, getppid, getpriority_process, kill_process,
    kill_process_group, set_parent_process_death_signal, setpriority_process, setsid, waitid,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};
use xshell::{Cmd, Shell};

/// Words in names of variables of ours that no program gets: we alone sign, and a token is told its PIN in another way (carveout_keys::token).
const SECRETS: [&str; 6] = ["KEY", "PASSPHRASE", "PASSWORD", "PIN", "SECRET", "TOKEN"];
/// How names begin of variables that a program of somebody else's gets, and no others.
const COMMON: [&str; 9] = ["HOME", "LANG", "LC_", "LOGNAME", "PATH", "RUST_", "TERM", "TMPDIR", "USER"];
/// How long what a program has left running may take to be gone.
const LEFT: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);
/// Times that a program is tried which is still open for writing, with 10 ms between.
const BUSY: u32 = 200;
/// The niceness of what can wait: a tenth of a share.
const GIVES_WAY: i32 = 10;

/// What runs, as kill(2) names it: process groups are negative numbers.
static RUN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn known() -> MutexGuard<'static, BTreeSet<i32>> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A shell of xshell in a folder, with our environment. Cheap: one for each use, as it cannot be shared between threads.
pub fn shell(dir: &Path) -> Result<Shell> {
    let shell = Shell::new().map_err(|e| ProgramError::NoCurrentFolder { source: e.into() })?;
    shell.change_dir(dir);
    Ok(shell)
}

/// Where a program's stdin, stdout and stderr are.
pub struct Streams {
    /// Nothing, unless it is said.
    pub stdin: Stdio,
    /// Nowhere, unless it is said.
    pub stdout: Stdio,
    /// Nowhere, unless it is said.
    pub stderr: Stdio,
}

impl Default for Streams {
    fn default() -> Self {
        Self { stdin: Stdio::null(), stdout: Stdio::null(), stderr: Stdio::null() }
    }
}

impl Streams {
    /// Those that we have.
    pub fn ours() -> Self {
        Self { stdin: Stdio::inherit(), stdout: Stdio::inherit(), stderr: Stdio::inherit() }
    }
}

/// A program that could not be started.
#[derive(Debug)]
pub struct Unstarted {
    /// Its name.
    pub program: String,
    /// Why.
    pub error: io::Error,
}

impl Unstarted {
    /// `what` needs it.
    pub fn of(self, what: &str) -> Error {
        if flag::is_set() {
            return Error::interrupted();
        }
        ProgramError::NotStarted { task: what.into(), program: self.program, source: self.error }.into()
    }
}

/// A program that runs. It ends, with all that it has started, when this is dropped.
pub struct Running {
    child: Child,
    target: i32,
}

/// Whether a variable of the environment is a secret of ours.
fn is_secret(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.strip_prefix("CARVEOUT_").is_some_and(|rest| {
        // PKCS11_PIN, but not a word that only has the letters, such as SPIN.
        rest.split('_').any(|word| SECRETS.contains(&word))
    })
}

/// A program that is not ours, out of a bundle for example: of our environment it gets what all programs need, and no more.
pub fn foreign(cmd: Cmd) -> Cmd {
    let common = |name: &OsStr| {
        let name = name.to_string_lossy();
        COMMON.iter().any(|common| name == *common || common.ends_with('_') && name.starts_with(common))
    };
    let ours = std::env::vars_os().filter(|(name, _)| common(name));
    ours.fold(cmd.env_clear(), |cmd, (name, value)| cmd.env(name, value))
}

/// Starts a program in a session, and so in a process group, of its own: it is not stopped when it reads or writes at a terminal, as a
/// program in the background would be; what asks for a password there finds no terminal, and says so.
pub fn start(cmd: Cmd, streams: Streams) -> Result<Running, Unstarted> {
    launch(cmd.into(), streams, true)
}

/// Starts a program that people may talk to: on a terminal it stays in our process group, as others could not read from there.
pub fn start_in_front(cmd: Cmd, streams: Streams) -> Result<Running, Unstarted> {
    let talks = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    launch(cmd.into(), streams, !talks)
}

/// Runs a program to its end: what it prints, on stdout and stderr.
pub fn output(cmd: Cmd, most: Option<Duration>) -> Result<Output, Unstarted> {
    let (stdout, stderr) = (Stdio::piped(), Stdio::piped());
    let streams = Streams { stdout, stderr, ..Streams::default() };
    let command = Command::from(cmd);
    let program = command.get_program().to_string_lossy().into_owned();
    let running = launch(command, streams, true)?;
    let limit = most.map(|most| running.limit(most));
    let output = running.finish();
    let output = match limit.filter(Limit::is_over) {
        Some(limit) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("it was ended: it had run for {} s", limit.most.as_secs()),
        )),
        None => output,
    };
    output.map_err(|error| Unstarted { program, error })
}

/// Whether a program ends with success.
pub fn succeeds(cmd: Cmd) -> bool {
    start(cmd, Streams::default()).is_ok_and(|mut running| running.wait().is_ok_and(|s| s.success()))
}

fn launch(mut command: Command, streams: Streams, own_group: bool) -> Result<Running, Unstarted> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    let given = command.get_envs().map(|(name, _)| name.to_owned());
    for secret in given
        .chain(std::env::vars_os().map(|(name, _)| name))
        .filter(|name| is_secret(name))
        .collect::<Vec<_>>()
    {
        command.env_remove(secret);
    }
    let guard = Guard::get();
    command.env(MARK, &guard.mark);
    end_with_us(&mut command, own_group);
    // Held meanwhile: a signal finds either no program or one that it can end.
    let mut run = known();
    for _ in 0..BUSY {
        if flag::is_set() {
            return Err(Unstarted { program, error: io::ErrorKind::Interrupted.into() });
        }
        match command.spawn() {
            Ok(child) => {
                let id = i32::try_from(child.id()).unwrap_or_default();
                let target = if own_group { -id } else { id };
                run.insert(target);
                guard.tell(&run);
                if own_group {
                    as_nice_as_we(id);
                }
                return Ok(Running { child, target });
            }
            // The program was copied a moment ago. A child that another thread has started meanwhile holds the file open for
            // writing, until it has become its own program; so long Linux refuses.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                drop(run);
                sleep(Duration::from_millis(10));
                run = known();
            }
            Err(error) => return Err(Unstarted { program, error }),
        }
    }
    Err(Unstarted { program, error: io::ErrorKind::ExecutableFileBusy.into() })
}

/// What this thread starts from now on gets less of the processors while others want them.
pub fn give_way() {
    // A thread's own on Linux. Without it, all is done as well, only not as soon.
    let _ = setpriority_process(None, GIVES_WAY);
}

/// Linux shares the processors among sessions first (sched_autogroup), and a new one begins with a niceness of 0: ours would have no effect.
fn as_nice_as_we(id: i32) {
    if let Some(nice) = getpriority_process(None).ok().filter(|nice| *nice > 0) {
        // A kernel without such groups has no such file.
        let group = File::options().write(true).open(format!("/proc/{id}/autogroup"));
        let _ = group.and_then(|mut group| group.write_all(nice.to_string().as_bytes()));
    }
}

/// The kernel ends the program when the thread that has started it ends.
fn end_with_us(command: &mut Command, own_group: bool) {
    let ours = getpid();
    let set = move || {
        if own_group {
            setsid()?;
        }
        set_parent_process_death_signal(Some(Signal::TERM))?;
        // We may have been killed just before.
        if getppid() == Some(ours) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    };
    // SAFETY: between fork and exec only what is safe in signal handlers may be called; these are three system calls, and an error
    // of a number or a kind, neither of which allocates.
    unsafe { command.pre_exec(set) };
}

impl Running {
    /// Its process.
    pub fn id(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Its stdin, if that is a pipe. It is closed when this is dropped.
    pub fn stdin(&mut self) -> &mut Option<ChildStdin> {
        &mut self.child.stdin
    }

    /// Takes its stdout, if that is a pipe.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes its stderr, if that is a pipe.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// How it has ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(pid) = self.id() else { return self.child.try_wait() };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(pid), options) {
            Ok(None) => Ok(None),
            _ => self.wait().map(Some),
        }
    }

    /// Sends a signal to it, and to what it has started.
    pub fn signal(&self, signal: Signal) {
        send_if_known(self.target, signal);
    }

    /// Sends signals to it from wherever they come; false: it has ended.
    pub fn signaller(&self) -> impl Fn(Signal) -> bool + Send + 'static {
        let target = self.target;
        move |signal| send_if_known(target, signal)
    }

    /// Ends it if it has not ended within this time.
    pub fn limit(&self, most: Duration) -> Limit {
        let (keep, ended) = mpsc::channel::<()>();
        let over = Arc::new(AtomicBool::new(false));
        let (flag, target) = (Arc::clone(&over), self.target);
        std::thread::spawn(move || {
            if ended.recv_timeout(most) == Err(mpsc::RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::Relaxed);
                send_if_known(target, Signal::KILL);
            }
        });
        Limit { _keep: keep, over, most }
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        if known().contains(&self.target)
            && let Some(pid) = self.id()
        {
            // Not reaped yet: until it is forgotten, nobody else can have its number.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while waitid(WaitId::Pid(pid), options).is_err_and(|errno| errno == Errno::INTR) {}
            if flag::is_set() && self.target < 0 {
                end_group(pid);
            }
            let mut run = known();
            run.remove(&self.target);
            Guard::get().tell(&run);
        }
        self.child.wait()
    }

    /// Waits for its end: what it has printed where it has pipes.
    pub fn finish(mut self) -> io::Result<Output> {
        fn all(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes)).map(|_| bytes)
        }
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let (stdout, stderr) = std::thread::scope(|scope| {
            let errors = scope.spawn(|| all(stderr));
            (all(stdout), errors.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
        });
        let status = self.wait()?;
        Ok(Output { status, stdout: stdout?, stderr: stderr? })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What has been waited for is not known any more.
        self.signal(Signal::KILL);
        let _ = self.wait();
    }
}

/// A limit to a program's time, for as long as this lives.
pub struct Limit {
    _keep: mpsc::Sender<()>,
    over: Arc<AtomicBool>,
    most: Duration,
}

impl Limit {
    /// Whether it has ended the program.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Whether any program runs.
pub fn any() -> bool {
    !known().is_empty()
}

/// Sends a signal to all that runs. Whether anything does.
pub fn signal_all(signal: Signal) -> bool {
    let run = known();
    for target in run.iter() {
        let _ = send(*target, signal);
    }
    Guard::get().tell(&run);
    !run.is_empty()
}

fn send_if_known(target: i32, signal: Signal) -> bool {
    let run = known();
    run.contains(&target) && send(target, signal)
}

fn send(target: i32, signal: Signal) -> bool {
    match (Pid::from_raw(target.saturating_abs()), target < 0) {
        (Some(group), true) => kill_process_group(group, signal).is_ok(),
        (Some(process), false) => kill_process(process, signal).is_ok(),
        (None, _) => false,
    }
}

/// Ends what a program that has ended itself has left running, and sees to it that nothing of it does any more.
fn end_group(leader: Pid) {
    let start = Instant::now();
    while kill_process_group(leader, Signal::KILL).is_ok() && start.elapsed() < LEFT {
        let leaders_own = leader.as_raw_nonzero().get();
        let others = std::fs::read_dir("/proc").into_iter().flatten().flatten().any(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // PID (NAME) STATE PPID GROUP …; a zombie runs no more.
            let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
            let (state, group) = (fields.next().unwrap_or("Z"), fields.nth(1));
            state != "Z" && group.is_some_and(|group| group.parse() == Ok(leaders_own))
        });
        if !others {
            return;
        }
        sleep(LOOK);
    }
}

#[cfg(test)]
mod tests;
