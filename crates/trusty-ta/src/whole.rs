//! Whole requests and answers, each in a message or as a bulk transfer, on one port.
//!
//! A service says what the answer to a request is, and nothing else; [`Whole`] makes a [`Service`] of it:
//!
//! ```
//! use trusty_ta::whole::{Answers, Request, Whole};
//! use trusty_ta::{PortCfg, Uuid};
//!
//! /// Adds up bytes, of Linux alone.
//! struct Sums;
//!
//! impl Answers for Sums {
//!     const LIMIT: usize = 64 << 10;
//!
//!     fn admits(&mut self, _: &PortCfg, peer: &Uuid) -> bool {
//!         *peer == Uuid::NON_SECURE
//!     }
//!
//!     fn answer(&mut self, request: &Request) -> Vec<u8> {
//!         let sum: u64 = request.bytes.iter().map(|byte| u64::from(*byte)).sum();
//!         sum.to_le_bytes().to_vec()
//!     }
//! }
//!
//! // In the trusted app: trusted_app!("sums-srv", Whole::new(Sums));
//! # let _ = Whole::new(Sums);
//! ```
//!
//! What is in requests and answers is the service's own. With serde and postcard, say, a request is `postcard::from_bytes(request.bytes)`.
//!
//! A client uses `tipc::Channel` and sends messages, or `tipc::Bulk`, and another trusted app [`crate::bulk::call`]. The first message of a connection
//! decides: one that opens a transfer of `tipc-bulk`, 16 bytes of a form of their own, makes it one of transfers; any other one of messages.

use crate::bulk::{Event, Link, Reason};
use crate::handle::{Handle, Message};
use crate::port::PortCfg;
use crate::service::{ConnectResult, MessageResult, Service};
use alloc::vec::Vec;
use tipc_bulk::{MAX_MESSAGE, Packet};
use trusty_abi::{Error, Result, Uuid};
use zeroize::Zeroizing;

/// Bytes of the message that opens a transfer.
const OPENING: usize = 16;

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks: [`Uuid::NON_SECURE`] for Linux.
    pub peer: Uuid,
    /// The port at which it asks.
    pub port: &'a PortCfg,
    /// The transfer's tag; 0 of a message.
    pub tag: u32,
    /// The request itself. It is wiped when it is answered.
    pub bytes: &'a [u8],
}

/// What answers requests.
pub trait Answers {
    /// Most bytes of a request: more are refused before they come.
    const LIMIT: usize;

    /// Whether a peer may ask at a port.
    fn admits(&mut self, _port: &PortCfg, _peer: &Uuid) -> bool {
        true
    }

    /// The answer to a request. To a message it is a message: longer than [`crate::MAX_MESSAGE`] it cannot be sent, and ends the connection.
    fn answer(&mut self, request: &Request) -> Vec<u8>;
}

/// A service of whole requests and answers.
#[derive(Debug, Default)]
pub struct Whole<A>(A);

/// One connection.
pub struct Client {
    peer: Uuid,
    port: PortCfg,
    talk: Talk,
}

enum Talk {
    /// The first message is to come.
    New,
    /// Each message is a request.
    Messages,
    /// Each transfer is one.
    Transfers(Transfers),
}

#[derive(Default)]
struct Transfers {
    link: Link,
    tag: u32,
    request: Zeroizing<Vec<u8>>,
    came: usize,
    answer: Zeroizing<Vec<u8>>,
    sent: usize,
}

impl<A: Answers> Whole<A> {
    /// A service of what answers.
    pub fn new(answers: A) -> Self {
        Self(answers)
    }

    /// What answers.
    pub fn answers(&mut self) -> &mut A {
        &mut self.0
    }

    fn message(&mut self, client: &Client, handle: &Handle, message: &Message) -> Result<()> {
        let mut bytes = Zeroizing::new([0; MAX_MESSAGE]);
        let length = message.read(&mut bytes[..])?;
        if length > A::LIMIT {
            return Err(Error::TooBig);
        }
        let (peer, port) = (client.peer, &client.port);
        let request = Request { peer, port, tag: 0, bytes: bytes.get(..length).unwrap_or_default() };
        handle.send(&Zeroizing::new(self.0.answer(&request)))
    }
}

impl Transfers {
    /// Takes in a message. True if a request is whole.
    fn on_message(&mut self, handle: &Handle, message: Message, limit: usize) -> Result<bool> {
        let into = self.request.get_mut(self.came..).unwrap_or_default();
        match self.link.on_message(handle, message, into)? {
            Event::Opened { total, tag } => {
                let size = usize::try_from(total).ok().filter(|size| *size <= limit);
                (self.came, self.tag) = (0, tag);
                self.request = Zeroizing::default();
                match size {
                    Some(size) if self.request.try_reserve_exact(size).is_ok() => {
                        self.request.resize(size, 0);
                        self.link.accept(handle)?;
                    }
                    _ => {
                        let room = u32::try_from(crate::heap::largest().min(limit)).unwrap_or(u32::MAX);
                        self.link.refuse(handle, Reason::NoMemory, room)?;
                    }
                }
            }
            Event::Data(length) => {
                self.came += length;
                self.link.consumed(handle)?;
            }
            Event::Complete => return Ok(true),
            Event::Flow => {
                self.sent += self.link.send(handle, self.answer.get(self.sent..).unwrap_or_default())?;
            }
            Event::Sent | Event::SendFailed(_) => self.answer = Zeroizing::default(),
            Event::ReceiveFailed(_) => self.request = Zeroizing::default(),
            Event::Nothing => {}
        }
        Ok(false)
    }

