//! Ctrl-C and its like: what runs is ended and waited for, the terminal is as it was, and the process ends with 130.
//!
//! Programs that we start have process groups of their own (process.rs): a signal to us reaches all that they have started, and
//! a signal of the terminal reaches them once, through us.

pub(crate) mod flag;

pub use flag::{check, is_set};

use crate::error::{Error, Exit};
use crate::process::{any, signal_all};
use rustix::process::Signal;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long programs have to end in order, and then we ourselves.
const GRACE: Duration = Duration::from_secs(5);
/// How long we have if no program runs: somebody may be waiting for a password.
const IDLE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

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

fn signalled(terminal: Option<&Termios>) {
    let handled = HOOK.lock().is_ok_and(|hook| hook.as_ref().is_some_and(|hook| hook()));
    if handled {
        return;
    }
    // Who asks twice is in a hurry.
    let again = flag::set();
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
    while any() && start.elapsed() < 2 * GRACE {
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
