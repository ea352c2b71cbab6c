//! The product's own checks, which decide whether an update stays.

use crate::config::Settings;
use crate::error::UpdateError;
use crate::programs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// All of them, in their order; the first that does not pass ends it. What they print goes where ours goes.
pub fn all(settings: &Settings) -> Result<(), UpdateError> {
    settings.checks.iter().try_for_each(|words| one(words, Duration::from_secs(settings.timeout.into())))
}

fn one(words: &[String], timeout: Duration) -> Result<(), UpdateError> {
    let failed = |how: String| UpdateError::CheckFailed { check: words.join(" "), how };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("names no program".into()))?;
    let mut command = Command::new(program);
    // Our stdout may be JSON.
    command.args(arguments).stdin(Stdio::null()).stdout(std::io::stderr());
    let child = command.spawn().map_err(|error| failed(format!("does not start: {error}")))?;
    programs::wait(child, timeout).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str], timeout: u32) -> Result<(), String> {
        let checks = vec![words.iter().map(|word| (*word).to_owned()).collect()];
        all(&Settings { checks, timeout, ..Settings::default() }).map_err(|error| error.to_string())
    }

    #[test]
    fn checks_pass_fail_hang_or_are_not_there() {
        assert_eq!(run(&["true"], 10), Ok(()));
        assert_eq!(run(&["false"], 10).unwrap_err(), "the check `false` did not pass: exit status: 1");
        assert_eq!(run(&["sleep", "100"], 0).unwrap_err(), "the check `sleep 100` took more than 0 s");
        let error = run(&["/no/such", "x"], 10).unwrap_err();
        assert!(error.starts_with("the check `/no/such x` does not start: "), "{error}");
        assert_eq!(run(&[], 10).unwrap_err(), "the check `` names no program");
    }
}
