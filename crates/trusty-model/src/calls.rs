//! System calls that make, join, close and watch handles.

use crate::channel::{Channel, ChannelState, Port};
use crate::id::Id;
use crate::{Kernel, Object, Task};
use std::collections::VecDeque;
use trusty_abi::{Error, Event, Result, Uuid, connect, event, limit};

impl Kernel {
    /// Creates a port and publishes it.
    pub fn port_create(
        &mut self,
        task: Task,
        path: &[u8],
        buffers: u32,
        buffer_size: u32,
        flags: u32,
    ) -> Result<u32> {
        let sizes = 1..=limit::RECV_BUF_SIZE;
        if !(1..=limit::RECV_BUFS).contains(&buffers) || !sizes.contains(&buffer_size) {
            return Err(Error::InvalidArguments);
        }
        check_path(path)?;
        let uuid = self.task(task)?.uuid;
        let (path, pending) = (path.to_vec(), VecDeque::new());
        let taken = self.find_port(&path).is_some();
        let id = self.insert(Object::Port(Port { path, uuid, buffers, buffer_size, flags, pending }));
        let handle = self.install(task, id)?;
        if taken {
            self.close(task, handle)?;
            return Err(Error::AlreadyExists);
        }
        self.take_waiting(id);
        Ok(handle)
    }

    /// Connects to a port. Unlike the system call it does not wait: the handle tells `READY` when the server has
    /// accepted, as with [`connect::ASYNC`]. [`Self::connected`] says what the system call would then return.
    pub fn connect(&mut self, task: Task, path: &[u8], flags: u32) -> Result<u32> {
        if flags & !(connect::WAIT_FOR_PORT | connect::ASYNC) != 0 {
            return Err(Error::InvalidArguments);
        }
        check_path(path)?;
        let uuid = self.task(task)?.uuid;
        let port = self.find_port(path);
        if port.is_none() && flags & connect::WAIT_FOR_PORT == 0 {
            return Err(Error::NotFound);
        }
        let id = self.insert(Object::Channel(Channel::new(ChannelState::WaitingForPort, uuid)));
        match port {
            Some(port) => {
                if let Err(error) = self.attach(port, id) {
                    self.objects.remove(&id);
                    return Err(error);
                }
            }
            None => self.waiting.push((id, path.to_vec())),
        }
        self.install(task, id)
    }

    /// How a `connect` that waits ends, once its handle has these events: closes the handle unless it is connected.
    pub fn connected(&mut self, task: Task, handle: u32, events: u32) -> Result<u32> {
        let error = if events & event::HUP != 0 && events & event::MSG == 0 {
            Error::ChannelClosed
        } else if events & event::READY == 0 {
            Error::NotReady
        } else {
            return Ok(handle);
        };
        self.close(task, handle)?;
        Err(error)
    }

    /// Accepts the client that has waited longest at a port.
    pub fn accept(&mut self, task: Task, handle: u32) -> Result<(u32, Uuid)> {
        let id = self.task(task)?.get(handle)?;
        let server = self.port(id).ok_or(Error::InvalidArguments)?.pending.pop_front();
        let server = server.ok_or(Error::NoMessage)?;
        let client = self.channel(server).and_then(|channel| channel.peer);
        let Some(client) = client.and_then(|client| self.channel(client)) else {
            self.objects.remove(&server);
            return Err(Error::ChannelClosed);
        };
        client.state = ChannelState::Connected;
        client.ready = true;
        let uuid = client.uuid;
        if let Some(server) = self.channel(server) {
            server.state = ChannelState::Connected;
        }
        Ok((self.install(task, server)?, uuid))
    }

    /// Closes a handle; the peer of a channel sees a hang-up.
    pub fn close(&mut self, task: Task, handle: u32) -> Result<()> {
        let id = self.task(task)?.remove(handle)?;
        self.destroy(id);
        Ok(())
    }

    /// Gives a handle a value that its events bear.
    pub fn set_cookie(&mut self, task: Task, handle: u32, cookie: u32) -> Result<()> {
        self.task(task)?.set_cookie(handle, cookie)
    }

    /// `wait` that does not wait.
    pub fn poll(&mut self, task: Task, handle: u32) -> Result<Option<Event>> {
        let id = self.task(task)?.get(handle)?;
        let events = self.events(id);
        Ok(self.tell(task, handle, id, events))
    }

    /// `wait_any` that does not wait. `NotFound` if the task has no handle at all.
    pub fn poll_any(&mut self, task: Task) -> Result<Option<Event>> {
        let handles = self.task(task)?.in_order();
        if handles.is_empty() {
            return Err(Error::NotFound);
        }
        for (handle, id) in handles {
            let events = self.events(id);
            if events != 0 {
                self.task(task)?.rotate(handle);
                return Ok(self.tell(task, handle, id, events));
            }
        }
        Ok(None)
    }

    fn events(&self, id: Id) -> u32 {
        match self.objects.get(&id) {
            Some(Object::Port(port)) if port.pending.is_empty() => 0,
            Some(Object::Port(_)) => event::READY,
            Some(Object::Channel(channel)) => channel.events(),
            None => event::ERROR,
        }
    }

    fn tell(&mut self, task: Task, handle: u32, id: Id, events: u32) -> Option<Event> {
        if let Some(channel) = self.channel(id) {
            channel.told(events);
        }
        let cookie = self.task(task).map_or(0, |handles| handles.cookie(handle));
        (events != 0).then_some(Event { handle, event: events, cookie })
    }

    pub(crate) fn task(&mut self, task: Task) -> Result<&mut crate::handles::Handles> {
        self.tasks.get_mut(task.0).ok_or(Error::InvalidArguments)
    }

    /// Gives a task a handle of an object; without a free one the object ends.
    fn install(&mut self, task: Task, id: Id) -> Result<u32> {
        self.task(task)?.install(id).inspect_err(|_| self.destroy(id))
    }
}

fn check_path(path: &[u8]) -> Result<()> {
    let fits = !path.is_empty() && path.len() < limit::PORT_PATH && !path.contains(&0);
    if fits { Ok(()) } else { Err(Error::InvalidArguments) }
}
