//! Frames to and from the agent, and the connections that they are about.

use desk_firmware::link::{self, Frames, Header};
use rustix::event::PollFlags;
use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use tipc::server::Incoming;
use trusty_abi::Error;

/// Messages that a connection may have here before its client has taken them.
const WINDOW: u32 = 8;
/// Bytes for the agent from which on clients must wait.
const FULL: usize = 256 << 10;

#[derive(Default)]
struct Connection {
    incoming: VecDeque<Incoming>,
    /// Messages that the client has taken and the agent does not know of.
    taken: u32,
}

/// What the agent says of Trusty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
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
    /// What the agent has said last.
    pub state: State,
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
            state: State::Starting,
        })
    }

    /// The stream and what to wait for.
    pub fn poll(&self) -> (&UnixStream, PollFlags) {
        let out = if self.outbox.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        (&self.stream, PollFlags::IN | out)
    }

    /// Whether more for the agent can be taken.
    pub fn has_room(&self) -> bool {
        self.outbox.len() < FULL
    }

    fn put(&mut self, kind: u16, connection: u16, payload: &[u8]) {
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
        while matches!(self.state, State::Starting | State::Ready) {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.state = State::Gone("QEMU has ended".into()),
                Ok(length) => {
                    came = true;
                    self.take(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.state = State::Gone(format!("QEMU has gone: {error}")),
            }
        }
        came
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.frames.take(bytes) {
                Ok((rest, _)) => bytes = rest,
                Err(error) => {
                    self.state = State::Gone(format!("the agent's frames are out of step: {error:?}"));
                    return;
                }
            }
            let Some((header, payload)) = self.frames.frame() else { continue };
            match header.kind {
                link::READY => self.state = State::Ready,
                link::DEAD => self.state = State::Dead(String::from_utf8_lossy(payload).into_owned()),
                _ => {
                    // Of a connection that the client has left, frames may still be under way.
                    let connection = self.connections.get_mut(&header.connection);
                    if let Some((connection, incoming)) = connection.zip(incoming(header, payload)) {
                        connection.incoming.push_back(incoming);
                    }
                }
            }
        }
    }

    /// Starts to connect.
    pub fn connect(&mut self, port: &[u8]) -> Result<u32, Error> {
        if port.len() >= trusty_abi::limit::PORT_PATH {
            return Err(Error::InvalidArguments);
        }
        let free = |number: &u16| !self.connections.contains_key(number);
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

fn incoming(header: Header, payload: &[u8]) -> Option<Incoming> {
    let word = |at: usize| Some(i32::from_le_bytes(payload.get(at..at + 4)?.try_into().ok()?));
    match header.kind {
        link::ACCEPTED => Some(Incoming::Accepted),
        link::MESSAGE => Some(Incoming::Message(payload.to_vec())),
        link::CLOSE => Some(Incoming::Closed(Error::from_code(word(0)?))),
        link::LOST => {
            let (length, result) = (word(0)?, word(4)?);
            let sent = Error::check(result).map(|sent| sent as usize);
            Some(Incoming::Lost(usize::try_from(length).ok()?, sent))
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
        assert_eq!(link.state, State::Ready);
        let channel = link.connect(b"port").unwrap();
        assert!(link.flush());
        let expected =
            [frame(link::CONNECT, 1, b"port"), frame(link::CREDIT, 1, &8u32.to_le_bytes())].concat();
        assert_eq!(sent(&mut agent), expected);
        agent.write_all(&frame(link::ACCEPTED, 1, &[])).unwrap();
        (0..4).for_each(|n| agent.write_all(&frame(link::MESSAGE, 1, &[n])).unwrap());
        let lost = [100u32.to_le_bytes(), (-9i32).to_le_bytes()].concat();
        agent.write_all(&frame(link::LOST, 1, &lost)).unwrap();
        agent.write_all(&frame(link::CLOSE, 1, &(-15i32).to_le_bytes())).unwrap();
        agent.write_all(&frame(link::MESSAGE, 7, b"of a connection that has gone")).unwrap();
        link.receive();
        assert_eq!(link.next(channel), Some(Incoming::Accepted));
        (0..4).for_each(|n| assert_eq!(link.next(channel), Some(Incoming::Message(vec![n]))));
        assert_eq!(link.next(channel), Some(Incoming::Lost(100, Err(Error::NotEnoughBuffer))));
        assert_eq!(link.next(channel), Some(Incoming::Closed(Error::ChannelClosed)));
        assert_eq!(link.next(channel), None);
        link.close(channel);
        link.flush();
        assert_eq!(
            sent(&mut agent),
            frame(link::CREDIT, 1, &4u32.to_le_bytes()),
            "and no close of what has closed"
        );
    }

    #[test]
    fn what_ends_the_machine_is_told() {
        for (bytes, expected) in [
            (frame(link::DEAD, 0, b"panicked"), State::Dead("panicked".into())),
            (
                Header { kind: 2, connection: 0, length: 1 << 20 }.to_bytes().to_vec(),
                State::Gone(String::new()),
            ),
            (Vec::new(), State::Gone("QEMU has ended".into())),
        ] {
            let (ours, mut agent) = UnixStream::pair().unwrap();
            let mut link = Link::new(ours).unwrap();
            agent.write_all(&bytes).unwrap();
            drop(agent);
            link.receive();
            match expected {
                State::Gone(text) if text.is_empty() => assert!(matches!(link.state, State::Gone(_))),
                expected => assert_eq!(link.state, expected),
            }
        }
    }

    #[test]
    fn a_name_that_no_port_has_is_refused_at_once() {
        let (ours, _agent) = UnixStream::pair().unwrap();
        let mut link = Link::new(ours).unwrap();
        assert_eq!(link.connect(&[b'a'; 64]), Err(Error::InvalidArguments));
    }
}
