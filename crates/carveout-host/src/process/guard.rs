//! What ends the programs when we are killed, and nothing of ours runs any more.

use crate::interrupt::flag;
use rustix::process::getpid;
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Marks what we have started, and what that has started.
pub const MARK: &str = "CARVEOUT_STARTED_BY";
const GUARD: &str = include_str!("guard.sh");

/// Ends what runs when we are killed: it sees the end of its stdin.
pub struct Guard {
    /// The value of [`MARK`].
    pub mark: String,
    /// None where there is no `sh`; the kernel is left then.
    stdin: Option<Mutex<ChildStdin>>,
}

impl Guard {
    /// The one that there is; it is started when it is asked for first.
    pub fn get() -> &'static Self {
        static GUARD_OF_ALL: OnceLock<Guard> = OnceLock::new();
        GUARD_OF_ALL.get_or_init(|| {
            let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
            let mark = format!("{}-{since}", getpid().as_raw_nonzero());
            let mut command = Command::new("sh");
            // Neither a signal of the terminal nor one to our group reaches it, and it holds nothing of ours open.
            command.args(["-c", GUARD, "carveout-guard", &format!("{MARK}={mark}")]).process_group(0);
            command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).current_dir("/");
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let stdin = command.spawn().ok().and_then(|child| child.stdin);
            Self { mark, stdin: stdin.map(Mutex::new) }
        })
    }

    /// Tells it what runs now.
    pub fn tell(&self, run: &BTreeSet<i32>) {
        let Some(Ok(mut stdin)) = self.stdin.as_ref().map(Mutex::lock) else { return };
        // After a signal it looks for what has left its group even if all groups have ended.
        let signal = flag::is_set().then(|| "interrupted".to_owned());
        let words: Vec<String> = run.iter().map(i32::to_string).chain(signal).collect();
        let _ = stdin.write_all(format!("{}\n", words.join(" ")).as_bytes());
    }
}
