//! How ports and channels come and go (`ipc.c`).

use crate::channel::{Channel, ChannelState};
use crate::id::Id;
use crate::queue::Queue;
use crate::{Kernel, Object};
use trusty_abi::{Error, Result, Uuid, port};

impl Kernel {
    pub(crate) fn find_port(&self, path: &[u8]) -> Option<Id> {
        let is = |object: &Object| matches!(object, Object::Port(port) if port.path == path);
        self.objects.iter().find(|(_, object)| is(object)).map(|(id, _)| *id)
    }

    /// Joins a client to a port: makes the server's end and lets it wait there (`port_attach_client`).
    pub(crate) fn attach(&mut self, port_id: Id, client: Id) -> Result<()> {
        let uuid = self.channel(client).ok_or(Error::InvalidArguments)?.uuid;
        let port = self.port(port_id).ok_or(Error::NotReady)?;
        let needed = if uuid == Uuid::NON_SECURE { port::ALLOW_NS_CONNECT } else { port::ALLOW_TA_CONNECT };
        if port.flags & needed == 0 {
            return Err(Error::AccessDenied);
        }
        let server_uuid = port.uuid;
        let (buffers, size) = (port.buffers, port.buffer_size);
        if !self.has_memory(2 * Queue::memory(buffers, size)) {
            return Err(Error::NoMemory);
        }
        let queue = || Some(Queue::new(buffers, size));
        let mut server = Channel::new(ChannelState::Accepting, server_uuid);
        server.peer = Some(client);
        server.queue = queue();
        let client_queue = queue();
        let server = self.insert(Object::Channel(server));
        if let Some(client) = self.channel(client) {
            client.state = ChannelState::Connecting;
            client.peer = Some(server);
            client.queue = client_queue;
        }
        if let Some(port) = self.port(port_id) {
            port.pending.push_back(server);
        }
        Ok(())
    }

    /// A new port takes the clients that have waited for it (`ipc_port_publish`).
    pub(crate) fn take_waiting(&mut self, port_id: Id) {
        let Some(path) = self.port(port_id).map(|port| port.path.clone()) else { return };
        let all = std::mem::take(&mut self.waiting);
        let (ours, others) = all.into_iter().partition(|(_, wanted)| *wanted == path);
        self.waiting = others;
        let ours: Vec<(Id, Vec<u8>)> = ours;
        for (client, _) in ours {
            if self.attach(port_id, client).is_err() {
                // chan_shutdown_locked asserts that the client is still in the list it has just been taken from.
                self.panic("a client waited for a port that does not let it connect");
            }
        }
    }

    /// Ends a channel from one side (`chan_shutdown_locked`).
    pub(crate) fn shutdown(&mut self, id: Id) {
        self.waiting.retain(|(waiting, _)| *waiting != id);
        let peer = self.channel(id).and_then(|channel| {
            channel.state = ChannelState::Disconnecting;
            channel.peer.take()
        });
        if let Some(peer) = peer.and_then(|peer| self.channel(peer)) {
            peer.state = ChannelState::Disconnecting;
            peer.peer = None;
        }
    }

    /// Ends a port or channel whose handle has been closed.
    pub(crate) fn destroy(&mut self, id: Id) {
        if let Some(port) = self.port(id) {
            let pending: Vec<Id> = port.pending.drain(..).collect();
            for server in pending {
                self.shutdown(server);
                self.objects.remove(&server);
            }
        } else {
            self.shutdown(id);
        }
        self.objects.remove(&id);
    }
}
