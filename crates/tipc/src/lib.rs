//! Client side of Trusty's IPC on Linux: connect to a trusted app's port, exchange messages, transfer any amount.
//!
//! The kernel's driver offers `/dev/trusty-ipc-dev0`. A message has at most [`MAX_MESSAGE`] bytes: its 4096-byte buffer
//! carries a 16-byte header too. [`Bulk`] carries up to 4 GiB - 1 each way in one call. On a desk the same program talks
//! to carveout's emulator: [`device`] is then the emulator's socket.
//!
//! ```no_run
//! use tipc::{Bulk, Channel};
//!
//! let channel = Channel::connect(&tipc::device(), "com.carveout.srv.echo-srv")?;
//! let five_mebibytes = vec![7; 5 << 20];
//! let answer = Bulk::new(channel).call(2, &five_mebibytes, u32::MAX)?;
//! assert_eq!(answer, five_mebibytes);
//! # Ok::<(), tipc::BulkError>(())
//! ```

mod bulk;
mod channel;
mod error;
pub mod ioctl;
mod limits;
#[cfg(feature = "server")]
pub mod server;
pub mod socket;
#[cfg(test)]
mod tests;

pub use bulk::{Bulk, BulkError, Exchanged};
pub use channel::{Channel, Transport};
pub use error::Error;
pub use limits::MAX_PORT;
pub use tipc_bulk::{Failure, MAX_MESSAGE, Reason};

use std::io;
use std::path::PathBuf;

/// The driver's device.
pub const DEVICE: &str = "/dev/trusty-ipc-dev0";
/// Environment variable that names another device, or the emulator's socket.
pub const DEVICE_VARIABLE: &str = "TIPC_DEVICE";
/// Bytes of [`entropy`].
pub const ENTROPY: usize = 32;

/// Random bytes of the system, for a trusted app's `rng::seed`: send them when the client app starts. Waits until the system has gathered
/// enough, as it may not have right behind its start.
pub fn entropy() -> io::Result<[u8; ENTROPY]> {
    let mut bytes = [0; ENTROPY];
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        let length = rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty())?;
        rest = rest.get_mut(length..).unwrap_or_default();
    }
    Ok(bytes)
}

/// The device to use: what [`DEVICE_VARIABLE`] says, or [`DEVICE`].
pub fn device() -> PathBuf {
    std::env::var_os(DEVICE_VARIABLE).map_or_else(|| DEVICE.into(), PathBuf::from)
}