    fn send(&mut self, handle: &Handle, answer: Vec<u8>) -> Result<()> {
        self.request = Zeroizing::default();
        let total = u32::try_from(answer.len()).map_err(|_| Error::TooBig)?;
        (self.answer, self.sent) = (Zeroizing::new(answer), 0);
        self.link.open(handle, total, self.tag)
    }
}

impl<A: Answers> Service for Whole<A> {
    type Connection = Client;

    fn on_connect(&mut self, port: &PortCfg, _: &Handle, peer: &Uuid) -> Result<ConnectResult<Client>> {
        if !self.0.admits(port, peer) {
            return Ok(ConnectResult::CloseConnection);
        }
        Ok(ConnectResult::Accept(Client { peer: *peer, port: *port, talk: Talk::New }))
    }

    fn on_message(
        &mut self,
        client: &mut Client,
        handle: &Handle,
        message: Message,
    ) -> Result<MessageResult> {
        if let Talk::New = client.talk {
            let mut head = [0; OPENING];
            let whole = message.len() == OPENING && message.read_parts(0, &mut [&mut head])? == OPENING;
            let opens = whole && matches!(Packet::parse(&head), Ok(Packet::Open { .. }));
            client.talk = if opens { Talk::Transfers(Transfers::default()) } else { Talk::Messages };
        }
        let Talk::Transfers(transfers) = &mut client.talk else {
            self.message(client, handle, &message)?;
            return Ok(MessageResult::MaintainConnection);
        };
        if transfers.on_message(handle, message, A::LIMIT)? {
            let (peer, port, tag) = (client.peer, &client.port, transfers.tag);
            let answer = self.0.answer(&Request { peer, port, tag, bytes: &transfers.request });
            transfers.send(handle, answer)?;
        }
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, _: Client) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::{CallError, call};
    use crate::testing::{BulkClient, World};
    use alloc::vec;
    use tipc_bulk::Failure;

    static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.test.whole").allow_ns_connect().allow_ta_connect()];
    const FRIEND: Uuid = Uuid([1; 16]);

    /// Each request backwards, and its tag behind it.
    struct Backwards;

    impl Answers for Backwards {
        const LIMIT: usize = 20_000;

        fn admits(&mut self, _: &PortCfg, peer: &Uuid) -> bool {
            [Uuid::NON_SECURE, FRIEND].contains(peer)
        }

        fn answer(&mut self, request: &Request) -> Vec<u8> {
            request.bytes.iter().rev().copied().chain(request.tag.to_le_bytes()).collect()
        }
    }

    fn backwards(bytes: &[u8], tag: u32) -> Vec<u8> {
        bytes.iter().rev().copied().chain(tag.to_le_bytes()).collect()
    }

    #[test]
    fn messages_and_transfers_are_answered_on_one_port() {
        let world = World::new();
        let mut app = world.app(&PORTS, || Whole::new(Backwards));
        let client = world.connect(c"com.test.whole").unwrap();
        let mut bulk = BulkClient::new(world.connect(c"com.test.whole").unwrap());
        app.run();
        for request in [&b""[..], b"abc", &[7; OPENING], &[1; MAX_MESSAGE - 4]] {
            client.send(request).unwrap();
            app.run();
            assert_eq!(client.receive().unwrap(), backwards(request, 0));
        }
        for length in [0, 1, 4080, 20_000] {
            let request: Vec<u8> = (0..length).map(|n| n as u8).collect();
            assert_eq!(bulk.exchange(&mut app, 5, &request).unwrap(), backwards(&request, 5), "{length}");
        }
        let refused = bulk.exchange(&mut app, 5, &[0; 20_001]).unwrap_err();
        assert!(
            matches!(refused, Failure::Aborted { reason: Reason::NoMemory, asked: 20_001, .. }),
            "{refused:?}"
        );
        assert_eq!(bulk.exchange(&mut app, 6, b"on").unwrap(), backwards(b"on", 6), "and it goes on");
        // An answer that is no message ends the connection.
        client.send(&[1; MAX_MESSAGE - 3]).unwrap();
        app.run();
        client.send(b"x").unwrap_err();
    }

    #[test]
    fn who_is_not_admitted_gets_no_answer() {
        let world = World::new();
        let _app = world.app(&PORTS, || Whole::new(Backwards));
        let ask = |uuid| world.as_app(uuid, || call(c"com.test.whole", 2, b"ab", 99, None));
        assert_eq!(ask(FRIEND).unwrap(), vec![b'b', b'a', 2, 0, 0, 0]);
        assert!(matches!(ask(Uuid([2; 16])), Err(CallError::Tipc(_))));
    }
}
