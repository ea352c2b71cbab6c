//! The side that receives.

use crate::checksum::Checksum;
use crate::failure::{Failure, Reason};
use crate::packet::{Packet, later};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// Announced; the application has not said yet whether it takes it.
    Asked,
    Flowing,
}

/// What a packet means for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A transfer is announced: answer with [`Receiver::accept`] or [`Receiver::refuse`].
    Opened {
        /// Its number.
        transfer: u32,
        /// Its bytes.
        total: u32,
        /// What it is for.
        tag: u32,
    },
    /// The next bytes. When they are used up, call [`Receiver::consumed`].
    Data(&'a [u8]),
    /// All has come and is what was sent: send this packet.
    Complete(Packet<'static>),
    /// The packet belonged to an ended transfer.
    Ignored,
}

/// Receives transfers, one after the other.
#[derive(Clone, Debug)]
pub struct Receiver {
    phase: Phase,
    /// The current transfer, or the last.
    transfer: Option<u32>,
    total: u32,
    received: u32,
    sequence: u32,
    window: u32,
    consumed: u32,
    credit: u32,
    /// Never lets more data messages come than this, counted from the start.
    limit: u32,
    checksum: Checksum,
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// Waits for a transfer.
    pub fn new() -> Self {
        Self {
            phase: Phase::Idle,
            transfer: None,
            total: 0,
            received: 0,
            sequence: 0,
            window: 0,
            consumed: 0,
            credit: 0,
            limit: u32::MAX,
            checksum: Checksum::new(),
        }
    }

    /// Takes in a packet of the sender. After a failure the transfer is over: send [`Packet::abort`] for it, unless it
    /// was the sender that ended it.
    pub fn on_packet<'a>(&mut self, packet: &Packet<'a>) -> Result<Event<'a>, Failure> {
        let number = packet.transfer();
        if let Packet::Open { total, tag, .. } = *packet {
            if self.phase != Phase::Idle {
                return self.fail(Failure::Unexpected("an open"));
            }
            if self.transfer.is_some_and(|last| !later(number, last)) {
                return self.fail(Failure::Unexpected("an open with a used number"));
            }
            *self = Self { phase: Phase::Asked, transfer: Some(number), total, ..Self::new() };
            return Ok(Event::Opened { transfer: number, total, tag });
        }
        match self.transfer {
            // What is left of an ended transfer.
            Some(last) if self.phase == Phase::Idle && !later(number, last) => return Ok(Event::Ignored),
            Some(current) if self.phase != Phase::Idle && later(current, number) => {
                return Ok(Event::Ignored);
            }
            Some(current) if self.phase != Phase::Idle && number == current => {}
            _ => return self.fail(Failure::Unexpected("a packet of an unknown transfer")),
        }
        match *packet {
            Packet::Abort { reason, asked, available, .. } => {
                self.fail(Failure::Aborted { reason, asked, available })
            }
            Packet::Cancel { reason, .. } => self.fail(Failure::Aborted { reason, asked: 0, available: 0 }),
            Packet::Data { sequence, payload, .. } if self.phase == Phase::Flowing => {
                self.data(sequence, payload)
            }
            Packet::End { checksum, .. } if self.phase == Phase::Flowing => self.end(checksum),
            Packet::Data { .. } => self.fail(Failure::Unexpected("data")),
            Packet::End { .. } => self.fail(Failure::Unexpected("an end")),
            _ => self.fail(Failure::Unexpected("a receiver's packet")),
        }
    }

    /// Takes the announced transfer, with at most `window` data messages in flight (1 at least). `None` if none is
    /// announced.
    pub fn accept(&mut self, window: u32) -> Option<Packet<'static>> {
        self.accept_up_to(window, u32::MAX)
    }

    /// Takes the announced transfer as [`Self::accept`] does, but lets no more than `limit` data messages come until
    /// [`Self::allow`] says so: for who passes them on and is allowed so many itself.
    pub fn accept_up_to(&mut self, window: u32, limit: u32) -> Option<Packet<'static>> {
        let transfer = self.transfer.filter(|_| self.phase == Phase::Asked)?;
        self.phase = Phase::Flowing;
        self.window = window.max(1);
        self.limit = limit;
        self.credit = self.window.min(limit);
        Some(Packet::Accept { transfer, credit: self.credit })
    }

    /// Raises the limit of [`Self::accept_up_to`]. The packet, if any, lets the sender go on.
    pub fn allow(&mut self, limit: u32) -> Option<Packet<'static>> {
        self.limit = self.limit.max(limit);
        self.grant(1)
    }

    /// Refuses the announced transfer. `available` are the bytes that there would be room for,
    /// told with [`Reason::NoMemory`].
    pub fn refuse(&mut self, reason: Reason, available: u32) -> Option<Packet<'static>> {
        let transfer = self.transfer.filter(|_| self.phase == Phase::Asked)?;
        self.phase = Phase::Idle;
        let sizes = if reason == Reason::NoMemory { (self.total, available) } else { (0, 0) };
        Some(Packet::Abort { transfer, reason, asked: sizes.0, available: sizes.1 })
    }

    /// One data message has been used up. The packet, if any, lets the sender go on.
    pub fn consumed(&mut self) -> Option<Packet<'static>> {
        if self.phase != Phase::Flowing || self.consumed >= self.sequence {
            return None;
        }
        self.consumed += 1;
        // Half a window at a time, so that credits are few; but never let the sender stand still.
        self.grant(if self.consumed == self.credit { 1 } else { self.window.div_ceil(2) })
    }

    /// Lets the sender go on if that is worth `least` messages; none when all is there.
    fn grant(&mut self, least: u32) -> Option<Packet<'static>> {
        let allowed = self.consumed.saturating_add(self.window).min(self.limit);
        let due = allowed.saturating_sub(self.credit) >= least && self.received < self.total;
        let transfer = self.transfer.filter(|_| due && self.phase == Phase::Flowing)?;
        self.credit = allowed;
        Some(Packet::Credit { transfer, credit: allowed })
    }

    /// Ends the current transfer, if there is one.
    pub fn abort(&mut self, reason: Reason) -> Option<Packet<'static>> {
        let transfer = self.current()?;
        self.phase = Phase::Idle;
        Some(Packet::Abort { transfer, reason, asked: 0, available: 0 })
    }

    /// The transfer that is announced or under way.
    pub fn current(&self) -> Option<u32> {
        self.transfer.filter(|_| self.phase != Phase::Idle)
    }

    /// Bytes of the current transfer that have not come yet.
    pub fn remaining(&self) -> u32 {
        self.total - self.received
    }

    fn data<'a>(&mut self, sequence: u32, payload: &'a [u8]) -> Result<Event<'a>, Failure> {
        if sequence != self.sequence {
            return self.fail(Failure::Sequence { expected: self.sequence, found: sequence });
        }
        if sequence >= self.credit {
            return self.fail(Failure::Window);
        }
        let length = payload.len() as u32;
        if length > self.remaining() {
            let found = self.received.saturating_add(length);
            return self.fail(Failure::Length { expected: self.total, found });
        }
        self.sequence += 1;
        self.received += length;
        self.checksum.update(payload);
        Ok(Event::Data(payload))
    }

    fn end(&mut self, expected: u32) -> Result<Event<'static>, Failure> {
        if self.received != self.total {
            return self.fail(Failure::Length { expected: self.total, found: self.received });
        }
        let found = self.checksum.value();
        if found != expected {
            return self.fail(Failure::Checksum { expected, found });
        }
        self.phase = Phase::Idle;
        Ok(Event::Complete(Packet::Done { transfer: self.transfer.unwrap_or_default() }))
    }

    fn fail<T>(&mut self, failure: Failure) -> Result<T, Failure> {
        self.phase = Phase::Idle;
        Err(failure)
    }
}
