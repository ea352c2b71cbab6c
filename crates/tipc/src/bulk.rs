//! Bulk transfers: any amount in one call.

use crate::channel::{Channel, Transport};
use crate::error::Error;
use std::io::{Read, Write};
use tipc_bulk::{Endpoint, Failure, HEADER, MAX_DATA, MAX_MESSAGE, Packet, Reason, Signal, WINDOW};

/// Why a bulk transfer failed. The channel is clean afterwards, unless it is the [`Error`] that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BulkError {
    /// The way to the trusted app.
    #[error(transparent)]
    Transport(#[from] Error),
    /// The trusted app refused or ended the transfer, or what came is not what was sent.
    #[error("{0}")]
    Failed(Failure),
    /// More than a transfer can carry.
    #[error("{0} bytes do not fit into one transfer: at most 4294967295 (4 GiB - 1) do; send several")]
    TooLarge(u64),
    /// The answer is larger than the caller takes.
    #[error("the trusted app wants to send {found} bytes, at most {limit} were asked for")]
    AnswerTooLarge {
        /// Bytes announced.
        found: u32,
        /// Bytes allowed.
        limit: u32,
    },
    /// The caller's source or sink.
    #[error("{what}: {error}")]
    Io {
        /// Which of them.
        what: &'static str,
        /// Why.
        error: std::io::Error,
    },
}

/// What has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Messages that bore them, both ways.
    pub data_messages: u64,
}

/// Bulk transfers over a connection.
#[derive(Debug)]
pub struct Bulk<T> {
    transport: T,
    end: Endpoint,
    buffer: Box<[u8; MAX_MESSAGE]>,
}

/// A transfer each way, while they are under way.
struct Exchange<'a> {
    source: &'a mut dyn Read,
    sink: Option<&'a mut dyn Write>,
    limit: u32,
    progress: &'a mut dyn FnMut(&Exchanged),
    done: Exchanged,
    sent: bool,
    complete: bool,
}

impl<T: Transport> Bulk<T> {
    /// Takes over a connection on which no transfer has been made.
    pub fn new(transport: T) -> Self {
        Self { transport, end: Endpoint::new(), buffer: Box::new([0; MAX_MESSAGE]) }
    }

    /// Sends `request` with a tag and returns the answer, of at most `limit` bytes.
    pub fn call(&mut self, tag: u32, request: &[u8], limit: u32) -> Result<Vec<u8>, BulkError> {
        let mut answer = Vec::new();
        let total = size(request.len() as u64)?;
        let (mut source, mut progress) = (request, |_: &Exchanged| ());
        self.run(tag, total, &mut source, Some(&mut answer), limit, &mut progress)?;
        Ok(answer)
    }

    /// Sends `request` with a tag, and wants no answer.
    pub fn send(&mut self, tag: u32, request: &[u8]) -> Result<Exchanged, BulkError> {
        let total = size(request.len() as u64)?;
        let mut source = request;
        self.run(tag, total, &mut source, None, 0, &mut |_| ())
    }

    /// Sends `total` bytes of a source with a tag, and writes the answer to a sink as it comes: so neither is ever held
    /// whole. `progress` is called after each message of data. What the sink was given is to be thrown away on an error.
    pub fn exchange(
        &mut self,
        tag: u32,
        total: u64,
        mut source: impl Read,
        mut sink: impl Write,
        mut progress: impl FnMut(&Exchanged),
    ) -> Result<Exchanged, BulkError> {
        self.run(tag, size(total)?, &mut source, Some(&mut sink), u32::MAX, &mut progress)
    }

