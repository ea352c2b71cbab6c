//! What is asked of the Linux that the desk boots.

use std::path::PathBuf;
use std::time::Duration;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct LinuxRequest {
    /// Keep what the guest changes: a virt device alone.
    pub persist: bool,
    /// Files of the host, and where they go in the guest.
    pub copy_in: Vec<(PathBuf, String)>,
    /// Files of the guest, and where they go on the host.
    pub copy_out: Vec<(String, PathBuf)>,
    /// TCP ports of this host, and those of the guest that they lead to.
    pub forwards: Vec<(u16, u16)>,
    /// A unit that is waited for, or `running`: the whole system.
    pub wait_for: Option<String>,
    /// Start from a snapshot of a running system, which is made where there is none.
    pub snapshot: bool,
    /// A kernel of the user's own instead of Debian's, with all that it needs built in.
    pub kernel: Option<PathBuf>,
    /// Memory of the guest, in MiB.
    pub memory: u64,
    /// CPUs of the guest.
    pub cpus: u32,
    /// How long the command, and what is waited for, may take.
    pub timeout: Option<Duration>,
}

impl Default for LinuxRequest {
    fn default() -> Self {
        Self {
            persist: false,
            copy_in: Vec::new(),
            copy_out: Vec::new(),
            forwards: Vec::new(),
            wait_for: None,
            snapshot: false,
            kernel: None,
            memory: 256,
            cpus: 1,
            timeout: None,
        }
    }
}
