//! What can go wrong between a client and a trusted app.

use crate::limits::MAX_PORT;
use rustix::io::Errno;
use std::path::PathBuf;
use std::time::Duration;
use tipc_bulk::MAX_MESSAGE;

/// Why a connection or a message failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no port has.
    #[error("`{0}` is no port: 1 to {MAX_PORT} characters without NUL are allowed")]
    Port(String),
    /// The device cannot be opened.
    #[error(
        "{path}: {error}; is this a Jetson with Trusty, or is the emulator running, and may this user open it?"
    )]
    Open {
        /// The device, or the emulator's socket.
        path: PathBuf,
        /// The system's word.
        error: Errno,
    },
    /// No trusted app offers the port to Linux, or it refused.
    #[error("cannot connect to {port}: {error}; does the secure-os image hold a trusted app with this port?")]
    Connect {
        /// The port.
        port: String,
        /// The system's word.
        error: Errno,
    },
    /// Trusty refused the connection, and said why.
    #[error("cannot connect to {port}: {error}; does the secure-os image hold a trusted app with this port?")]
    Refused {
        /// The port.
        port: String,
        /// Trusty's word.
        error: trusty_abi::Error,
    },
    /// The trusted app with this port has ended, and the emulator knows why. A board's console tells it, and Linux does not know.
    #[error("cannot connect to {port}: {why}")]
    Ended {
        /// The port.
        port: String,
        /// The emulator's words: which trusted app, and why it has ended.
        why: String,
    },
    /// A message that is too long for one.
    #[error(
        "a message of {0} bytes does not fit: at most {MAX_MESSAGE} bytes go in one; tipc::Bulk carries up to 4 GiB - 1"
    )]
    TooLong(usize),
    /// Sending failed.
    #[error("cannot send: {0}; the trusted app may have stopped")]
    Send(Errno),
    /// Receiving failed.
    #[error("cannot receive: {0}; the trusted app may have stopped")]
    Receive(Errno),
    /// Nothing came in time.
    #[error("the trusted app sent nothing for {0:?}")]
    TimedOut(Duration),
    /// The trusted app closed the connection, or has stopped. Connect again.
    #[error("the trusted app closed the connection")]
    Closed,
    /// Trusty itself has stopped: a fault of any trusted app stops all.
    #[error("Trusty has stopped: a fault of any trusted app stops all of them")]
    Stopped,
}
