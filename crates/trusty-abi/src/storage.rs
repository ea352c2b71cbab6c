//! What a trusted app and the daemon that keeps its files say to each other: AOSP's storage proxy (`interface/storage/storage.h`), as much of
//! it as is used here.
//!
//! The daemon connects; then the trusted app asks and the daemon answers. Each message begins with a head of six numbers, and an answer has the
//! command of its request with [`RESPONSE`]. All numbers are little endian.

/// Begin of the names of ports at which trusted apps wait for the daemon.
pub const PORT_PREFIX: &str = "com.carveout.storage.";
/// Bytes of a message's head: command, number of the request, flags, bytes of the whole message, result, zero.
pub const HEAD: usize = 24;
/// Bit of the command of an answer.
pub const RESPONSE: u32 = 1;
/// Deletes a file: flags 0, name.
pub const FILE_DELETE: u32 = 1 << 1;
/// Opens a file: flags, name. The answer is a handle.
pub const FILE_OPEN: u32 = 2 << 1;
/// Closes a handle.
pub const FILE_CLOSE: u32 = 3 << 1;
/// Reads: handle, bytes, u64 offset. The answer is as much as there is.
pub const FILE_READ: u32 = 4 << 1;
/// Writes: u64 offset, handle, zero, bytes.
pub const FILE_WRITE: u32 = 5 << 1;
/// Asks for a file's size: handle. The answer is a u64.
pub const FILE_GET_SIZE: u32 = 6 << 1;
/// [`FILE_OPEN`]: make the file if it is not there.
pub const OPEN_CREATE: u32 = 1;
/// [`FILE_OPEN`]: forget what is in it.
pub const OPEN_TRUNCATE: u32 = 4;
/// Flag of a message: what was written before must be on the disk first.
pub const PRE_COMMIT: u32 = 2;
/// Flag of a message: what was written, by this message too, must be on the disk when it is answered.
pub const POST_COMMIT: u32 = 4;
/// Most bytes that are read or written at once: with both heads they fit into a message of Linux.
pub const CHUNK: usize = 4032;
/// Bytes of a file's name.
pub const NAME: usize = 64;

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Outcome {
    /// As asked.
    Done = 0,
    /// It failed; a full disk, too.
    Generic = 1,
    /// The request is malformed.
    NotValid = 2,
    /// The daemon does not know this command.
    Unimplemented = 3,
    /// The system does not let the daemon.
    Access = 4,
    /// No such file.
    NotFound = 5,
    /// It is there already.
    Exists = 6,
    /// Of a transaction.
    Transact = 7,
    /// It could not be brought to the disk.
    SyncFailure = 8,
}

impl Outcome {
    /// What a result stands for. None for a number of which nothing is known.
    pub fn of(result: i32) -> Option<Self> {
        use Outcome::{
            Access, Done, Exists, Generic, NotFound, NotValid, SyncFailure, Transact, Unimplemented,
        };
        let all = [Done, Generic, NotValid, Unimplemented, Access, NotFound, Exists, Transact, SyncFailure];
        all.into_iter().find(|outcome| *outcome as i32 == result)
    }
}

/// A message's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What is asked for, or answered.
    pub command: u32,
    /// Number of the request.
    pub op: u32,
    /// [`PRE_COMMIT`] and [`POST_COMMIT`].
    pub flags: u32,
    /// Bytes of the whole message.
    pub size: u32,
    /// [`Outcome`]; 0 in a request.
    pub result: i32,
}

impl Head {
    /// The head of a message, and what is behind it. None if it is too short, or of another length than it says.
    pub fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let (head, body) = message.split_first_chunk::<HEAD>()?;
        let [command, op, flags, size, result, _] = numbers(head);
        let this = Self { command, op, flags, size, result: result.cast_signed() };
        (usize::try_from(size).ok()? == message.len()).then_some((this, body))
    }

    /// Its bytes.
    pub fn bytes(&self) -> [u8; HEAD] {
        let Self { command, op, flags, size, result } = *self;
        let mut bytes = [0; HEAD];
        let all = [command, op, flags, size, result.cast_unsigned(), 0];
        for (to, number) in bytes.as_chunks_mut().0.iter_mut().zip(all) {
            *to = number.to_le_bytes();
        }
        bytes
    }
}

fn numbers(head: &[u8; HEAD]) -> [u32; 6] {
    let mut numbers = [0; 6];
    for (number, bytes) in numbers.iter_mut().zip(head.as_chunks().0) {
        *number = u32::from_le_bytes(*bytes);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head { command: FILE_OPEN | RESPONSE, op: 7, flags: POST_COMMIT, size: 26, result: -1 };
        let message = [&head.bytes()[..], b"ab"].concat();
        assert_eq!(Head::split(&message), Some((head, &b"ab"[..])));
        assert_eq!(Head::split(&message[..25]), None, "shorter than it says");
        assert_eq!(Head::split(&message[..HEAD - 1]), None);
        assert_eq!((Outcome::of(5), Outcome::of(9), Outcome::of(-1)), (Some(Outcome::NotFound), None, None));
    }
}