    /// The connection.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    fn run<'a>(
        &mut self,
        tag: u32,
        total: u32,
        source: &'a mut dyn Read,
        sink: Option<&'a mut dyn Write>,
        limit: u32,
        progress: &'a mut dyn FnMut(&Exchanged),
    ) -> Result<Exchanged, BulkError> {
        let (sent, complete) = (false, sink.is_none());
        let mut exchange =
            Exchange { source, sink, limit, progress, done: Exchanged::default(), sent, complete };
        let open = self.end.open(total, tag);
        self.put(open)?;
        while !(exchange.sent && exchange.complete) {
            if let Err(error) = self.step(&mut exchange) {
                // If this fails too, the first error is still the one to tell.
                let _ = self.clear();
                return Err(error);
            }
        }
        Ok(exchange.done)
    }

    /// Ends what is under way, so that the next transfer finds a clean channel.
    fn clear(&mut self) -> Result<(), Error> {
        let (cancel, abort) = (self.end.cancel(Reason::Application), self.end.abort(Reason::Application));
        self.put(cancel)?;
        self.put(abort)
    }

    fn step(&mut self, exchange: &mut Exchange) -> Result<(), BulkError> {
        while self.end.is_ready() && self.end.unsent() > 0 {
            let length = MAX_DATA.min(self.end.unsent() as usize);
            let room = self.buffer.get_mut(HEADER..HEADER + length).unwrap_or_default();
            let read = exchange.source.read_exact(room);
            read.map_err(|error| BulkError::Io { what: "what is to be sent cannot be read", error })?;
            let Some((header, length)) = self.end.data(room) else { break };
            if let Some(front) = self.buffer.first_chunk_mut() {
                *front = header;
            }
            self.transport.send(self.buffer.get(..HEADER + length).unwrap_or_default())?;
            exchange.done.sent += length as u64;
            exchange.done.data_messages += 1;
            (exchange.progress)(&exchange.done);
        }
        let end = self.end.end();
        self.put(end)?;
        let length = self.transport.receive(&mut self.buffer)?;
        let message = self.buffer.get(..length).unwrap_or_default();
        let packet = Packet::parse(message).map_err(BulkError::Failed)?;
        let step = self.end.on_packet(&packet);
        let (signal, answers) = (step.signal, step.answers);
        let answer = match signal {
            Signal::Opened { total, .. } if exchange.complete => self.end.refuse(Reason::Unsupported, total),
            Signal::Opened { total, .. } if total > exchange.limit => {
                let refusal = self.end.refuse(Reason::NoMemory, exchange.limit);
                self.put(refusal)?;
                return Err(BulkError::AnswerTooLarge { found: total, limit: exchange.limit });
            }
            Signal::Opened { .. } => self.end.accept(WINDOW),
            Signal::Data(data) => {
                exchange.write(data)?;
                self.end.consumed()
            }
            Signal::Complete => {
                exchange.complete = true;
                None
            }
            Signal::Sent => {
                exchange.sent = true;
                None
            }
            Signal::SendFailed(failure) | Signal::ReceiveFailed(failure) => {
                answers.into_iter().try_for_each(|answer| self.put(answer))?;
                return Err(BulkError::Failed(failure));
            }
            Signal::Flow | Signal::Ignored => None,
        };
        answers.into_iter().chain([answer]).try_for_each(|answer| self.put(answer))?;
        Ok(())
    }

    fn put(&mut self, packet: Option<Packet<'static>>) -> Result<(), Error> {
        let Some(packet) = packet else { return Ok(()) };
        let mut message = [0; HEADER + 8];
        let length = packet.write(&mut message).unwrap_or_default();
        self.transport.send(message.get(..length).unwrap_or_default())
    }
}

impl Bulk<Channel> {
    /// Connects anew, without any transfer.
    pub fn reconnect(&mut self) -> Result<(), Error> {
        self.end = Endpoint::new();
        self.transport.reconnect()
    }
}

impl Exchange<'_> {
    fn write(&mut self, data: &[u8]) -> Result<(), BulkError> {
        if let Some(sink) = &mut self.sink {
            let written = sink.write_all(data);
            written.map_err(|error| BulkError::Io { what: "what came cannot be written", error })?;
        }
        self.done.received += data.len() as u64;
        self.done.data_messages += 1;
        (self.progress)(&self.done);
        Ok(())
    }
}

fn size(bytes: u64) -> Result<u32, BulkError> {
    u32::try_from(bytes).map_err(|_| BulkError::TooLarge(bytes))
}
