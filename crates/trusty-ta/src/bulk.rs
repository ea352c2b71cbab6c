//! Bulk transfers of a TA: up to 4 GiB - 1 each way over one channel, read into place and sent out of place.
//!
//! A connection's state holds a [`Link`], and `on_message` hands every message to [`Link::on_message`], with the memory
//! where data belongs. What it returns tells the service what to do next. The kernel copies data straight between its
//! buffers and that memory; nothing is copied in between. To ask another TA and wait for its answer, [`call`].

use crate::handle::{Handle, Message};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::fmt;
use core::time::Duration;
use tipc_bulk::{Endpoint, HEADER, MAX_DATA, Packet, Step, WINDOW};
use trusty_abi::{Error, Result};

pub use tipc_bulk::{Failure, Reason};

/// What a message means for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A transfer of `total` bytes is announced, for `tag`: call [`Link::accept`], [`Link::refuse`] or [`Link::relay`].
    Opened {
        /// Its bytes.
        total: u32,
        /// What it is for: the application's to define.
        tag: u32,
    },
    /// So many bytes are at the front of the memory that was given. Call [`Link::consumed`] when they are used up.
    Data(usize),
    /// All has come, and is what was sent.
    Complete,
    /// What came is to be thrown away. The peer knows; the channel is clean.
    ReceiveFailed(Failure),
    /// The own transfer may go on: call [`Link::send`].
    Flow,
    /// The peer has all of the own transfer.
    Sent,
    /// The own transfer has ended before its time. The peer knows; the channel is clean.
    SendFailed(Failure),
    /// Nothing to do.
    Nothing,
}

/// Bulk transfers of one connection.
#[derive(Debug, Default)]
pub struct Link(Endpoint);

impl Link {
    /// A link without transfers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a message. The data of a transfer is read to the front of `into`, which must have room for the next
    /// message of it: [`MAX_DATA`] bytes, or what is missing of the transfer. A message that is no packet is an error,
    /// and ends the connection.
    pub fn on_message(&mut self, handle: &Handle, message: Message, into: &mut [u8]) -> Result<Event> {
        let mut header = [0; HEADER];
        // What follows the header of any packet without data.
        let mut behind = [0; 8];
        let length = message.len();
        let body = length.checked_sub(HEADER).ok_or(Error::InvalidArguments)?;
        let room = body.min(into.len()).min(MAX_DATA);
        let is_control = body <= behind.len();
        let (into, _) = into.split_at_mut_checked(room).ok_or(Error::InvalidArguments)?;
        if is_control {
            message.read_parts(0, &mut [&mut header, &mut behind])?;
            for (to, from) in into.iter_mut().zip(&behind) {
                *to = *from;
            }
        } else {
            message.read_parts(0, &mut [&mut header, into])?;
        }
        drop(message);
        let whole = if is_control { behind.get(..body) } else { into.get(..room) };
        let packet = Packet::parse_parts(&header, whole.unwrap_or_default());
        let packet = packet.map_err(|_| Error::InvalidArguments)?;
        let step = self.0.on_packet(&packet);
        if matches!(step.signal, tipc_bulk::Signal::Data(_)) && room < body {
            // More than the transfer was announced with, or than the service has made room for.
            let abort = self.0.abort(Reason::Protocol);
            send(handle, [abort])?;
            return Ok(Event::ReceiveFailed(Failure::Buffer));
        }
        self.event(handle, &step)
    }

    fn event(&mut self, handle: &Handle, step: &Step) -> Result<Event> {
        use tipc_bulk::Signal;
        send(handle, step.answers)?;
        Ok(match step.signal {
            Signal::Opened { total, tag } => Event::Opened { total, tag },
            Signal::Data(data) => Event::Data(data.len()),
            Signal::Complete => Event::Complete,
            Signal::ReceiveFailed(failure) => Event::ReceiveFailed(failure),
            Signal::Flow => Event::Flow,
            Signal::Sent => Event::Sent,
            Signal::SendFailed(failure) => Event::SendFailed(failure),
            Signal::Ignored => Event::Nothing,
        })
    }

    /// Takes the announced transfer: its data will come.
    pub fn accept(&mut self, handle: &Handle) -> Result<()> {
        send(handle, [self.0.accept(WINDOW)])
    }

    /// Refuses the announced transfer; `available` are the bytes that there would be room for.
    pub fn refuse(&mut self, handle: &Handle, reason: Reason, available: u32) -> Result<()> {
        send(handle, [self.0.refuse(reason, available)])
    }

    /// Takes the announced transfer and sends its bytes back as they come: hand each [`Event::Data`] to [`Self::send`],
    /// then call [`Self::consumed`]; at [`Event::Complete`] call [`Self::send`] with nothing. Data comes only when it can be sent on at once, so one message's memory is enough.
    /// `Busy` while an own transfer is at work.
    pub fn relay(&mut self, handle: &Handle, tag: u32) -> Result<()> {
        let open = self.0.relay(tag, WINDOW).ok_or(Error::Busy)?;
        send(handle, [Some(open)])
    }

