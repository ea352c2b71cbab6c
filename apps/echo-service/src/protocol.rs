//! The messages. All numbers are `u32`, little endian.
//!
//! | request | words | then |
//! |---|---|---|
//! | open | 1, count | |
//! | put | 2, index of the first value | f32 values |
//! | get | 3, index of the first value, count | |
//!
//! Every request is answered by `status, requested, room` (in values), and `get` by the values behind that.

use trusty_ta::MAX_MESSAGE;

/// Bytes in front of the values of a put.
pub const HEADER_SIZE: usize = 8;
/// Bytes in front of the values of a reply.
pub const REPLY_SIZE: usize = 12;
/// Most values of one put or get.
pub const MAX_VALUES: usize = (MAX_MESSAGE - REPLY_SIZE) / 4;

const OPEN: u32 = 1;
const PUT: u32 = 2;
const GET: u32 = 3;

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request<'a> {
    /// Reserve room for so many values.
    Open {
        /// How many.
        count: u32,
    },
    /// Store values.
    Put {
        /// Index of the first.
        index: u32,
        /// Their bytes.
        values: &'a [u8],
    },
    /// Send values back.
    Get {
        /// Index of the first.
        index: u32,
        /// How many.
        count: u32,
    },
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// More values than the TA has room for.
    TooLarge = 1,
    /// The kernel refused the TA's memory when it started: the TA has room for none.
    NoMemory = 2,
    /// Another client holds the room.
    Busy = 3,
    /// Not a request, or one outside what was opened.
    BadRequest = 4,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How it ended.
    pub status: Status,
    /// Values that were asked for.
    pub requested: u32,
    /// Values that the TA has room for; with [`Status::NoMemory`], those that it wanted room for.
    pub room: u32,
}

/// A message that is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolError;

impl core::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        f.write_str("not a message of the echo protocol")
    }
}

impl core::error::Error for ProtocolError {}

impl<'a> Request<'a> {
    /// Reads a request.
    pub fn parse(message: &'a [u8]) -> Result<Self, ProtocolError> {
        let (operation, rest) = word(message).ok_or(ProtocolError)?;
        let (first, rest) = word(rest).ok_or(ProtocolError)?;
        match (operation, word(rest)) {
            (OPEN, None) if rest.is_empty() => Ok(Self::Open { count: first }),
            (PUT, _) if rest.len().is_multiple_of(4) => Ok(Self::Put { index: first, values: rest }),
            (GET, Some((count, []))) => Ok(Self::Get { index: first, count }),
            _ => Err(ProtocolError),
        }
    }

    /// Writes the request and returns its length. `None` if it does not fit.
    pub fn write(&self, message: &mut [u8]) -> Option<usize> {
        match self {
            Self::Open { count } => words(message, &[OPEN, *count]),
            Self::Get { index, count } => words(message, &[GET, *index, *count]),
            Self::Put { index, values } => {
                let head = words(message, &[PUT, *index])?;
                let end = head + values.len();
                message.get_mut(head..end)?.copy_from_slice(values);
                Some(end)
            }
        }
    }
}

impl Reply {
    /// Reads the head of an answer and what follows it.
    pub fn parse(message: &[u8]) -> Result<(Self, &[u8]), ProtocolError> {
        let (status, rest) = word(message).ok_or(ProtocolError)?;
        let (requested, rest) = word(rest).ok_or(ProtocolError)?;
        let (room, rest) = word(rest).ok_or(ProtocolError)?;
        let all = [Status::Ok, Status::TooLarge, Status::NoMemory, Status::Busy, Status::BadRequest];
        let status = all.into_iter().find(|s| *s as u32 == status).ok_or(ProtocolError)?;
        Ok((Self { status, requested, room }, rest))
    }

    /// Writes the head and returns its length. `None` if it does not fit.
    pub fn write(&self, message: &mut [u8]) -> Option<usize> {
        words(message, &[self.status as u32, self.requested, self.room])
    }
}

/// The values in the bytes of a message.
pub fn values(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).filter_map(|b| Some(f32::from_le_bytes(b.try_into().ok()?)))
}

/// Writes values as bytes of a message and returns their length; those that do not fit are left out.
pub fn write_values(values: &[f32], bytes: &mut [u8]) -> usize {
    for (to, from) in bytes.chunks_exact_mut(4).zip(values) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    (values.len() * 4).min(bytes.len() / 4 * 4)
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

fn words(message: &mut [u8], words: &[u32]) -> Option<usize> {
    let length = words.len() * 4;
    for (to, word) in message.get_mut(..length)?.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    Some(length)
}
