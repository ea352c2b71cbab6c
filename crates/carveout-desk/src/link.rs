//! Frames to and from the agent, and the connections that they are about.

use desk_firmware::link::{self, Frames, Header};
use desk_firmware::smc::ql;
use rustix::event::PollFlags;
use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use tipc::server::Incoming;
use trusty_abi::Error;

/// Messages that a connection may have here before its client has taken them.
const WINDOW: u32 = 8;
/// Frames under way to the agent from which on clients must wait.
const FULL: u32 = 4 * link::REPORT;

/// Frames that are read before the agent is told.
const GRANT: u32 = link::WINDOW / 4;

#[derive(Default)]
struct Connection {
    incoming: VecDeque<Incoming>,
    /// Messages that the client has taken and the agent does not know of.
    taken: u32,
}

impl Connection {
    /// Of lost messages one is told, until the client has taken it: a client that does not read may lose any number.
    fn take(&mut self, incoming: Incoming) {
        let lost = |incoming: &Incoming| matches!(incoming, Incoming::Lost(..));
        if !lost(&incoming) || !self.incoming.iter().any(lost) {
            self.incoming.push_back(incoming);
        }
    }
}

/// What the agent says of Trusty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustyState {
    /// It starts.
    Starting,
    /// It is up.
    Ready,
    /// It has stopped; why, in the agent's words.
    Dead(String),
    /// The machine has gone, or speaks nonsense.
    Gone(String),
}

/// The link.
pub struct Link {
    stream: UnixStream,
    frames: Box<Frames>,
    outbox: Vec<u8>,
    connections: BTreeMap<u16, Connection>,
    last: u16,
    /// Frames to the agent that it has not said to have taken.
    under_way: u32,
    /// Frames that have been read, and the agent does not know of.
    read: u32,
    /// Messages that did not arrive whole.
    pub lost: u64,
    /// What the agent has said last.
    pub state: TrustyState,
}

