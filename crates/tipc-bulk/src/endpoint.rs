//! One end of a channel: a receiver, and a sender while one is at work.

use crate::failure::{Failure, Reason};
use crate::packet::{HEADER, Packet};
use crate::receiver::{Event, Receiver};
use crate::sender::{Progress, Sender};

/// Receive buffers of a port that takes bulk transfers, each of [`crate::MAX_MESSAGE`] bytes. What Linux sends into full
/// buffers is lost (`handle_chan_msg`, tipc_dev.c), so all that may be in flight must fit.
pub const BUFFERS: u32 = 16;
/// Data messages in flight: the buffers less six, for what may come besides: the end of the transfer or that it is
/// cancelled, the next one's opening, and accept, two credits and done or abort of the transfer in the other direction.
pub const WINDOW: u32 = BUFFERS - 6;

/// What a packet means for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal<'a> {
    /// A transfer is announced: call [`Endpoint::accept`], [`Endpoint::refuse`] or [`Endpoint::relay`].
    Opened {
        /// Its bytes.
        total: u32,
        /// What it is for.
        tag: u32,
    },
    /// The next bytes. When they are used up, call [`Endpoint::consumed`].
    Data(&'a [u8]),
    /// All has come, and is what was sent.
    Complete,
    /// What came is to be thrown away.
    ReceiveFailed(Failure),
    /// The own transfer may go on: call [`Endpoint::data`] and [`Endpoint::end`].
    Flow,
    /// The peer has all of the own transfer.
    Sent,
    /// The own transfer has ended before its time.
    SendFailed(Failure),
    /// The packet belonged to an ended transfer.
    Ignored,
}

/// What a packet means, and the packets to answer it with, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// What it means.
    pub signal: Signal<'a>,
    /// What to send.
    pub answers: [Option<Packet<'static>>; 3],
}

impl<'a> Step<'a> {
    fn new(signal: Signal<'a>) -> Self {
        Self { signal, answers: [None; 3] }
    }

    fn answer(signal: Signal<'a>, answer: Option<Packet<'static>>) -> Self {
        Self { signal, answers: [answer, None, None] }
    }
}

/// Both directions of one end of a channel.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    receiver: Receiver,
    sender: Option<Sender>,
    /// Number of the own transfer, or of the last.
    transfer: u32,
    /// Window of what is passed on, while it is.
    relay: Option<u32>,
}

