//! The user interface of NVIDIA's Trusty for Tegra194 (L4T R32): what a trusted app (TA) and its kernel say to each other.
//!
//! Constants, read out of `syscall_table.h`, `ipc.h`, `ipc_msg.h`, `tipc_dev.c` and LK's `err.h` of L4T R32.7. The
//! run-time of a TA, the model of the kernel and the emulator all take them from here. Beside them: [`last_words`], [`hwkey`] and [`text`].
#![no_std]

mod error;
pub mod hwkey;
pub mod last_words;
pub mod storage;
pub mod text;

use core::fmt;

pub use error::{Error, Result};

/// System calls: number in r12, `svc #0`, arguments in r0-r3, result in r0.
pub mod nr {
    /// `write(fd, text, size)`
    pub const WRITE: u32 = 0x1;
    /// `brk(end)`
    pub const BRK: u32 = 0x2;
    /// `exit_group()`
    pub const EXIT_GROUP: u32 = 0x3;
    /// `read(fd, buffer, size)`
    pub const READ: u32 = 0x4;
    /// `ioctl(fd, request, buffer)`
    pub const IOCTL: u32 = 0x5;
    /// `nanosleep(clock, flags, u64 time)`: the time in r2 and r3.
    pub const NANOSLEEP: u32 = 0x6;
    /// `gettime(clock, flags, u64 *time)`
    pub const GETTIME: u32 = 0x7;
    /// `mmap(address, size, flags, handle)`
    pub const MMAP: u32 = 0x8;
    /// `munmap(address, size)`
    pub const MUNMAP: u32 = 0x9;
    /// `prepare_dma(address, size, flags, pmem)`
    pub const PREPARE_DMA: u32 = 0xa;
    /// `finish_dma(address, size, flags)`
    pub const FINISH_DMA: u32 = 0xb;
    /// `port_create(path, buffers, buffer size, flags)`
    pub const PORT_CREATE: u32 = 0x10;
    /// `connect(path, flags)`
    pub const CONNECT: u32 = 0x11;
    /// `accept(port, uuid *peer)`
    pub const ACCEPT: u32 = 0x12;
    /// `close(handle)`
    pub const CLOSE: u32 = 0x13;
    /// `set_cookie(handle, cookie)`
    pub const SET_COOKIE: u32 = 0x14;
    /// `wait(handle, uevent *, milliseconds)`
    pub const WAIT: u32 = 0x18;
    /// `wait_any(uevent *, milliseconds)`
    pub const WAIT_ANY: u32 = 0x19;
    /// `get_msg(handle, msg_info *)`
    pub const GET_MSG: u32 = 0x20;
    /// `read_msg(handle, id, offset, msg *)`
    pub const READ_MSG: u32 = 0x21;
    /// `put_msg(handle, id)`
    pub const PUT_MSG: u32 = 0x22;
    /// `send_msg(handle, msg *)`
    pub const SEND_MSG: u32 = 0x23;
}

/// What can happen to a handle; bits.
pub mod event {
    /// A client waits at the port, or the server has accepted.
    pub const READY: u32 = 0x1;
    /// Something is wrong with the handle.
    pub const ERROR: u32 = 0x2;
    /// The peer has closed.
    pub const HUP: u32 = 0x4;
    /// A message waits.
    pub const MSG: u32 = 0x8;
    /// The peer has made room after a send that found none.
    pub const SEND_UNBLOCKED: u32 = 0x10;
}

/// Who may connect to a port; bits.
pub mod port {
    /// Trusted apps.
    pub const ALLOW_TA_CONNECT: u32 = 0x1;
    /// The non-secure side: Linux.
    pub const ALLOW_NS_CONNECT: u32 = 0x2;
}

/// Flags of `connect`.
pub mod connect {
    /// Wait until a port of this name is created.
    pub const WAIT_FOR_PORT: u32 = 0x1;
    /// Return at once; the handle tells when it is connected.
    pub const ASYNC: u32 = 0x2;
}

