//! The emulator's Unix socket (SOCK_SEQPACKET), which stands for the driver's device on a desk.
//!
//! A connection is a channel. Each packet is a number, `i32` little endian, and what it is about:
//!
//! | from | number | then |
//! |---|---|---|
//! | client, first | 0 | the port's name |
//! | emulator, first | 0, or Trusty's error code | behind a code, perhaps: why the port is gone, as text |
//! | either | 0 | a message of 0 to 4080 bytes |
//! | emulator, last | -15: the trusted app has closed; -16: Trusty has stopped | |

use crate::{Error, MAX_MESSAGE};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::path::Path;
use trusty_abi::text::Shown;

/// Bytes of the number in front.
pub const HEADER: usize = 4;
/// Bytes of the longest packet.
pub const PACKET: usize = HEADER + MAX_MESSAGE;

/// Connects to the emulator. The port's name is then the first message.
pub(crate) fn connect(path: &Path) -> Result<OwnedFd, Error> {
    let open = |error| Error::Open { path: path.into(), error };
    let address = SocketAddrUnix::new(path).map_err(open)?;
    let kind = SocketType::SEQPACKET;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map_err(open)?;
    rustix::net::connect(&socket, &address).map_err(open)?;
    Ok(socket)
}

/// Takes the answer to the port's name.
pub(crate) fn accepted(socket: &OwnedFd, port: &str) -> Result<(), Error> {
    let mut answer = [0; MAX_MESSAGE];
    match receive(socket, &mut answer)? {
        (0, _) => Ok(()),
        (code, 0) => Err(Error::Refused { port: port.into(), error: trusty_abi::Error::from_code(code) }),
        (_, length) => {
            // It may be shown: nothing in it commands a terminal.
            let text = String::from_utf8_lossy(answer.get(..length).unwrap_or_default());
            Err(Error::Ended { port: port.into(), why: Shown(text).to_string() })
        }
    }
}

/// Sends a message.
pub(crate) fn send(socket: &OwnedFd, message: &[u8]) -> Result<(), Error> {
    let parts = [IoSlice::new(&[0; HEADER]), IoSlice::new(message)];
    match rustix::io::retry_on_intr(|| rustix::io::writev(socket, &parts)) {
        Ok(_) => Ok(()),
        Err(Errno::PIPE | Errno::CONNRESET) => Err(Error::Closed),
        Err(error) => Err(Error::Send(error)),
    }
}

/// Receives a packet: its number and the length of the message.
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut [u8; MAX_MESSAGE]) -> Result<(i32, usize), Error> {
    let mut header = [0; HEADER];
    let mut parts = [IoSliceMut::new(&mut header), IoSliceMut::new(buffer)];
    match rustix::io::retry_on_intr(|| rustix::io::readv(socket, &mut parts)) {
        Ok(0) | Err(Errno::CONNRESET) => Err(Error::Closed),
        Ok(length) if length < HEADER => Err(Error::Receive(Errno::PROTO)),
        Ok(length) => Ok((i32::from_le_bytes(header), length - HEADER)),
        Err(error) => Err(Error::Receive(error)),
    }
}
