//! Programs that may hang.

use crate::error::UpdateError;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether one has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for one, and ends it when its time is over. Why it has not ended with success.
pub fn wait(mut child: Child, timeout: Duration) -> Result<(), String> {
    let until = Instant::now() + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return ended(status),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("took more than {} s", timeout.as_secs()));
            }
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
}

fn ended(status: ExitStatus) -> Result<(), String> {
    if status.success() { Ok(()) } else { Err(format!("did not pass: {status}")) }
}

/// Runs one; what it prints is kept in a file, of which an error tells the last line.
pub fn logged(mut command: Command, program: &str, log: &Path, timeout: Duration) -> Result<(), UpdateError> {
    let failed = |source| UpdateError::Io { path: log.into(), source };
    let _ = fs::remove_file(log);
    let output = File::create_new(log).map_err(failed)?;
    let errors = output.try_clone().map_err(failed)?;
    let told = |how: String| {
        let printed = fs::read(log).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        let last = printed.trim_end().lines().next_back().unwrap_or_default().to_owned();
        UpdateError::Engine { program: program.into(), how, last, log: log.into() }
    };
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let child = command.spawn().map_err(|error| told(format!("does not start: {error}")))?;
    wait(child, timeout).map_err(told)
}
