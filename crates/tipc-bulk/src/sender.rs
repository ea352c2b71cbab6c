//! The side that sends.

use crate::checksum::Checksum;
use crate::failure::{Failure, Reason};
use crate::packet::{HEADER, MAX_DATA, Packet, data_header};

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
    /// Not at its end; [`Sender::data`] or [`Sender::end`] may have something to send.
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

    /// Ends the transfer before its time, if it has not ended: the packet says so.
    pub fn cancel(&mut self, reason: Reason) -> Option<Packet<'static>> {
        let open = self.phase != Phase::Finished;
        self.phase = Phase::Finished;
        open.then_some(Packet::Cancel { transfer: self.transfer, reason })
    }

    /// Whether the transfer has ended, well or not.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
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
            (_, Phase::Finished) => Ok(Progress::Ignored),
            (Packet::Abort { reason, asked, available, .. }, _) => {
                fail(self, Failure::Aborted { reason, asked, available })
            }
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

    /// Whether [`Self::data`] or [`Self::end`] has something to send now.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Flowing && (self.remaining() == 0 || self.sequence < self.credit)
    }

    /// The next data message: its header, and how many bytes of the front of `data` it bears. `None` while the receiver
    /// allows none, or without data.
    pub fn data(&mut self, data: &[u8]) -> Option<([u8; HEADER], usize)> {
        let length = data.len().min(MAX_DATA).min(self.remaining() as usize);
        if length == 0 || !self.is_ready() {
            return None;
        }
        self.checksum.update(data.get(..length).unwrap_or_default());
        let header = data_header(self.transfer, self.sequence);
        self.sequence += 1;
        self.sent += length as u32;
        Some((header, length))
    }

    /// The packet behind the last data, once.
    pub fn end(&mut self) -> Option<Packet<'static>> {
        if self.phase != Phase::Flowing || self.remaining() > 0 {
            return None;
        }
        self.phase = Phase::Ended;
        Some(Packet::End { transfer: self.transfer, checksum: self.checksum.value() })
    }
}
