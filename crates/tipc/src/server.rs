//! The other side of the [socket](crate::socket): clients, each a connection to a port, in front of whatever runs the trusted apps.

use crate::socket::{HEADER, PACKET};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, recv, send,
};
use std::os::fd::OwnedFd;
use std::path::Path;
use trusty_abi::{Error, limit};

/// Clients at once: the connections that Linux can have, and some that have not named a port yet.
const CLIENTS: usize = limit::NS_CHANNELS + 64;
/// Packets of one client before the others have their turn.
const TURN: usize = 8;
/// How long a client's room for the last packet is waited for.
const LAST_WORD: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// How packets are sent.
const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// What a port sends to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// It has accepted.
    Accepted,
    /// A message.
    Message(Vec<u8>),
    /// Of a message of so many bytes so many arrived, or none.
    Lost(usize, Result<usize, Error>),
    /// It refuses, or has closed; the channel is gone.
    Closed(Error),
}

/// What runs the trusted apps.
pub trait Backend {
    /// Whether messages of clients can be taken; else they stay in their sockets.
    fn accepts(&self) -> bool {
        true
    }

    /// Starts to connect: what becomes of it is told by [`Self::next`].
    fn connect(&mut self, port: &[u8]) -> Result<u32, Error>;

    /// Why a port is gone: which trusted app had it, and why it has ended. None if that is not known.
    fn ended(&self, _port: &[u8]) -> Option<String> {
        None
    }

    /// Tells whoever looks on what a client is not told.
    fn say(&mut self, text: &str);

    /// Ends a channel that the client has left.
    fn close(&mut self, channel: u32);

    /// Sends a message. Returns how much of it the port has room for, as far as that is known now.
    fn send(&mut self, channel: u32, message: &[u8]) -> Result<usize, Error>;

    /// What a channel has for its client, if anything.
    fn next(&mut self, channel: u32) -> Option<Incoming>;
}

enum ClientState {
    /// The port's name is to come.
    New,
    /// The port of this name has not accepted yet.
    Connecting(u32, Vec<u8>),
    /// The port of this name has refused.
    Refused(Vec<u8>),
    /// Connected.
    Open(u32),
    /// It has ended, and its last packet is still to go.
    Closing,
}

struct Client {
    fd: OwnedFd,
    state: ClientState,
    /// What the socket had no room for.
    outbox: Option<Vec<u8>>,
    lost: bool,
}

/// The socket and its clients.
pub struct Server {
    listener: OwnedFd,
    clients: Vec<Client>,
    /// Messages that Linux would have lost.
    pub lost: u64,
    /// Messages to and from clients.
    pub messages: u64,
}