    /// The data of one message has been used up.
    pub fn consumed(&mut self, handle: &Handle) -> Result<()> {
        send(handle, [self.0.consumed()])
    }

    /// Announces an own transfer. `Busy` while one is at work.
    pub fn open(&mut self, handle: &Handle, total: u32, tag: u32) -> Result<()> {
        let open = self.0.open(total, tag).ok_or(Error::Busy)?;
        send(handle, [Some(open)])
    }

    /// Sends as much of the rest of the own transfer as the peer allows now, and its end behind the last byte. `rest` is
    /// what has not been sent yet, or the next bytes of it. Returns how many were sent; go on at [`Event::Flow`].
    pub fn send(&mut self, handle: &Handle, rest: &[u8]) -> Result<usize> {
        let mut sent = 0;
        while let Some((header, length)) = self.0.data(rest.get(sent..).unwrap_or_default()) {
            let payload = rest.get(sent..sent + length).unwrap_or_default();
            handle.send_parts(&[&header, payload])?;
            sent += length;
        }
        send(handle, [self.0.end()])?;
        Ok(sent)
    }

    /// Ends the peer's transfer before its time.
    pub fn abort(&mut self, handle: &Handle, reason: Reason) -> Result<()> {
        send(handle, [self.0.abort(reason)])
    }

    /// Ends the own transfer before its time.
    pub fn cancel(&mut self, handle: &Handle, reason: Reason) -> Result<()> {
        send(handle, [self.0.cancel(reason)])
    }

    /// Bytes of the own transfer that have not been sent yet.
    pub fn unsent(&self) -> u32 {
        self.0.unsent()
    }

    /// Bytes of the peer's transfer that have not come yet.
    pub fn missing(&self) -> u32 {
        self.0.missing()
    }

    /// Whether an own transfer is at work.
    pub fn is_sending(&self) -> bool {
        self.0.is_sending()
    }

    /// Whether the peer's transfer is announced or at work.
    pub fn is_receiving(&self) -> bool {
        self.0.is_receiving()
    }
}

/// Sends packets. A peer within the window always has room for them.
fn send(handle: &Handle, packets: impl IntoIterator<Item = Option<Packet<'static>>>) -> Result<()> {
    for packet in packets.into_iter().flatten() {
        let mut message = [0; HEADER + 8];
        let length = packet.write(&mut message).map_err(|_| Error::TooBig)?;
        handle.send(message.get(..length).unwrap_or_default())?;
    }
    Ok(())
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// A system call was refused: `NotFound` without such a port, `TimedOut`, `ChannelClosed` if the other TA closed.
    Tipc(Error),
    /// The other TA ended a transfer before its time, or refused it.
    Failed(Failure),
    /// The answer has so many bytes, more than the limit. The other TA knows.
    TooLarge(u32),
    /// There is no room in the heap for an answer of so many bytes. The other TA knows.
    NoMemory(u32),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Tipc(error)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Tipc(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
            Self::TooLarge(total) => write!(f, "the answer of {total} bytes is larger than what is taken"),
            Self::NoMemory(total) => write!(f, "no memory for the answer of {total} bytes"),
        }
    }
}

impl core::error::Error for CallError {}

/// Connects to a port of another TA, sends it a transfer with a tag, and returns the transfer that comes back: `limit` bytes at most.
/// `timeout` is the longest wait for the other TA to accept, and for each of its messages; `None` waits for ever.
///
/// Nothing else of this TA runs meanwhile: call no TA that calls this one. `TooBig` if the request has 4 GiB or more.
pub fn call(
    port: &CStr,
    tag: u32,
    request: &[u8],
    limit: usize,
    timeout: Option<Duration>,
) -> core::result::Result<Vec<u8>, CallError> {
    let total = u32::try_from(request.len()).map_err(|_| Error::TooBig)?;
    let (handle, mut link) = (Handle::connect_within(port, timeout)?, Link::new());
    link.open(&handle, total, tag)?;
    let (mut sent, mut came, mut answer) = (0, 0, Vec::new());
    loop {
        let message = handle.next(timeout)?;
        match link.on_message(&handle, message, answer.get_mut(came..).unwrap_or_default())? {
            Event::Opened { total, .. } => {
                let room = |total: u32| usize::try_from(total).ok().filter(|total| *total <= limit);
                let Some(size) = room(total) else {
                    link.refuse(&handle, Reason::NoMemory, u32::try_from(limit).unwrap_or(u32::MAX))?;
                    return Err(CallError::TooLarge(total));
                };
                if answer.try_reserve_exact(size).is_err() {
                    link.refuse(&handle, Reason::NoMemory, 0)?;
                    return Err(CallError::NoMemory(total));
                }
                answer.resize(size, 0);
                link.accept(&handle)?;
            }
            Event::Data(length) => {
                came += length;
                link.consumed(&handle)?;
            }
            Event::Complete => return Ok(answer),
            Event::Flow => sent += link.send(&handle, request.get(sent..).unwrap_or_default())?,
            Event::ReceiveFailed(failure) | Event::SendFailed(failure) => {
                return Err(CallError::Failed(failure));
            }
            Event::Sent | Event::Nothing => {}
        }
    }
}
