//! The side that sends.

use crate::checksum::Checksum;
use crate::failure::Failure;
use crate::packet::{HEADER, MAX_MESSAGE, Packet, write_data_header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Flowing,
    Ended,
    Finished,
}

/// Where a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not at its end; [`Sender::next`] may have something to send.
    Open,
    /// The receiver has it all.
    Finished,
    /// The packet belonged to another, ended transfer.
    Ignored,
}

/// Sends one transfer.
#[derive(Clone, Debug)]
pub struct Sender {
    transfer: u32,
    total: u32,
    tag: u32,
    sent: u32,
    sequence: u32,
    credit: u32,
    checksum: Checksum,
    phase: Phase,
}

impl Sender {
    /// A transfer of `total` bytes. Its number must be larger than that of the last one on this channel and side.
    pub fn open(transfer: u32, total: u32, tag: u32) -> Self {
        let (checksum, phase) = (Checksum::new(), Phase::Opening);
        Self { transfer, total, tag, sent: 0, sequence: 0, credit: 0, checksum, phase }
    }

    /// The packet that announces the transfer: to be sent first.
    pub fn opening(&self) -> Packet<'static> {
        Packet::Open { transfer: self.transfer, total: self.total, tag: self.tag }
    }

    /// The packet that ends the transfer before its time.
    pub fn abort(&mut self, failure: &Failure) -> Packet<'static> {
        self.phase = Phase::Finished;
        Packet::abort(self.transfer, failure)
    }

    /// Takes in a packet of the receiver.
    pub fn on_packet(&mut self, packet: &Packet) -> Result<Progress, Failure> {
        if packet.transfer() != self.transfer {
            return Ok(Progress::Ignored);
        }
        let fail = |this: &mut Self, failure| {
            this.phase = Phase::Finished;
            Err(failure)
        };
        match (*packet, self.phase) {
            (Packet::Abort { reason, asked, available, .. }, _) => {
                fail(self, Failure::Aborted { reason, asked, available })
            }
            (_, Phase::Finished) => Ok(Progress::Ignored),
            (Packet::Accept { credit, .. }, Phase::Opening) => {
                self.credit = credit;
                self.phase = Phase::Flowing;
                Ok(Progress::Open)
            }
            (Packet::Credit { credit, .. }, Phase::Flowing) if credit >= self.credit => {
                self.credit = credit;
                Ok(Progress::Open)
            }
            // The last credits may come when all has been sent.
            (Packet::Credit { .. }, Phase::Ended) => Ok(Progress::Open),
            (Packet::Done { .. }, Phase::Ended) => {
                self.phase = Phase::Finished;
                Ok(Progress::Finished)
            }
            (Packet::Accept { .. }, _) => fail(self, Failure::Unexpected("an accept")),
            (Packet::Credit { .. }, _) => fail(self, Failure::Unexpected("a credit")),
            (Packet::Done { .. }, _) => fail(self, Failure::Unexpected("a done")),
            _ => fail(self, Failure::Unexpected("a sender's packet")),
        }
    }

    /// Bytes that have not been sent yet.
    pub fn remaining(&self) -> u32 {
        self.total - self.sent
    }

    /// Whether [`Self::next`] has something to send now.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Flowing && (self.remaining() == 0 || self.sequence < self.credit)
    }

    /// Writes the next message and returns its length; `None` while the receiver allows none. `fill` writes data to the
    /// front of a buffer, in place, and returns how much: 0 means that it has none now.
    pub fn next(
        &mut self,
        message: &mut [u8],
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<Option<usize>, Failure> {
        if !self.is_ready() {
            return Ok(None);
        }
        if self.remaining() == 0 {
            self.phase = Phase::Ended;
            let end = Packet::End { transfer: self.transfer, checksum: self.checksum.value() };
            return end.write(message).map(Some);
        }
        let most = message.len().min(MAX_MESSAGE);
        let room = message.get_mut(HEADER..most).filter(|room| !room.is_empty()).ok_or(Failure::Buffer)?;
        let length = room.len().min(self.remaining() as usize);
        let room = room.get_mut(..length).unwrap_or_default();
        let filled = fill(room).min(length);
        if filled == 0 {
            return Ok(None);
        }
        self.checksum.update(room.get(..filled).unwrap_or_default());
        let header = write_data_header(message, self.transfer, self.sequence)?;
        self.sequence += 1;
        self.sent += filled as u32;
        Ok(Some(header + filled))
    }
}
