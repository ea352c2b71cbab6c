//! Error codes of LK (`include/err.h`).

use core::fmt;

/// What a system call refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// Refused, and Trusty does not say why.
    Generic,
    /// No port of that name, no such handle, or no handle to wait for.
    NotFound,
    /// The channel is not connected yet.
    NotReady,
    /// No message waits.
    NoMessage,
    /// No memory, here or in the kernel.
    NoMemory,
    /// An argument that must not be.
    InvalidArguments,
    /// All receive buffers of the peer are full.
    NotEnoughBuffer,
    /// Time is up.
    TimedOut,
    /// A port of that name exists.
    AlreadyExists,
    /// The peer has closed the channel.
    ChannelClosed,
    /// Trusty has stopped.
    Offline,
    /// The kernel does not do this.
    NotSupported,
    /// Longer than is allowed.
    TooBig,
    /// The device is busy.
    Busy,
    /// An address that is not the TA's.
    Fault,
    /// The TA has no free handle, or Linux no free connection.
    NoResources,
    /// No such handle.
    BadHandle,
    /// The port does not let this client connect.
    AccessDenied,
    /// Another code.
    Other(i32),
}

/// A result with the kernel's error.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    const KNOWN: [Self; 18] = [
        Self::Generic,
        Self::NotFound,
        Self::NotReady,
        Self::NoMessage,
        Self::NoMemory,
        Self::InvalidArguments,
        Self::NotEnoughBuffer,
        Self::TimedOut,
        Self::AlreadyExists,
        Self::ChannelClosed,
        Self::Offline,
        Self::NotSupported,
        Self::TooBig,
        Self::Busy,
        Self::Fault,
        Self::NoResources,
        Self::BadHandle,
        Self::AccessDenied,
    ];

    /// The code, negative.
    pub const fn code(self) -> i32 {
        match self {
            Self::Generic => -1,
            Self::NotFound => -2,
            Self::NotReady => -3,
            Self::NoMessage => -4,
            Self::NoMemory => -5,
            Self::InvalidArguments => -8,
            Self::NotEnoughBuffer => -9,
            Self::TimedOut => -13,
            Self::AlreadyExists => -14,
            Self::ChannelClosed => -15,
            Self::Offline => -16,
            Self::NotSupported => -24,
            Self::TooBig => -25,
            Self::Busy => -33,
            Self::Fault => -40,
            Self::NoResources => -41,
            Self::BadHandle => -42,
            Self::AccessDenied => -43,
            Self::Other(code) => code,
        }
    }

    /// The error of a code.
    pub fn from_code(code: i32) -> Self {
        Self::KNOWN.into_iter().find(|error| error.code() == code).unwrap_or(Self::Other(code))
    }

    /// The result of a system call: its value, or its error.
    pub fn check(result: i32) -> Result<u32> {
        u32::try_from(result).map_err(|_| Self::from_code(result))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let text = match self {
            Self::Generic => "refused, and Trusty does not say why",
            Self::NotFound => "not found",
            Self::NotReady => "not connected yet",
            Self::NoMessage => "no message waits",
            Self::NoMemory => "no memory",
            Self::InvalidArguments => "invalid arguments",
            Self::NotEnoughBuffer => "the peer's receive buffers are full",
            Self::TimedOut => "timed out",
            Self::AlreadyExists => "exists already",
            Self::ChannelClosed => "the peer has closed the channel",
            Self::Offline => "Trusty has stopped",
            Self::NotSupported => "not supported",
            Self::TooBig => "too long",
            Self::Busy => "busy",
            Self::Fault => "bad address",
            Self::NoResources => "no free handle",
            Self::BadHandle => "bad handle",
            Self::AccessDenied => "access denied",
            Self::Other(_) => "error",
        };
        write!(f, "{text} ({})", self.code())
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn codes_go_both_ways() {
        for error in Error::KNOWN {
            assert!(error.code() < 0);
            assert_eq!(Error::from_code(error.code()), error);
            assert_eq!(Error::check(error.code()), Err(error));
        }
        assert_eq!(Error::from_code(-99), Error::Other(-99));
        assert_eq!(Error::check(7), Ok(7));
    }
}