impl Link {
    /// Over a connected stream.
    pub fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            frames: Box::default(),
            outbox: Vec::new(),
            connections: BTreeMap::new(),
            last: 0,
            under_way: 0,
            read: 0,
            lost: 0,
            state: TrustyState::Starting,
        })
    }

    /// The stream and what to wait for.
    pub fn poll(&self) -> (&UnixStream, PollFlags) {
        let out = if self.outbox.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        (&self.stream, PollFlags::IN | out)
    }

    /// Whether more for the agent can be taken.
    pub fn has_room(&self) -> bool {
        self.under_way < FULL
    }

    fn put(&mut self, kind: u16, connection: u16, payload: &[u8]) {
        self.under_way += 1;
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.outbox.extend_from_slice(&Header { kind, connection, length }.to_bytes());
        self.outbox.extend_from_slice(payload);
    }

    /// Sends what can be sent. Whether anything could.
    pub fn flush(&mut self) -> bool {
        let mut sent = false;
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(0) => return sent,
                Ok(length) => {
                    self.outbox.drain(..length);
                    sent = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // That the machine has gone is seen when reading.
                Err(_) => return sent,
            }
        }
        sent
    }

    /// Takes in what has come. Whether anything has.
    pub fn receive(&mut self) -> bool {
        let mut came = false;
        let mut buffer = [0; 64 << 10];
        while matches!(self.state, TrustyState::Starting | TrustyState::Ready) {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.state = TrustyState::Gone("QEMU has ended".into()),
                Ok(length) => {
                    came = true;
                    self.take(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.state = TrustyState::Gone(format!("QEMU has gone: {error}")),
            }
        }
        came
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.frames.take(bytes) {
                Ok((rest, _)) => bytes = rest,
                Err(error) => {
                    self.state = TrustyState::Gone(format!("the agent's frames are out of step: {error:?}"));
                    return;
                }
            }
            let Some((header, payload)) = self.frames.frame() else { continue };
            self.read += 1;
            match header.kind {
                link::TAKEN => {
                    let taken = payload.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                    self.under_way = self.under_way.saturating_sub(taken);
                }
                link::READY => self.state = TrustyState::Ready,
                link::DEAD => self.state = TrustyState::Dead(String::from_utf8_lossy(payload).into_owned()),
                _ => {
                    // Of a connection that the client has left, frames may still be under way.
                    let incoming = incoming(header, payload);
                    if let Some((count, _)) = incoming {
                        self.lost += u64::from(count);
                    }
                    let connection = self.connections.get_mut(&header.connection);
                    if let Some((connection, (_, incoming))) = connection.zip(incoming) {
                        connection.take(incoming);
                    }
                }
            }
        }
        if self.read >= GRANT {
            let read = std::mem::take(&mut self.read);
            self.put(link::CREDIT, 0, &read.to_le_bytes());
        }
    }

    /// Starts to connect.
    pub fn connect(&mut self, port: &[u8]) -> Result<u32, Error> {
        if port.is_empty() || port.len() >= trusty_abi::limit::PORT_PATH || port.contains(&0) {
            return Err(Error::InvalidArguments);
        }
        if self.connections.len() >= ql::CHANNELS {
            return Err(Error::NoResources);
        }
        // 0 is the link itself.
        let free = |number: &u16| *number != 0 && !self.connections.contains_key(number);
        let number =
            (1..=u16::MAX).map(|step| self.last.wrapping_add(step)).find(free).ok_or(Error::NoResources)?;
        self.last = number;
        self.connections.insert(number, Connection::default());
        self.put(link::CONNECT, number, port);
        self.put(link::CREDIT, number, &WINDOW.to_le_bytes());
        Ok(number.into())
    }

    /// Ends a connection.
    pub fn close(&mut self, channel: u32) {
        let number = number(channel);
        if self.connections.remove(&number).is_some() {
            self.put(link::CLOSE, number, &[]);
        }
    }

    /// Sends a message.
    pub fn send(&mut self, channel: u32, message: &[u8]) -> Result<usize, Error> {
        self.put(link::MESSAGE, number(channel), message);
        Ok(message.len())
    }

    /// What a connection has.
    pub fn next(&mut self, channel: u32) -> Option<Incoming> {
        let number = number(channel);
        let connection = self.connections.get_mut(&number)?;
        let incoming = connection.incoming.pop_front()?;
        match incoming {
            Incoming::Message(_) => {
                connection.taken += 1;
                if connection.taken >= WINDOW / 2 {
                    let taken = std::mem::take(&mut connection.taken);
                    self.put(link::CREDIT, number, &taken.to_le_bytes());
                }
            }
            Incoming::Closed(_) => drop(self.connections.remove(&number)),
            Incoming::Accepted | Incoming::Lost(..) => {}
        }
        Some(incoming)
    }
}

/// Channels are numbers of the link.
fn number(channel: u32) -> u16 {
    u16::try_from(channel).unwrap_or_default()
}

