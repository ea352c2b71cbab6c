//! What BitBake complains of: which of its lines tell most, and what mends it.

use crate::errors::BitBakeError;
use carveout_host::error::Cause;
use carveout_host::text::Lines;

/// Lines of the first complaint that an error shows.
const SHOWN: usize = 20;
/// Lines before the first error of a log that it shows.
const BEFORE: usize = 2;

/// A message behind the name of a phase, which BitBake writes without an end of line: `Parsing recipes...ERROR: `.
pub fn behind_progress(line: &str) -> &str {
    let Some((phase, rest)) = line.split_once("...") else { return line };
    let is_phase = phase.chars().all(|c| c.is_ascii_alphabetic() || c == ' ');
    let is_message = ["ERROR: ", "WARNING: ", "NOTE: "].iter().any(|head| rest.starts_with(head));
    if is_phase && is_message { rest } else { line }
}

/// What BitBake writes above the output of a task that has failed.
pub const LOG_DATA: &str = "Log data follows:";

/// The lines of a complaint that tell most: its head, and of a task's output the first error with what is around it.
pub fn excerpt(complaint: &str) -> Vec<String> {
    let lines: Vec<&str> = complaint.lines().collect();
    let data = lines.iter().position(|line| line.contains(LOG_DATA)).map(|index| index + 1);
    let from = data.and_then(|data| {
        let found = lines.iter().skip(data).position(|line| is_error(line))?;
        Some((data + found).saturating_sub(BEFORE).max(data))
    });
    let head = from.map_or(0, |_| 1);
    let from = from.unwrap_or(0);
    let body = lines.iter().skip(from).take(SHOWN);
    lines.iter().take(head).chain(body).map(|line| (*line).to_owned()).collect()
}

/// Whether a line of a compiler, of make or of a shell says that something failed.
fn is_error(line: &str) -> bool {
    let line = line.trim_start_matches(['|', ' ']).to_ascii_lowercase();
    let heads = ["error:", "error[", "fatal:", "fatal error"];
    heads.iter().any(|head| line.starts_with(head))
        || line.contains(": error:")
        || line.contains(": fatal error")
}

/// A line for a terminal: nothing in it commands one.
pub fn plain(line: &str) -> String {
    Lines(line).to_string()
}

/// A failure of this cause.
type Failure = fn(Cause) -> BitBakeError;

/// What BitBake says when the environment lacks something.
const ENVIRONMENT: [(&str, Failure); 9] = [
    ("No space left on device", |source| BitBakeError::DiskFull { source }),
    ("disk space", |source| BitBakeError::DiskFull { source }),
    ("Do not use Bitbake as root", |source| BitBakeError::RunByRoot { source }),
    ("The following required tools", |source| BitBakeError::ToolsMissing { source }),
    ("Checksum mismatch", |source| BitBakeError::ChecksumMismatch { source }),
    // OE-Core's check of the network, among its other checks: no recipe's URL has failed.
    ("CONNECTIVITY_CHECK_URIS", |source| BitBakeError::NoNetwork { source }),
    ("Network access disabled through BB_NO_NETWORK", |source| BitBakeError::OfflineFetch { source }),
    // A file may be put there by hand, whatever is wrong with its URL.
    ("Fetcher failure", |source| BitBakeError::FetchFailed { source }),
    ("Fetcher Error", |source| BitBakeError::FetchFailed { source }),
];
/// What it says when it was asked for what cannot be.
const USAGE: [(&str, Failure); 3] = [
    ("Nothing PROVIDES", |source| BitBakeError::NothingProvides { source }),
    ("CARVEOUT_", |source| BitBakeError::WrongSetting { source }),
    ("is not compatible with the core layer", |source| BitBakeError::IncompatibleLayer { source }),
];

/// The failure that the first complaint and the output of the task tell of.
pub fn meaning(first: &str, output: &str) -> Failure {
    let environment = ENVIRONMENT.iter().find(|(text, _)| first.contains(text) || output.contains(text));
    let known = environment.or_else(|| USAGE.iter().find(|(text, _)| first.contains(text)));
    known.map_or(|source| BitBakeError::Failed { source }, |(_, failure)| *failure)
}
