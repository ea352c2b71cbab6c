//! A connection to a port, through the driver or the emulator's socket.

use crate::error::Error;
use crate::ioctl::Connect;
use crate::limits::MAX_PORT;
use crate::socket;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tipc_bulk::MAX_MESSAGE;

/// How long to wait for a message, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

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
    device: PathBuf,
    port: String,
    fd: OwnedFd,
    is_socket: bool,
    timeout: Option<Duration>,
}

impl Channel {
    /// Connects to a port through a device, or through the emulator's socket; waits 30 s at most.
    pub fn connect(device: &Path, port: &str) -> Result<Self, Error> {
        Self::connect_timeout(device, port, Some(TIMEOUT))
    }

    /// Connects to a port, and waits no longer than `timeout` for it and then for each message; `None` waits for ever. The
    /// driver has a limit of its own.
    pub fn connect_timeout(device: &Path, port: &str, timeout: Option<Duration>) -> Result<Self, Error> {
        let bad = || Error::Port(port.into());
        let name = CString::new(port).map_err(|_| bad())?;
        if port.is_empty() || port.len() > MAX_PORT {
            return Err(bad());
        }
        let open = |error| Error::Open { path: device.into(), error };
        let stat = rustix::fs::stat(device).map_err(open)?;
        let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        let fd = if is_socket {
            socket::connect(device)?
        } else {
            let fd = rustix::fs::open(device, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(open)?;
            // SAFETY: the driver reads the name up to its NUL, and the name outlives the call.
            unsafe { rustix::ioctl::ioctl(&fd, Connect(&name)) }.map_err(|error| match error {
                // Nobody is there who could have refused it.
                Errno::IO | Errno::SHUTDOWN => Error::Stopped,
                error => Error::Connect { port: port.into(), error },
            })?;
            fd
        };
        let this = Self { device: device.into(), port: port.into(), fd, is_socket, timeout };
        if !is_socket {
            this.block(false).map_err(open)?;
        } else {
            socket::send(&this.fd, port.as_bytes())?;
            this.wait()?;
            socket::accepted(&this.fd, port)?;
        }
        Ok(this)
    }

    /// Connects anew to the same port: after [`Error::Closed`], or to be rid of what is under way.
    pub fn reconnect(&mut self) -> Result<(), Error> {
        *self = Self::connect_timeout(&self.device, &self.port, self.timeout)?;
        Ok(())
    }

    /// How long [`Transport::receive`] waits: 30 s unless set, `None` for ever.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// The port.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Whether writes wait for a buffer of the driver. Reads never do: [`Self::wait`] does, with a limit.
    fn block(&self, on: bool) -> Result<(), Errno> {
        rustix::fs::fcntl_setfl(&self.fd, if on { OFlags::empty() } else { OFlags::NONBLOCK })
    }

    /// Waits until a message, or the end of the connection, can be read.
    fn wait(&self) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let left = self.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            let left = left.map(|left| Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX).min(i64::from(i32::MAX)),
                tv_nsec: i64::from(left.subsec_nanos()),
            });
            let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
            match rustix::event::poll(&mut fds, left.as_ref()) {
                Ok(0) => return Err(Error::TimedOut(self.timeout.unwrap_or_default())),
                Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(Error::Receive(error)),
            }
        }
    }
}

impl Transport for Channel {
    fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        if message.len() > MAX_MESSAGE {
            return Err(Error::TooLong(message.len()));
        }
        if self.is_socket {
            return socket::send(&self.fd, message);
        }
        let write = || rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, message));
        let mut sent = write();
        // The driver has no buffer now, and its poll does not tell when it has one: its blocking write waits for that.
        if sent == Err(Errno::AGAIN) {
            self.block(true).map_err(Error::Send)?;
            sent = write();
            self.block(false).map_err(Error::Send)?;
        }
        match sent {
            Ok(sent) if sent == message.len() => Ok(()),
            Ok(_) => Err(Error::Send(Errno::MSGSIZE)),
            Err(error) => Err(closed(error).unwrap_or(Error::Send(error))),
        }
    }

    fn receive(&mut self, buffer: &mut [u8; MAX_MESSAGE]) -> Result<usize, Error> {
        if self.is_socket {
            self.wait()?;
            return match socket::receive(&self.fd, buffer)? {
                (0, length) => Ok(length),
                (code, _) if code == trusty_abi::Error::Offline.code() => Err(Error::Stopped),
                _ => Err(Error::Closed),
            };
        }
        // Messages come in groups: most are there already, and need no poll.
        loop {
            match rustix::io::read(&self.fd, &mut buffer[..]) {
                Ok(length) => return Ok(length),
                Err(Errno::AGAIN) => self.wait()?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(closed(error).unwrap_or(Error::Receive(error))),
            }
        }
    }
}

/// What the driver says when the trusted app has closed (`tipc_read_iter`, `tipc_write_iter`), and when Trusty is gone.
fn closed(error: Errno) -> Option<Error> {
    match error {
        Errno::PIPE | Errno::NOTCONN => Some(Error::Closed),
        Errno::SHUTDOWN => Some(Error::Stopped),
        _ => None,
    }
}
