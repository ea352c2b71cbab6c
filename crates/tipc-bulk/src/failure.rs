//! How a transfer can end before its time.

use crate::version::VERSION;
use core::fmt;

/// Why a side ends a transfer. On the wire as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The receiver has no room: `asked` bytes were announced, `available` there are.
    NoMemory,
    /// The receiver serves another transfer.
    Busy,
    /// The receiver does not do what the tag asks for.
    Unsupported,
    /// A packet came that must not come now.
    Protocol,
    /// The bytes are not those that were sent.
    Checksum,
    /// The sender's or receiver's own source or sink failed.
    Application,
    /// A reason of a later version.
    Unknown(u32),
}

impl Reason {
    /// The number on the wire.
    pub fn code(self) -> u32 {
        match self {
            Self::NoMemory => 1,
            Self::Busy => 2,
            Self::Unsupported => 3,
            Self::Protocol => 4,
            Self::Checksum => 5,
            Self::Application => 6,
            Self::Unknown(code) => code,
        }
    }

    /// The reason of a number.
    pub fn from_code(code: u32) -> Self {
        let known = [
            Self::NoMemory,
            Self::Busy,
            Self::Unsupported,
            Self::Protocol,
            Self::Checksum,
            Self::Application,
        ];
        known.into_iter().find(|reason| reason.code() == code).unwrap_or(Self::Unknown(code))
    }
}

/// What ended a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// A message that is no packet of this format.
    NotAPacket,
    /// A packet of another version.
    Version(u8),
    /// A packet that must not come now.
    Unexpected(&'static str),
    /// Data out of order: a message was lost, doubled or reordered.
    Sequence {
        /// The number that should have come.
        expected: u32,
        /// The number that came.
        found: u32,
    },
    /// More or fewer bytes than announced.
    Length {
        /// Bytes announced.
        expected: u32,
        /// Bytes that came, at least.
        found: u32,
    },
    /// The bytes are not those that were sent.
    Checksum {
        /// CRC-32C of what was sent.
        expected: u32,
        /// CRC-32C of what came.
        found: u32,
    },
    /// More messages in flight than were allowed.
    Window,
    /// The other side has ended the transfer.
    Aborted {
        /// Why.
        reason: Reason,
        /// Bytes asked for, with [`Reason::NoMemory`].
        asked: u32,
        /// Bytes there are, with [`Reason::NoMemory`].
        available: u32,
    },
    /// The message buffer is smaller than a packet needs.
    Buffer,
}

impl Failure {
    /// The reason to tell the other side.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Checksum { .. } => Reason::Checksum,
            Self::Buffer => Reason::Application,
            _ => Reason::Protocol,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotAPacket => f.write_str("a message that is no packet of a bulk transfer"),
            Self::Version(version) => {
                write!(f, "a packet of version {version}; this side speaks {}", VERSION)
            }
            Self::Unexpected(what) => write!(f, "{what} came when it must not"),
            Self::Sequence { expected, found } => {
                write!(f, "message {found} came in place of {expected}: one was lost, doubled or reordered")
            }
            Self::Length { expected, found } => write!(f, "{expected} bytes were announced, {found} came"),
            Self::Checksum { expected, found } => {
                write!(
                    f,
                    "the bytes were changed on the way: CRC-32C 0x{found:08x}, sent was 0x{expected:08x}"
                )
            }
            Self::Window => f.write_str("more messages came than were allowed"),
            Self::Aborted { reason: Reason::NoMemory, asked, available } => {
                write!(f, "the other side has no room: {asked} bytes were asked for, {available} there are")
            }
            Self::Aborted { reason, .. } => write!(f, "the other side ended the transfer: {reason:?}"),
            Self::Buffer => write!(f, "the message buffer is smaller than a packet needs"),
        }
    }
}

impl core::error::Error for Failure {}