/// What a frame brings to a client, and how many messages were lost.
fn incoming(header: Header, payload: &[u8]) -> Option<(u32, Incoming)> {
    let word = |at: usize| Some(u32::from_le_bytes(payload.get(at..at + 4)?.try_into().ok()?));
    match header.kind {
        link::ACCEPTED => Some((0, Incoming::Accepted)),
        link::MESSAGE => Some((0, Incoming::Message(payload.to_vec()))),
        link::CLOSE => Some((0, Incoming::Closed(Error::from_code(word(0)?.cast_signed())))),
        link::LOST => {
            let sent = Error::check(word(8)?.cast_signed()).map(|sent| sent as usize);
            Some((word(0)?, Incoming::Lost(word(4)? as usize, sent)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u16, connection: u16, payload: &[u8]) -> Vec<u8> {
        let length = payload.len() as u32;
        [&Header { kind, connection, length }.to_bytes(), payload].concat()
    }

    fn sent(agent: &mut UnixStream) -> Vec<u8> {
        agent.set_nonblocking(true).unwrap();
        let mut bytes = Vec::new();
        let _ = agent.read_to_end(&mut bytes);
        bytes
    }

    #[test]
    fn connections_pass_messages_and_grant_room_as_they_are_taken() {
        let (ours, mut agent) = UnixStream::pair().unwrap();
        let mut link = Link::new(ours).unwrap();
        agent.write_all(&frame(link::READY, 0, &[])).unwrap();
        assert!(link.receive());
        assert_eq!(link.state, TrustyState::Ready);
        let channel = link.connect(b"port").unwrap();
        assert!(link.flush());
        let expected =
            [frame(link::CONNECT, 1, b"port"), frame(link::CREDIT, 1, &8u32.to_le_bytes())].concat();
        assert_eq!(sent(&mut agent), expected);
        agent.write_all(&frame(link::ACCEPTED, 1, &[])).unwrap();
        (0..4).for_each(|n| agent.write_all(&frame(link::MESSAGE, 1, &[n])).unwrap());
        let lost = [3, 100, (-9i32).cast_unsigned()].map(u32::to_le_bytes).concat();
        (0..2).for_each(|_| agent.write_all(&frame(link::LOST, 1, &lost)).unwrap());
        agent.write_all(&frame(link::CLOSE, 1, &(-15i32).to_le_bytes())).unwrap();
        agent.write_all(&frame(link::MESSAGE, 7, b"of a connection that has gone")).unwrap();
        link.receive();
        assert_eq!(link.next(channel), Some(Incoming::Accepted));
        (0..4).for_each(|n| assert_eq!(link.next(channel), Some(Incoming::Message(vec![n]))));
        assert_eq!(link.next(channel), Some(Incoming::Lost(100, Err(Error::NotEnoughBuffer))));
        assert_eq!(link.next(channel), Some(Incoming::Closed(Error::ChannelClosed)));
        assert_eq!((link.next(channel), link.lost), (None, 6));
        link.close(channel);
        link.flush();
        // 10 frames were read; and there is no close of what has closed.
        let expected =
            [frame(link::CREDIT, 0, &10u32.to_le_bytes()), frame(link::CREDIT, 1, &4u32.to_le_bytes())];
        assert_eq!(sent(&mut agent), expected.concat());
    }

    #[test]
    fn what_ends_the_machine_is_told() {
        for (bytes, expected) in [
            (frame(link::DEAD, 0, b"panicked"), TrustyState::Dead("panicked".into())),
            (
                Header { kind: 2, connection: 0, length: 1 << 20 }.to_bytes().to_vec(),
                TrustyState::Gone(String::new()),
            ),
            (Vec::new(), TrustyState::Gone("QEMU has ended".into())),
        ] {
            let (ours, mut agent) = UnixStream::pair().unwrap();
            let mut link = Link::new(ours).unwrap();
            agent.write_all(&bytes).unwrap();
            drop(agent);
            link.receive();
            match expected {
                TrustyState::Gone(text) if text.is_empty() => {
                    assert!(matches!(link.state, TrustyState::Gone(_)))
                }
                expected => assert_eq!(link.state, expected),
            }
        }
    }

    #[test]
    fn a_name_that_no_port_has_is_refused_at_once() {
        let (ours, _agent) = UnixStream::pair().unwrap();
        let mut link = Link::new(ours).unwrap();
        for name in [&[b'a'; 64][..], b"", b"port\0more"] {
            assert_eq!(link.connect(name), Err(Error::InvalidArguments), "{name:?}");
        }
        let channels: Vec<u32> = (0..32).map(|_| link.connect(b"port").unwrap()).collect();
        assert_eq!(link.connect(b"port"), Err(Error::NoResources));
        // Numbers come round, and 0 is none.
        (0..2 * u32::from(u16::MAX)).for_each(|_| {
            link.close(channels[0]);
            let channel = link.connect(b"port").unwrap();
            assert!(channel != 0 && !channels[1..].contains(&channel));
            link.close(channel);
            link.outbox.clear();
            assert!(link.connect(b"port").is_ok_and(|channel| {
                link.close(channel);
                true
            }));
        });
    }
}
