//! One message of a transfer.

use crate::failure::{Failure, Reason};
use crate::version::VERSION;

/// Most bytes of a message between Linux and a TA.
pub const MAX_MESSAGE: usize = trusty_abi::limit::NS_MESSAGE;
/// Bytes in front of the data: version, kind, two zeros, transfer, number.
pub const HEADER: usize = 12;
/// Most bytes of data in a message: 99.7 % of it.
pub const MAX_DATA: usize = MAX_MESSAGE - HEADER;

const OPEN: u8 = 1;
const ACCEPT: u8 = 2;
const DATA: u8 = 3;
const CREDIT: u8 = 4;
const END: u8 = 5;
const DONE: u8 = 6;
const ABORT: u8 = 7;
const CANCEL: u8 = 8;

/// One message. All numbers are little endian on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The sender announces a transfer.
    Open {
        /// Its number: larger than that of the sender's last.
        transfer: u32,
        /// Its bytes.
        total: u32,
        /// What it is for: the application's to define.
        tag: u32,
    },
    /// The receiver lets data messages below this number come.
    Accept {
        /// The transfer.
        transfer: u32,
        /// Data messages allowed, from the start.
        credit: u32,
    },
    /// Data.
    Data {
        /// The transfer.
        transfer: u32,
        /// Number of this message, from 0.
        sequence: u32,
        /// 1 to [`MAX_DATA`] bytes.
        payload: &'a [u8],
    },
    /// The receiver lets more data messages come.
    Credit {
        /// The transfer.
        transfer: u32,
        /// Data messages allowed, from the start.
        credit: u32,
    },
    /// The sender has sent all.
    End {
        /// The transfer.
        transfer: u32,
        /// CRC-32C of all data.
        checksum: u32,
    },
    /// The receiver has all, and it is what was sent.
    Done {
        /// The transfer.
        transfer: u32,
    },
    /// The receiver refuses the transfer, or ends it before its time.
    Abort {
        /// The transfer.
        transfer: u32,
        /// Why.
        reason: Reason,
        /// Bytes asked for, with [`Reason::NoMemory`].
        asked: u32,
        /// Bytes there are, with [`Reason::NoMemory`].
        available: u32,
    },
    /// The sender ends the transfer before its time.
    Cancel {
        /// The transfer.
        transfer: u32,
        /// Why.
        reason: Reason,
    },
}

impl<'a> Packet<'a> {
    /// Reads a message.
    pub fn parse(message: &'a [u8]) -> Result<Self, Failure> {
        let (header, rest) = message.split_first_chunk().ok_or(Failure::NotAPacket)?;
        Self::parse_parts(header, rest)
    }

    /// Reads a message whose header and rest lie apart: so data can be received where it belongs.
    pub fn parse_parts(header: &[u8; HEADER], rest: &'a [u8]) -> Result<Self, Failure> {
        let [version, kind, 0, 0, numbers @ ..] = header else { return Err(Failure::NotAPacket) };
        if *version != VERSION {
            return Err(Failure::Version(*version));
        }
        let (transfer, number) = word(numbers)?;
        let (number, _) = word(number)?;
        match (*kind, rest) {
            (OPEN, rest) => match word(rest)? {
                (tag, []) => Ok(Self::Open { transfer, total: number, tag }),
                _ => Err(Failure::NotAPacket),
            },
            (ACCEPT, []) => Ok(Self::Accept { transfer, credit: number }),
            (DATA, payload) if (1..=MAX_DATA).contains(&payload.len()) => {
                Ok(Self::Data { transfer, sequence: number, payload })
            }
            (CREDIT, []) => Ok(Self::Credit { transfer, credit: number }),
            (END, []) => Ok(Self::End { transfer, checksum: number }),
            (DONE, []) if number == 0 => Ok(Self::Done { transfer }),
            (ABORT, rest) => {
                let (asked, rest) = word(rest)?;
                match word(rest)? {
                    (available, []) => {
                        Ok(Self::Abort { transfer, reason: Reason::from_code(number), asked, available })
                    }
                    _ => Err(Failure::NotAPacket),
                }
            }
            (CANCEL, []) => Ok(Self::Cancel { transfer, reason: Reason::from_code(number) }),
            _ => Err(Failure::NotAPacket),
        }
    }

    /// Writes the message and returns its length.
    pub fn write(&self, message: &mut [u8]) -> Result<usize, Failure> {
        let (kind, number, more): (u8, u32, &[u32]) = match self {
            Self::Open { total, tag, .. } => (OPEN, *total, &[*tag]),
            Self::Accept { credit, .. } => (ACCEPT, *credit, &[]),
            Self::Data { sequence, .. } => (DATA, *sequence, &[]),
            Self::Credit { credit, .. } => (CREDIT, *credit, &[]),
            Self::End { checksum, .. } => (END, *checksum, &[]),
            Self::Done { .. } => (DONE, 0, &[]),
            Self::Abort { reason, asked, available, .. } => (ABORT, reason.code(), &[*asked, *available]),
            Self::Cancel { reason, .. } => (CANCEL, reason.code(), &[]),
        };
        let head = message.first_chunk_mut::<HEADER>().ok_or(Failure::Buffer)?;
        *head = header(kind, self.transfer(), number);
        let mut length = HEADER;
        for word in more {
            let end = length + 4;
            message.get_mut(length..end).ok_or(Failure::Buffer)?.copy_from_slice(&word.to_le_bytes());
            length = end;
        }
        if let Self::Data { payload, .. } = self {
            let end = length + payload.len();
            message.get_mut(length..end).ok_or(Failure::Buffer)?.copy_from_slice(payload);
            length = end;
        }
        Ok(length)
    }

    /// The transfer that the packet belongs to.
    pub fn transfer(&self) -> u32 {
        match self {
            Self::Open { transfer, .. }
            | Self::Accept { transfer, .. }
            | Self::Data { transfer, .. }
            | Self::Credit { transfer, .. }
            | Self::End { transfer, .. }
            | Self::Done { transfer }
            | Self::Cancel { transfer, .. }
            | Self::Abort { transfer, .. } => *transfer,
        }
    }

    /// The abort packet for a failure.
    pub fn abort(transfer: u32, failure: &Failure) -> Self {
        Self::Abort { transfer, reason: failure.reason(), asked: 0, available: 0 }
    }
}

/// Header of a data message.
pub(crate) fn data_header(transfer: u32, sequence: u32) -> [u8; HEADER] {
    header(DATA, transfer, sequence)
}

fn header(kind: u8, transfer: u32, number: u32) -> [u8; HEADER] {
    let ([a, b, c, d], [e, f, g, h]) = (transfer.to_le_bytes(), number.to_le_bytes());
    [VERSION, kind, 0, 0, a, b, c, d, e, f, g, h]
}

fn word(bytes: &[u8]) -> Result<(u32, &[u8]), Failure> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(Failure::NotAPacket)?;
    Ok((u32::from_le_bytes(*head), rest))
}

/// Whether transfer `a` is later than `b`; numbers may wrap around.
pub(crate) fn later(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).wrapping_sub(1) < u32::MAX / 2
}
