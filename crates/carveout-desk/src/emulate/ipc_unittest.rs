//! NVIDIA's own test of the kernel's IPC, which stock images hold: it runs when somebody connects to its port.

use crate::errors::EmulateError;
use crate::results::IpcUnittest;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tipc::{Channel, Transport};

/// Its port.
const PORT: &str = "com.android.ipc-unittest.ctrl";
/// It takes 20 s in QEMU.
const TIMEOUT: Duration = Duration::from_secs(180);

/// What it says: `PASSED` or `FAILED`; of which conditions is on the console of debug builds only.
pub struct Verdict(String);

/// Runs it.
pub fn run(socket: &Path) -> Result<Verdict> {
    let mut channel = Channel::connect_timeout(socket, PORT, Some(TIMEOUT))
        .map_err(|error| EmulateError::IpcUnittestUnreachable { source: error.into() })?;
    let mut buffer = [0; tipc::MAX_MESSAGE];
    let length = channel
        .receive(&mut buffer)
        .map_err(|error| EmulateError::IpcUnittestSilent { source: error.into() })?;
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
    Ok(Verdict(text.trim_end_matches('\0').trim().to_owned()))
}

impl Verdict {
    /// The command's outcome: an error unless nothing has failed.
    pub fn outcome(self, stats: Value) -> Result<Outcome> {
        let json = json!(IpcUnittest { ipc_unittest: self.0.clone(), stats });
        match self.0.as_str() {
            "PASSED" => Ok(Outcome {
                line: Some(format!("ipc-unittest: {}", self.0).into()),
                json,
                ..Outcome::default()
            }),
            _ => Err(EmulateError::IpcUnittestFailed { verdict: self.0 }.into()),
        }
    }
}
