//! Ctrl-C and its like: what runs is ended and waited for, the terminal is as it was, and the process ends with 130.
//!
//! Programs that a build starts have process groups of their own: a signal to us reaches all that they have started, and a
//! signal of the terminal reaches them once, through us.

use crate::error::{Error, Exit, Result};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long programs have to end in order, and then we ourselves.
const GRACE: Duration = Duration::from_secs(5);
/// How long we have if no program runs: somebody may be waiting for a password.
const IDLE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Process groups of the programs that run.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
/// What a verb does instead; false: it has nothing to do yet.
type Hook = Box<dyn Fn() -> bool + Send>;
static HOOK: Mutex<Option<Hook>> = Mutex::new(None);

/// From now on SIGINT, SIGTERM and SIGHUP end what runs.
pub fn catch() {
    let terminal = tcgetattr(io::stdin()).ok();
    // Refused only if it has been done.
    let _ = ctrlc::set_handler(move || signalled(terminal.as_ref()));
}

/// Lets a verb end by itself: `hook` is called by each signal. Where it returns false, the signal does what it always does.
pub fn instead(hook: impl Fn() -> bool + Send + 'static) {
    if let Ok(mut current) = HOOK.lock() {
        *current = Some(Box::new(hook));
    }
}

/// Ends what [`instead`] began.
pub fn as_usual() {
    if let Ok(mut current) = HOOK.lock() {
        *current = None;
    }
}

/// Whether a signal has come that ends the command.
pub fn is_set() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// An error if a signal has come.
pub fn check() -> Result<()> {
    if is_set() { Err(Error::interrupted()) } else { Ok(()) }
}

/// A program that runs, in a process group of its own.
pub struct Running {
    child: Child,
    group: i32,
}

/// Starts a program that a signal ends, with all that it starts.
pub fn spawn(command: &mut Command) -> io::Result<Running> {
    // Held meanwhile: a signal finds either no program or one that it can end.
    let mut groups = GROUPS.lock().map_err(|_| io::ErrorKind::Other)?;
    if is_set() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let child = command.process_group(0).spawn()?;
    let group = i32::try_from(child.id()).unwrap_or_default();
    groups.insert(group);
    Ok(Running { child, group })
}

impl Running {
    /// The program.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it has ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(pid) = Pid::from_raw(self.group) else { return self.child.try_wait() };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(pid), options) {
            Ok(None) => Ok(None),
            _ => self.wait().map(Some),
        }
    }

    /// Ends it, and what it has started, at once.
    pub fn kill(&self) {
        let known = GROUPS.lock().is_ok_and(|groups| groups.contains(&self.group));
        if let Some(pid) = Pid::from_raw(self.group).filter(|_| known) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let known = GROUPS.lock().is_ok_and(|groups| groups.contains(&self.group));
        if let Some(pid) = Pid::from_raw(self.group).filter(|_| known) {
            // Not reaped yet: until its group is forgotten, nobody else can have its number.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while waitid(WaitId::Pid(pid), options).is_err_and(|errno| errno == Errno::INTR) {}
            if is_set() {
                end_group(pid);
            }
        }
        self.forget();
        self.child.wait()
    }

    fn forget(&self) {
        if let Ok(mut groups) = GROUPS.lock() {
            groups.remove(&self.group);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What has been waited for is reaped, and wait() says so again at once.
        let _ = self.wait();
    }
}

/// Ends what a program that has ended itself has left running, and sees to it that nothing of it does any more.
fn end_group(leader: Pid) {
    let start = Instant::now();
    while kill_process_group(leader, Signal::KILL).is_ok() && start.elapsed() < IDLE {
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

fn signal_all(signal: Signal) -> bool {
    let Ok(groups) = GROUPS.lock() else { return false };
    for pid in groups.iter().filter_map(|group| Pid::from_raw(*group)) {
        let _ = kill_process_group(pid, signal);
    }
    !groups.is_empty()
}

fn signalled(terminal: Option<&Termios>) {
    let handled = HOOK.lock().is_ok_and(|hook| hook.as_ref().is_some_and(|hook| hook()));
    if handled {
        return;
    }
    // Who asks twice is in a hurry.
    let again = INTERRUPTED.swap(true, Ordering::Relaxed);
    let ran = signal_all(if again { Signal::KILL } else { Signal::TERM });
    let terminal = terminal.cloned();
    std::thread::spawn(move || {
        if ran {
            wait_for_programs();
        }
        sleep(if again {
            Duration::ZERO
        } else if ran {
            GRACE
        } else {
            IDLE
        });
        // The main thread has not come to its end: it computes, or waits for somebody who types.
        leave(terminal.as_ref());
    });
}

fn wait_for_programs() {
    let start = Instant::now();
    let mut killed = false;
    while GROUPS.lock().is_ok_and(|groups| !groups.is_empty()) && start.elapsed() < 2 * GRACE {
        if start.elapsed() > GRACE && !killed {
            killed = true;
            signal_all(Signal::KILL);
        }
        sleep(LOOK);
    }
}

/// Ends the process from another thread than the main one.
fn leave(terminal: Option<&Termios>) -> ! {
    if let Some(terminal) = terminal {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
    }
    crate::ui::leave(&Error::interrupted());
    std::process::exit(Exit::Interrupted as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_while_they_run() {
        let mut command = Command::new("sh");
        let mut running = spawn(command.args(["-c", "exit 7"])).unwrap();
        let group = running.group;
        assert!(GROUPS.lock().unwrap().contains(&group));
        assert_eq!(running.wait().unwrap().code(), Some(7));
        assert!(!GROUPS.lock().unwrap().contains(&group));
        assert_eq!(running.wait().unwrap().code(), Some(7), "waiting twice harms nobody");
        let running = spawn(Command::new("true").args(["x"])).unwrap();
        let group = running.group;
        drop(running);
        assert!(!GROUPS.lock().unwrap().contains(&group));
    }
}