impl Server {
    /// Listens at a path.
    pub fn listen(path: &Path) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::bind(&listener, &SocketAddrUnix::new(path)?)?;
        rustix::net::listen(&listener, 64)?;
        Ok(Self { listener, clients: Vec::new(), lost: 0, messages: 0 })
    }

    /// What to wait for. `accepts`: whether the backend does.
    pub fn poll_fds(&self, accepts: bool) -> Vec<PollFd<'_>> {
        let wanted = |client: &Client| {
            let out = if client.outbox.is_some() { PollFlags::OUT } else { PollFlags::empty() };
            if accepts { out | PollFlags::IN } else { out }
        };
        // One that nothing is wanted of would tell its hang-up again and again.
        let clients = self
            .clients
            .iter()
            .map(|client| (client, wanted(client)))
            .filter(|(_, wanted)| !wanted.is_empty());
        let clients = clients.map(|(client, wanted)| PollFd::new(&client.fd, wanted));
        // Who comes when there is no room waits in the socket's own queue.
        let listener = if self.clients.len() < CLIENTS { PollFlags::IN } else { PollFlags::empty() };
        std::iter::once(PollFd::new(&self.listener, listener)).chain(clients).collect()
    }

    /// Takes in what clients have sent and hands out what apps have. Whether anything passed.
    pub fn serve(&mut self, backend: &mut impl Backend) -> bool {
        let mut passed = false;
        if self.clients.len() == CLIENTS
            && let Some(silent) =
                self.clients.iter().position(|client| matches!(client.state, ClientState::New))
        {
            // The one that has said nothing for longest gives way.
            self.clients.remove(silent);
        }
        while self.clients.len() < CLIENTS
            && let Ok(fd) = accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        {
            self.clients.push(Client { fd, state: ClientState::New, outbox: None, lost: false });
            passed = true;
        }
        let clients = std::mem::take(&mut self.clients);
        for mut client in clients {
            let alive = self
                .receive(&mut client, backend, &mut passed)
                .and_then(|()| self.deliver(&mut client, backend, &mut passed));
            match alive {
                Ok(()) => self.clients.push(client),
                Err(code) => {
                    passed = true;
                    self.end(client, backend, code);
                }
            }
        }
        passed
    }

    /// Tells all clients that Trusty has stopped. One that does not read has a moment to make room for that.
    pub fn stop(&mut self) {
        for client in self.clients.drain(..) {
            let mut fds = [PollFd::new(&client.fd, PollFlags::OUT)];
            let _ = rustix::event::poll(&mut fds, Some(&LAST_WORD));
            let _ = send(&client.fd, &Error::Offline.code().to_le_bytes(), FLAGS);
        }
    }

    /// Ends a client. Without a code it has gone itself; one that has no room for the code stays until it has.
    fn end(&mut self, mut client: Client, backend: &mut impl Backend, code: Option<Error>) {
        if let ClientState::Connecting(handle, _) | ClientState::Open(handle) = client.state {
            backend.close(handle);
        }
        // Only to whoever wants to connect: behind the code of an open connection nothing is read.
        let port = match &client.state {
            ClientState::Connecting(_, port) | ClientState::Refused(port) => Some(port.as_slice()),
            _ => None,
        };
        let why = port.and_then(|port| backend.ended(port)).unwrap_or_default();
        if code.is_none() && !why.is_empty() {
            // The kernel keeps the ports of one that has not closed them: nobody answers there.
            backend.say(&format!("emulator: a client has waited for a port in vain: {why}"));
        }
        client.state = ClientState::Closing;
        let text = why.as_bytes().get(..PACKET - HEADER).unwrap_or(why.as_bytes());
        if let Some(code) = code
            && put(&mut client, [&code.code().to_le_bytes(), text].concat()).is_ok()
            && client.outbox.is_some()
        {
            self.clients.push(client);
        }
    }

    fn receive(
        &mut self,
        client: &mut Client,
        backend: &mut impl Backend,
        passed: &mut bool,
    ) -> Result<(), Option<Error>> {
        for _ in 0..TURN {
            if !backend.accepts() {
                break;
            }
            // Nothing may come before the answer to the name.
            let early = matches!(client.state, ClientState::Connecting(..));
            let mut packet = [0; PACKET + 1];
            let length = match recv(&client.fd, &mut packet[..], RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Ok((_, 0)) | Err(_) => return Err(None),
                Ok((_, length)) => length,
            };
            *passed = true;
            if early {
                return Err(Some(Error::NotReady));
            }
            let sound = (HEADER..=PACKET).contains(&length) && packet.starts_with(&[0; HEADER]);
            let message =
                packet.get(HEADER..length).filter(|_| sound).ok_or(Some(Error::InvalidArguments))?;
            match client.state {
                // Nobody is there for it any more.
                ClientState::Closing => {}
                ClientState::Open(handle) => {
                    self.messages += 1;
                    let sent = backend.send(handle, message);
                    self.judge(client, backend, message.len(), sent);
                }
                _ => {
                    client.state = ClientState::Refused(message.to_vec());
                    let handle = backend.connect(message).map_err(Some)?;
                    client.state = ClientState::Connecting(handle, message.to_vec());
                }
            }
        }
        Ok(())
    }

    /// What became of a message of a client: what finds no buffer is lost, as in `handle_chan_msg` of tipc_dev.c.
    fn judge(
        &mut self,
        client: &mut Client,
        backend: &mut impl Backend,
        length: usize,
        sent: Result<usize, Error>,
    ) {
        let why = match sent {
            Ok(sent) if sent == length => return,
            Ok(sent) => format!("a message of {length} bytes was cut to the port's receive buffer of {sent}"),
            Err(Error::NotEnoughBuffer) => "a message was lost: the port's receive buffers were full".into(),
            Err(_) => return,
        };
        self.lost += 1;
        if !client.lost {
            client.lost = true;
            backend.say(&format!("emulator: {why}; Linux would not have been told either"));
        }
    }

    fn deliver(
        &mut self,
        client: &mut Client,
        backend: &mut impl Backend,
        passed: &mut bool,
    ) -> Result<(), Option<Error>> {
        if let Some(packet) = client.outbox.take() {
            put(client, packet)?;
        }
        if matches!(client.state, ClientState::Closing) && client.outbox.is_none() {
            return Err(None);
        }
        let (ClientState::Connecting(handle, _) | ClientState::Open(handle)) = client.state else {
            return Ok(());
        };
        while client.outbox.is_none() {
            let Some(incoming) = backend.next(handle) else { break };
            *passed = true;
            match incoming {
                Incoming::Accepted => {
                    client.state = ClientState::Open(handle);
                    put(client, 0i32.to_le_bytes().to_vec())?;
                }
                Incoming::Message(message) => {
                    // The driver's buffer holds the header too.
                    let message = message.get(..PACKET - HEADER).unwrap_or(&message);
                    self.messages += 1;
                    put(client, [&[0; HEADER], message].concat())?;
                }
                Incoming::Lost(length, sent) => self.judge(client, backend, length, sent),
                Incoming::Closed(error) => {
                    // Nothing is left to close.
                    client.state = match std::mem::replace(&mut client.state, ClientState::New) {
                        ClientState::Connecting(_, port) => ClientState::Refused(port),
                        _ => ClientState::New,
                    };
                    return Err(Some(error));
                }
            }
        }
        Ok(())
    }
}

/// Sends a packet, or keeps it until there is room.
fn put(client: &mut Client, packet: Vec<u8>) -> Result<(), Option<Error>> {
    match send(&client.fd, &packet, FLAGS) {
        Ok(_) => Ok(()),
        Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => {
            client.outbox = Some(packet);
            Ok(())
        }
        Err(_) => Err(None),
    }
}
