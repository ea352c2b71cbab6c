//! Clients, each a connection of Linux to a port: see [`tipc::socket`] for the packets.

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, recv, send,
};
use std::os::fd::OwnedFd;
use std::path::Path;
use tipc::socket::{HEADER, PACKET};
use trusty_abi::{Error, connect, event, limit};
use trusty_model::{Kernel, Task};

/// Clients at once: the connections that Linux can have, and some that have not named a port yet.
const CLIENTS: usize = limit::NS_CHANNELS + 64;
/// Packets of one client before the others have their turn.
const TURN: usize = 8;

enum State {
    /// The port's name is to come.
    New,
    /// The port has not accepted yet.
    Connecting(u32),
    /// Connected.
    Open(u32),
}

struct Client {
    fd: OwnedFd,
    state: State,
    /// What the socket had no room for.
    outbox: Option<Vec<u8>>,
    lost: bool,
}

/// The socket and its clients.
pub struct Server {
    listener: OwnedFd,
    clients: Vec<Client>,
    linux: Task,
    /// Messages that Linux would have lost.
    pub lost: u64,
    /// Messages to and from clients.
    pub messages: u64,
}

impl Server {
    /// Listens at a path.
    pub fn listen(path: &Path, linux: Task) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::bind(&listener, &SocketAddrUnix::new(path)?)?;
        rustix::net::listen(&listener, 64)?;
        Ok(Self { listener, clients: Vec::new(), linux, lost: 0, messages: 0 })
    }

    /// What to wait for.
    pub fn poll_fds(&self) -> Vec<PollFd<'_>> {
        let wanted = |client: &Client| match client.outbox {
            Some(_) => PollFlags::IN | PollFlags::OUT,
            None => PollFlags::IN,
        };
        let clients = self.clients.iter().map(|client| PollFd::new(&client.fd, wanted(client)));
        // Who comes when there is no room waits in the socket's own queue.
        let listener = if self.clients.len() < CLIENTS { PollFlags::IN } else { PollFlags::empty() };
        std::iter::once(PollFd::new(&self.listener, listener)).chain(clients).collect()
    }

    /// Takes in what clients have sent and hands out what apps have. Whether anything passed.
    pub fn serve(&mut self, kernel: &mut Kernel) -> bool {
        let mut passed = false;
        while self.clients.len() < CLIENTS
            && let Ok(fd) = accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        {
            self.clients.push(Client { fd, state: State::New, outbox: None, lost: false });
            passed = true;
        }
        let clients = std::mem::take(&mut self.clients);
        for mut client in clients {
            let alive = self
                .receive(&mut client, kernel, &mut passed)
                .and_then(|()| self.deliver(&mut client, kernel, &mut passed));
            match alive {
                Ok(()) => self.clients.push(client),
                Err(code) => {
                    passed = true;
                    self.end(client, kernel, code);
                }
            }
        }
        passed
    }

    /// Tells all clients that Trusty has stopped.
    pub fn stop(&mut self) {
        for client in self.clients.drain(..) {
            let _ = send(&client.fd, &Error::Offline.code().to_le_bytes(), SendFlags::NOSIGNAL);
        }
    }

    /// Ends a client. Without a code it has gone itself.
    fn end(&mut self, client: Client, kernel: &mut Kernel, code: Option<Error>) {
        if let Some(code) = code {
            let _ = send(&client.fd, &code.code().to_le_bytes(), SendFlags::NOSIGNAL);
        }
        if let State::Connecting(handle) | State::Open(handle) = client.state {
            let _ = kernel.close(self.linux, handle);
        }
    }

    fn receive(
        &mut self,
        client: &mut Client,
        kernel: &mut Kernel,
        passed: &mut bool,
    ) -> Result<(), Option<Error>> {
        for _ in 0..TURN {
            // Nothing may come before the answer to the name.
            let early = matches!(client.state, State::Connecting(_));
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
                State::Open(handle) => self.take(client, kernel, handle, message)?,
                // The driver refuses before the kernel is asked.
                _ if kernel.handles(self.linux) >= limit::NS_CHANNELS => {
                    return Err(Some(Error::NoResources));
                }
                _ => {
                    let handle = kernel.connect(self.linux, message, connect::ASYNC).map_err(Some)?;
                    client.state = State::Connecting(handle);
                }
            }
        }
        Ok(())
    }

    /// A message of a client: what finds no buffer is lost, as in `handle_chan_msg` of tipc_dev.c.
    fn take(
        &mut self,
        client: &mut Client,
        kernel: &mut Kernel,
        handle: u32,
        message: &[u8],
    ) -> Result<(), Option<Error>> {
        self.messages += 1;
        let why = match kernel.send_msg(self.linux, handle, &[message]) {
            Ok(sent) if sent == message.len() => return Ok(()),
            Ok(sent) => {
                format!("a message of {} bytes was cut to the port's receive buffer of {sent}", message.len())
            }
            Err(Error::NotEnoughBuffer) => "a message was lost: the port's receive buffers were full".into(),
            Err(_) => return Ok(()),
        };
        self.lost += 1;
        if !client.lost {
            client.lost = true;
            eprintln!("emulator: {why}; Linux would not have been told either");
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        client: &mut Client,
        kernel: &mut Kernel,
        passed: &mut bool,
    ) -> Result<(), Option<Error>> {
        if let Some(packet) = client.outbox.take() {
            put(client, packet)?;
        }
        let (State::Connecting(handle) | State::Open(handle)) = client.state else { return Ok(()) };
        while client.outbox.is_none() {
            let closed = |_| Some(Error::ChannelClosed);
            let Some(event) = kernel.poll(self.linux, handle).map_err(closed)? else { break };
            *passed = true;
            if event.event & event::READY != 0 {
                client.state = State::Open(handle);
                put(client, 0i32.to_le_bytes().to_vec())?;
            }
            if event.event & event::MSG != 0 && client.outbox.is_none() {
                let info = kernel.get_msg(self.linux, handle).map_err(closed)?;
                let message = kernel.read_msg(self.linux, handle, info.id, 0).map_err(closed)?;
                // The driver's buffer holds the header too.
                let message = message.get(..PACKET - HEADER).unwrap_or(message);
                let packet = [&[0; HEADER], message].concat();
                kernel.put_msg(self.linux, handle, info.id).map_err(closed)?;
                self.messages += 1;
                put(client, packet)?;
            } else if event.event & event::HUP != 0 {
                return Err(Some(Error::ChannelClosed));
            }
        }
        Ok(())
    }
}

/// Sends a packet, or keeps it until there is room.
fn put(client: &mut Client, packet: Vec<u8>) -> Result<(), Option<Error>> {
    match send(&client.fd, &packet, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(_) => Ok(()),
        Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => {
            client.outbox = Some(packet);
            Ok(())
        }
        Err(_) => Err(None),
    }
}
