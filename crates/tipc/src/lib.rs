//! Client side of Trusty's IPC on Linux: connect to a trusted app's port, send and receive messages.
//!
//! The kernel's driver offers `/dev/trusty-ipc-dev0`: open it, connect to a port by an ioctl, then one write or read
//! is one message. A message has at most [`MAX_MESSAGE`] bytes: its 4096-byte buffer carries a 16-byte header too.
//!
//! ```no_run
//! use tipc::Transport;
//!
//! let mut channel = tipc::Channel::connect(tipc::DEVICE.as_ref(), "com.carveout.srv.echo-srv")?;
//! channel.send(b"hello")?;
//! let mut answer = [0; tipc::MAX_MESSAGE];
//! let length = channel.receive(&mut answer)?;
//! # Ok::<(), tipc::Error>(())
//! ```

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CString, c_char, c_void};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
pub use tipc_bulk::MAX_MESSAGE;

/// The driver's device.
pub const DEVICE: &str = "/dev/trusty-ipc-dev0";
/// Longest port name.
pub const MAX_PORT: usize = 63;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no port has.
    #[error("`{0}` is no port: 1 to {MAX_PORT} characters without NUL are allowed")]
    Port(String),
    /// The device cannot be opened.
    #[error("{path}: {error}; is this a Jetson with Trusty, and may this user open the device?")]
    Open {
        /// The device.
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
    /// A message that is too long.
    #[error("a message of {0} bytes does not fit: at most {MAX_MESSAGE} bytes go in one")]
    TooLong(usize),
    /// Sending failed.
    #[error("cannot send: {0}; the trusted app may have stopped")]
    Send(Errno),
    /// Receiving failed.
    #[error("cannot receive: {0}; the trusted app may have stopped")]
    Receive(Errno),
    /// The trusted app closed the connection.
    #[error("the trusted app closed the connection")]
    Closed,
}

/// Carries messages to a trusted app and back.
pub trait Transport {
    /// Sends one message of at most [`MAX_MESSAGE`] bytes.
    fn send(&mut self, message: &[u8]) -> Result<(), Error>;

    /// Waits for one message and returns its length.
    fn receive(&mut self, buffer: &mut [u8; MAX_MESSAGE]) -> Result<usize, Error>;
}

/// A connection to a port.
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
}

impl Channel {
    /// Connects to a port through a device.
    pub fn connect(device: &Path, port: &str) -> Result<Self, Error> {
        let bad = || Error::Port(port.into());
        let name = CString::new(port).map_err(|_| bad())?;
        if port.is_empty() || port.len() > MAX_PORT {
            return Err(bad());
        }
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let fd = rustix::fs::open(device, flags, Mode::empty())
            .map_err(|error| Error::Open { path: device.into(), error })?;
        // SAFETY: the driver reads the name up to its NUL, and the name outlives the call.
        unsafe { rustix::ioctl::ioctl(&fd, Connect(&name)) }
            .map_err(|error| Error::Connect { port: port.into(), error })?;
        Ok(Self { fd })
    }
}

impl Transport for Channel {
    fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        if message.len() > MAX_MESSAGE {
            return Err(Error::TooLong(message.len()));
        }
        let sent = rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, message)).map_err(Error::Send)?;
        if sent == message.len() { Ok(()) } else { Err(Error::Send(Errno::MSGSIZE)) }
    }

    fn receive(&mut self, buffer: &mut [u8; MAX_MESSAGE]) -> Result<usize, Error> {
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.fd, &mut buffer[..])) {
            Ok(0) | Err(Errno::PIPE) => Err(Error::Closed),
            Ok(length) => Ok(length),
            Err(error) => Err(Error::Receive(error)),
        }
    }
}

/// `TIPC_IOC_CONNECT`, `_IOW('r', 0x80, char *)`; its argument is the name itself.
struct Connect<'a>(&'a CString);

// SAFETY: the opcode is the driver's (drivers/trusty/trusty-ipc.c), which only reads the name.
unsafe impl rustix::ioctl::Ioctl for Connect<'_> {
    type Output = ();
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> rustix::ioctl::Opcode {
        rustix::ioctl::opcode::write::<*const c_char>(b'r', 0x80)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.0.as_ptr().cast_mut().cast()
    }

    unsafe fn output_from_ptr(_: rustix::ioctl::IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::ioctl::Ioctl;

    #[test]
    fn the_ioctl_is_the_drivers() {
        let name = CString::new("p").unwrap();
        // _IOW('r', 0x80, char *) of a 64-bit kernel: write, 8 bytes.
        assert_eq!(Connect(&name).opcode(), 0x4008_7280);
    }

    #[test]
    fn errors_say_what_to_do() {
        let connect =
            |device: &str, port: &str| Channel::connect(device.as_ref(), port).unwrap_err().to_string();
        assert!(connect("/nonexistent", "p").starts_with("/nonexistent: No such file or directory"));
        assert!(connect("/dev/null", "com.x").starts_with("cannot connect to com.x: "));
        assert!(connect("/dev/null", &"p".repeat(64)).contains("1 to 63 characters"));
        assert!(connect("/dev/null", "a\0b").contains("without NUL"));
    }

    #[test]
    fn messages_have_a_limit() {
        let fd = OwnedFd::from(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap());
        let mut channel = Channel { fd };
        assert!(channel.send(&[0; MAX_MESSAGE]).is_ok());
        assert!(matches!(channel.send(&[0; MAX_MESSAGE + 1]), Err(Error::TooLong(4081))));
        assert!(matches!(channel.receive(&mut [0; MAX_MESSAGE]), Err(Error::Closed)));
    }
}