impl Endpoint {
    /// An end without transfers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a packet of the peer.
    pub fn on_packet<'a>(&mut self, packet: &Packet<'a>) -> Step<'a> {
        match packet {
            Packet::Accept { credit, .. } | Packet::Credit { credit, .. } => self.flow(packet, *credit),
            Packet::Done { .. } | Packet::Abort { .. } => self.flow(packet, 0),
            _ => self.receive(packet),
        }
    }

    /// Takes the announced transfer, with at most `window` data messages in flight.
    pub fn accept(&mut self, window: u32) -> Option<Packet<'static>> {
        self.receiver.accept(window)
    }

    /// Refuses the announced transfer. `available` are the bytes that there would be room for.
    pub fn refuse(&mut self, reason: Reason, available: u32) -> Option<Packet<'static>> {
        self.receiver.refuse(reason, available)
    }

    /// Takes the announced transfer and opens one that passes its bytes on as they come. Data comes only when it may go on
    /// at once: pass each message's bytes to [`Self::data`], whole, then call [`Self::consumed`]; at [`Signal::Complete`]
    /// call [`Self::end`].
    pub fn relay(&mut self, tag: u32, window: u32) -> Option<Packet<'static>> {
        let packet = self.open(self.receiver.remaining(), tag)?;
        self.relay = Some(window);
        Some(packet)
    }

    /// One data message has been used up. The packet, if any, lets the peer go on.
    pub fn consumed(&mut self) -> Option<Packet<'static>> {
        self.receiver.consumed()
    }

    /// Opens a transfer of `total` bytes. `None` while one is at work.
    pub fn open(&mut self, total: u32, tag: u32) -> Option<Packet<'static>> {
        if self.is_sending() {
            return None;
        }
        self.transfer = self.transfer.wrapping_add(1);
        self.relay = None;
        Some(self.sender.insert(Sender::open(self.transfer, total, tag)).opening())
    }

    /// The next data message: see [`Sender::data`].
    pub fn data(&mut self, data: &[u8]) -> Option<([u8; HEADER], usize)> {
        self.sender.as_mut()?.data(data)
    }

    /// The packet behind the last data, once. What is passed on ends when all of it has come and is what was sent.
    pub fn end(&mut self) -> Option<Packet<'static>> {
        let unsure = self.relay.is_some() && self.is_receiving();
        self.sender.as_mut().filter(|_| !unsure)?.end()
    }

    /// Ends the own transfer before its time.
    pub fn cancel(&mut self, reason: Reason) -> Option<Packet<'static>> {
        self.sender.as_mut()?.cancel(reason)
    }

    /// Ends the peer's transfer before its time.
    pub fn abort(&mut self, reason: Reason) -> Option<Packet<'static>> {
        self.receiver.abort(reason)
    }

    /// Whether an own transfer is at work.
    pub fn is_sending(&self) -> bool {
        self.sender.as_ref().is_some_and(|sender| !sender.is_finished())
    }

    /// Whether the peer's transfer is announced or at work.
    pub fn is_receiving(&self) -> bool {
        self.receiver.current().is_some()
    }

    /// Whether [`Self::data`] or [`Self::end`] has something to send now.
    pub fn is_ready(&self) -> bool {
        self.sender.as_ref().is_some_and(Sender::is_ready)
    }

    /// Bytes of the own transfer that have not been sent yet.
    pub fn unsent(&self) -> u32 {
        self.sender.as_ref().map_or(0, Sender::remaining)
    }

    /// Bytes of the peer's transfer that have not come yet.
    pub fn missing(&self) -> u32 {
        self.receiver.remaining()
    }

    fn flow(&mut self, packet: &Packet, credit: u32) -> Step<'static> {
        let Some(sender) = &mut self.sender else { return Step::new(Signal::Ignored) };
        let opening = matches!(packet, Packet::Accept { .. });
        match sender.on_packet(packet) {
            Ok(Progress::Open) => {
                let answer = match self.relay {
                    Some(window) if opening => self.receiver.accept_up_to(window, credit),
                    Some(_) => self.receiver.allow(credit),
                    None => None,
                };
                Step::answer(Signal::Flow, answer)
            }
            Ok(Progress::Finished) => Step::new(Signal::Sent),
            Ok(Progress::Ignored) => Step::new(Signal::Ignored),
            Err(failure) => {
                let told = matches!(failure, Failure::Aborted { .. });
                let transfer = self.transfer;
                let cancel = (!told).then_some(Packet::Cancel { transfer, reason: failure.reason() });
                let relayed = self.relay.take().and_then(|_| self.receiver.abort(Reason::Application));
                Step { signal: Signal::SendFailed(failure), answers: [cancel, relayed, None] }
            }
        }
    }

    fn receive<'a>(&mut self, packet: &Packet<'a>) -> Step<'a> {
        let current = self.receiver.current();
        match self.receiver.on_packet(packet) {
            Ok(Event::Opened { total, tag, .. }) => Step::new(Signal::Opened { total, tag }),
            Ok(Event::Data(data)) => Step::new(Signal::Data(data)),
            Ok(Event::Complete(done)) => Step::answer(Signal::Complete, Some(done)),
            Ok(Event::Ignored) => Step::new(Signal::Ignored),
            Err(failure) => {
                let told = matches!(failure, Failure::Aborted { .. });
                // Both the transfer that has ended so and the one that the packet spoke of are named.
                let stray = Some(packet.transfer()).filter(|stray| current != Some(*stray));
                let abort = |transfer: Option<u32>| {
                    transfer.filter(|_| !told).map(|transfer| Packet::abort(transfer, &failure))
                };
                let (abort, stray) = (abort(current), abort(stray));
                let relayed = self.relay.take().and_then(|_| self.cancel(Reason::Application));
                Step { signal: Signal::ReceiveFailed(failure), answers: [abort, stray, relayed] }
            }
        }
    }
}
