//! QEMU's control connection (QMP): commands with their answers, and why the machine has ended.

use crate::errors::LinuxError;
use carveout_host::error::Result;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// QEMU answers within this time, or never.
const ANSWER: Duration = Duration::from_secs(60);

/// The connection.
pub struct Qmp {
    stream: UnixStream,
    answers: Receiver<Value>,
    shutdown: Arc<Mutex<Option<String>>>,
}

impl Qmp {
    /// Begins to speak.
    pub fn new(stream: UnixStream) -> Result<Self> {
        let failed = |source| LinuxError::AgentLost { source };
        let lines = BufReader::new(stream.try_clone().map_err(failed)?).lines();
        let (sender, answers) = mpsc::channel();
        let shutdown = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&shutdown);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                if value.get("event").is_some_and(|event| event == "SHUTDOWN") {
                    let reason = value.pointer("/data/reason").and_then(Value::as_str).map(str::to_owned);
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = reason;
                } else if value.get("return").is_some() || value.get("error").is_some() {
                    // Whoever asked may have gone.
                    let _ = sender.send(value);
                }
            }
        });
        let this = Self { stream, answers, shutdown };
        this.run("qmp_capabilities", &json!({}))?;
        Ok(this)
    }

    /// Runs a command.
    pub fn run(&self, command: &str, arguments: &Value) -> Result<Value> {
        let failed = |said: String| LinuxError::Qmp { command: command.into(), said };
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        (&self.stream).write_all(line.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let answer =
            self.answers.recv_timeout(ANSWER).map_err(|error| failed(format!("no answer: {error}")))?;
        match answer.get("return") {
            Some(value) => Ok(value.clone()),
            None => {
                let said = answer.pointer("/error/desc").and_then(Value::as_str).unwrap_or("no reason");
                Err(failed(said.to_owned()).into())
            }
        }
    }

    /// Why the machine has ended, in QEMU's words, such as `guest-reset`. All that QEMU has said is read first: it may have gone before
    /// anybody looked.
    pub fn last_words(&self, most: Duration) -> Option<String> {
        let until = Instant::now() + most;
        while !matches!(
            self.answers.recv_timeout(until.saturating_duration_since(Instant::now())),
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout)
        ) {}
        self.shutdown()
    }

    fn shutdown(&self) -> Option<String> {
        self.shutdown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::error::Error;

    /// A QEMU that answers each command with the next of these lines.
    fn qemu(answers: &'static [&'static str]) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        thread::spawn(move || {
            let mut out = theirs.try_clone().unwrap();
            out.write_all(b"{\"QMP\": {\"version\": {}}}\nno JSON\n").unwrap();
            for (line, answer) in BufReader::new(theirs).lines().zip(answers) {
                assert!(line.unwrap().contains("\"execute\":"));
                out.write_all(answer.as_bytes()).unwrap();
            }
        });
        ours
    }

    #[test]
    fn answers_and_the_reason_of_the_end_are_told_apart() {
        let qmp = Qmp::new(qemu(&[
            "{\"return\": {}}\n",
            "{\"event\": \"STOP\"}\n{\"return\": {\"status\": \"completed\"}}\n",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\n",
            "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\n{\"return\": {}}\n",
        ]))
        .unwrap();
        assert_eq!(qmp.run("query-migrate", &json!({})).unwrap()["status"], "completed");
        let error: Error = qmp.run("nothing", &json!({})).unwrap_err();
        assert_eq!(error.message, "QEMU refuses nothing: no such thing");
        assert_eq!(qmp.shutdown(), None);
        qmp.run("cont", &json!({})).unwrap();
        assert_eq!(qmp.shutdown().as_deref(), Some("guest-reset"));
        // It has gone.
        assert!(qmp.run("cont", &json!({})).is_err());
    }

    #[test]
    fn what_is_said_last_is_heard_however_late_it_comes() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        thread::spawn(move || {
            let mut out = theirs.try_clone().unwrap();
            let mut lines = BufReader::new(theirs).lines();
            out.write_all(b"{\"QMP\": {}}\n").unwrap();
            lines.next();
            out.write_all(b"{\"return\": {}}\n").unwrap();
            thread::sleep(Duration::from_millis(100));
            out.write_all(b"{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-shutdown\"}}\n")
                .unwrap();
        });
        let qmp = Qmp::new(ours).unwrap();
        assert_eq!(qmp.shutdown(), None);
        assert_eq!(qmp.last_words(Duration::from_secs(20)).as_deref(), Some("guest-shutdown"));
    }
}
