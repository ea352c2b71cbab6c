//! Frames between the host and the agent, over a virtio console: a byte stream each way.
//!
//! A frame is a header of [`HEADER`] bytes, little endian: u16 kind, u16 connection, u32 length of the payload. Connections
//! are numbered by the host, from 1. The agent fetches a message of Trusty only when the host has granted room for it
//! ([`CREDIT`]), so that a client that does not read fills the port's own queue, as it would on a board.
//!
//! QEMU throws away what it cannot write to the host at once. So no more than [`WINDOW`] frames to the host may be under way:
//! the host grants more, as [`CREDIT`] of connection 0, when it has read some. A frame of the host never makes the agent send
//! one at once, so that grants are always reached.

/// Bytes of a header.
pub const HEADER: usize = 8;
/// Most bytes of a payload: a message between trusted apps; one of a client has 4080.
pub const PAYLOAD: usize = 4096;

/// Frames to the host that may be under way: with what the host's kernel adds to each, well below a socket's buffer.
pub const WINDOW: u32 = 16;

/// Frames that the agent takes before it tells the host so.
pub const REPORT: u32 = 16;

/// To the agent: connect; payload: the port's name, without NUL.
pub const CONNECT: u16 = 1;
/// To the agent, and to the host: a message.
pub const MESSAGE: u16 = 2;
/// To the agent: close the connection. To the host: it is closed, or was refused; payload: i32, an error code of Trusty.
pub const CLOSE: u16 = 3;
/// To the agent: room for more messages of a connection, or for more frames if it is 0; payload: u32, how many.
pub const CREDIT: u16 = 4;
/// To the host: Trusty is up and its trusted apps have nothing left to do. No payload.
pub const READY: u16 = 5;
/// To the host: the port has accepted. No payload.
pub const ACCEPTED: u16 = 6;
/// To the host: messages did not arrive whole; payload: u32 how many, then of the last one u32 its length and i32 how much
/// did, or an error code.
pub const LOST: u16 = 7;
/// To the host: so many more of its frames have been taken; payload: u32. The host has few under way, or a client that sends
/// without a pause would keep the others waiting.
pub const TAKEN: u16 = 9;
/// To the host: Trusty has stopped, or never came up; payload: text.
pub const DEAD: u16 = 8;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: u16,
    /// Of which connection; 0 where there is none.
    pub connection: u16,
    /// Bytes that follow.
    pub length: u32,
}

impl Header {
    /// The bytes.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let ([a, b], [c, d]) = (self.kind.to_le_bytes(), self.connection.to_le_bytes());
        let [e, f, g, h] = self.length.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Reads it.
    pub fn parse([a, b, c, d, e, f, g, h]: [u8; HEADER]) -> Self {
        Self {
            kind: u16::from_le_bytes([a, b]),
            connection: u16::from_le_bytes([c, d]),
            length: u32::from_le_bytes([e, f, g, h]),
        }
    }
}

/// What a stream that is no longer in step has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfStep(pub Header);

/// Cuts a byte stream into frames.
pub struct Frames {
    buffer: [u8; HEADER + PAYLOAD],
    filled: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl Frames {
    /// With nothing read yet.
    pub const fn new() -> Self {
        Self { buffer: [0; HEADER + PAYLOAD], filled: 0 }
    }

    /// Takes bytes in until a frame is whole: [`Self::frame`] has it then, until the next call. Returns what is left of the
    /// bytes and whether a frame is whole; refuses a header that cannot be.
    pub fn take<'a>(&mut self, mut bytes: &'a [u8]) -> Result<(&'a [u8], bool), OutOfStep> {
        if self.is_whole() {
            self.filled = 0;
        }
        while !self.is_whole() && !bytes.is_empty() {
            let wanted = HEADER + self.header().map_or(0, |header| header.length as usize);
            let (taken, rest) = bytes.split_at(bytes.len().min(wanted - self.filled));
            if let Some(room) = self.buffer.get_mut(self.filled..self.filled + taken.len()) {
                room.copy_from_slice(taken);
            }
            self.filled += taken.len();
            bytes = rest;
            if let Some(header) = self.header().filter(|header| header.length as usize > PAYLOAD) {
                return Err(OutOfStep(header));
            }
        }
        Ok((bytes, self.is_whole()))
    }

    /// The frame that is whole, if one is.
    pub fn frame(&self) -> Option<(Header, &[u8])> {
        let header = self.header().filter(|_| self.is_whole())?;
        Some((header, self.buffer.get(HEADER..self.filled)?))
    }

    fn is_whole(&self) -> bool {
        self.header().is_some_and(|header| self.filled == HEADER + header.length as usize)
    }

    fn header(&self) -> Option<Header> {
        let bytes = self.buffer.first_chunk().filter(|_| self.filled >= HEADER)?;
        Some(Header::parse(*bytes))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn frame(kind: u16, connection: u16, payload: &[u8]) -> Vec<u8> {
        let header = Header { kind, connection, length: payload.len() as u32 };
        [&header.to_bytes(), payload].concat()
    }

    #[test]
    fn frames_come_out_however_the_stream_is_cut() {
        let sent =
            [(MESSAGE, 3, std::vec![7; PAYLOAD]), (CLOSE, 9, Vec::new()), (CREDIT, 1, std::vec![1, 2, 3, 4])];
        let stream: Vec<u8> =
            sent.iter().flat_map(|(kind, connection, payload)| frame(*kind, *connection, payload)).collect();
        for piece in [1, 3, 8, 9, 4096, 10_000] {
            let (mut frames, mut got) = (Frames::new(), Vec::new());
            for mut bytes in stream.chunks(piece) {
                while !bytes.is_empty() {
                    let (rest, whole) = frames.take(bytes).unwrap();
                    let frame = frames.frame();
                    assert_eq!(whole, frame.is_some());
                    got.extend(
                        frame.map(|(header, payload)| (header.kind, header.connection, payload.to_vec())),
                    );
                    bytes = rest;
                }
            }
            assert_eq!(got, sent, "pieces of {piece}");
        }
    }

    #[test]
    fn a_payload_that_cannot_be_stops_the_stream() {
        let header = Header { kind: MESSAGE, connection: 1, length: PAYLOAD as u32 + 1 };
        assert_eq!(Frames::new().take(&header.to_bytes()), Err(OutOfStep(header)));
    }
}