/// Limits.
pub mod limit {
    /// Handles of one TA (`IPC_MAX_HANDLES`).
    pub const HANDLES: usize = 128;
    /// Receive buffers of one end of a channel (`IPC_CHAN_MAX_BUFS`).
    pub const RECV_BUFS: u32 = 32;
    /// Bytes of a receive buffer, and so of a message between TAs (`IPC_CHAN_MAX_BUF_SIZE`).
    pub const RECV_BUF_SIZE: u32 = 4096;
    /// Bytes of a port's path with its NUL (`IPC_PORT_PATH_MAX`).
    pub const PORT_PATH: usize = 64;
    /// Header that shares the 4096-byte buffer of a message from or to Linux (`struct tipc_hdr`).
    pub const NS_HEADER: usize = 16;
    /// Bytes of a message from or to Linux.
    pub const NS_MESSAGE: usize = RECV_BUF_SIZE as usize - NS_HEADER;
    /// Connections that Linux can have at once (`TIPC_ADDR_MAX_NUM`).
    pub const NS_CHANNELS: usize = 256;
}

/// File descriptor of the console that is never silent: 1 is INFO level, which release kernels drop.
pub const CONSOLE: u32 = 2;
/// A wait without end, in milliseconds.
pub const INFINITE: u32 = u32::MAX;
/// Longest timeout in milliseconds: LK compares times as signed numbers, and a timer beyond this would hold up the others.
pub const MAX_TIMEOUT: u32 = i32::MAX.cast_unsigned();

/// The identity of a TA: `u32`, `u16`, `u16` little endian, `u8[8]`. It is printed as it is written in a Cargo.toml.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C, align(4))]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// What Linux has as a client (`zero_uuid`).
    pub const NON_SECURE: Self = Self([0; 16]);

    /// Of its text, such as `5b1f4c6e-8f0a-4d53-9c7e-2f6a1b3d4e05`; `None` if that is no UUID. In a `const` a wrong text fails the build:
    ///
    /// ```
    /// # use trusty_abi::Uuid;
    /// const PEER: Uuid = Uuid::parse("5b1f4c6e-8f0a-4d53-9c7e-2f6a1b3d4e05").unwrap();
    /// assert_eq!(PEER.to_string(), "5b1f4c6e-8f0a-4d53-9c7e-2f6a1b3d4e05");
    /// ```
    #[must_use]
    pub const fn parse(text: &str) -> Option<Self> {
        /// Where the kernel has the bytes of the text: the first three groups are little-endian numbers.
        const PLACES: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let text = text.as_bytes();
        if text.len() != 36 {
            return None;
        }
        let (mut bytes, mut at, mut byte) = ([0; 16], 0, 0);
        while at < text.len() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if text[at] != b'-' {
                    return None;
                }
                at += 1;
                continue;
            }
            let (Some(high), Some(low)) = (digit(text[at]), digit(text[at + 1])) else { return None };
            bytes[PLACES[byte]] = high << 4 | low;
            (at, byte) = (at + 2, byte + 1);
        }
        Some(Self(bytes))
    }
}

/// The value of a hexadecimal digit.
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        write!(f, "{d:02x}{c:02x}{b:02x}{a:02x}-{g:02x}{e:02x}-{i:02x}{h:02x}-")?;
        for (index, byte) in rest.iter().enumerate() {
            let hyphen = if index == 2 { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What `wait` and `wait_any` report (`struct uevent`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// Whose event it is.
    pub handle: u32,
    /// Which events: bits of [`event`].
    pub event: u32,
    /// What `set_cookie` has set, or 0.
    pub cookie: u32,
}

/// What `get_msg` reports (`struct ipc_msg_info`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MessageInfo {
    /// Bytes of the message.
    pub length: u32,
    /// Its number, for `read_msg` and `put_msg`.
    pub id: u32,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Uuid;
    use std::format;
    use std::string::ToString;

    #[test]
    fn a_uuid_is_read_as_it_is_printed() {
        let text = "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001";
        assert_eq!(Uuid::parse(text).unwrap().to_string(), text);
        assert_eq!(Uuid::parse(&text.to_uppercase()), Uuid::parse(text));
        for wrong in [
            "",
            "c5a1a9e2",
            &text[1..],
            &text.replace('-', "0"),
            &text.replace("0f", "0g"),
            &text.replace("5d5f-", "5d5-f"),
        ] {
            assert_eq!(Uuid::parse(wrong), None, "{wrong}");
        }
    }

    /// c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001 as it lies in a TA's manifest.
    #[test]
    fn a_uuid_is_printed_as_it_is_written() {
        let uuid = Uuid([
            0xe2, 0xa9, 0xa1, 0xc5, 0x5f, 0x5d, 0x0e, 0x4f, 0x9a, 0x52, 0x0f, 0x1e, 0xc4, 0xe0, 0xc0, 0x01,
        ]);
        assert_eq!(
            format!("{uuid} {uuid:?}"),
            "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001 c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001"
        );
    }
}
