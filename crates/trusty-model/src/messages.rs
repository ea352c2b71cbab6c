//! System calls on messages (`ipc_msg.c`).

use crate::channel::ChannelState;
use crate::id::Id;
use crate::queue::Queue;
use crate::{Kernel, Task};
use trusty_abi::{Error, MessageInfo, Result};

impl Kernel {
    /// Sends a message and returns its bytes. One longer than the peer's receive buffer is cut, as the kernel does it.
    pub fn send_msg(&mut self, task: Task, handle: u32, parts: &[&[u8]]) -> Result<usize> {
        self.send_room(task, handle)?;
        let id = self.channel_of(task, handle)?;
        let peer = self.channel(id).and_then(|channel| channel.peer).ok_or(Error::NotReady)?;
        let queue = self.channel(peer).and_then(|peer| peer.queue.as_mut()).ok_or(Error::NotReady)?;
        queue.write(parts)
    }

    /// What a send checks before it looks at the message: bytes of the peer's receive buffer, if one is free.
    pub fn send_room(&mut self, task: Task, handle: u32) -> Result<usize> {
        let id = self.channel_of(task, handle)?;
        let channel = self.channel(id).ok_or(Error::InvalidArguments)?;
        let peer = match (channel.state, channel.peer) {
            (ChannelState::Connected, Some(peer)) => peer,
            (ChannelState::Disconnecting, _) => return Err(Error::ChannelClosed),
            _ => return Err(Error::NotReady),
        };
        let queue = self.channel(peer).and_then(|peer| peer.queue.as_ref()).ok_or(Error::NotReady)?;
        if !queue.is_full() {
            return Ok(queue.size());
        }
        if let Some(channel) = self.channel(id) {
            channel.send_blocked = true;
        }
        Err(Error::NotEnoughBuffer)
    }

    /// The oldest message, which stays where it is.
    pub fn peek_msg(&mut self, task: Task, handle: u32) -> Result<MessageInfo> {
        self.queue(task, handle)?.peek()
    }

    /// Takes the oldest message into reading.
    pub fn get_msg(&mut self, task: Task, handle: u32) -> Result<MessageInfo> {
        self.queue(task, handle)?.get()
    }

    /// The bytes of a message that is being read, from an offset.
    pub fn read_msg(&mut self, task: Task, handle: u32, id: u32, offset: u32) -> Result<&[u8]> {
        self.queue(task, handle)?.read(id, offset)
    }

    /// Retires a message; a peer whose send found no room learns that there is some.
    pub fn put_msg(&mut self, task: Task, handle: u32, id: u32) -> Result<()> {
        self.queue(task, handle)?.put(id)?;
        let channel = self.channel_of(task, handle)?;
        let peer = self.channel(channel).and_then(|channel| channel.peer);
        if let Some(peer) = peer.and_then(|peer| self.channel(peer))
            && peer.send_blocked
        {
            peer.send_blocked = false;
            peer.send_unblocked = true;
        }
        Ok(())
    }

    /// Takes the oldest message out: reads all of it, and retires it.
    pub fn take_msg(&mut self, task: Task, handle: u32) -> Result<Vec<u8>> {
        let info = self.get_msg(task, handle)?;
        let message = self.read_msg(task, handle, info.id, 0).map(<[u8]>::to_vec);
        self.put_msg(task, handle, info.id)?;
        message
    }

    fn channel_of(&mut self, task: Task, handle: u32) -> Result<Id> {
        let id = self.task(task)?.get(handle)?;
        if self.channel(id).is_some() { Ok(id) } else { Err(Error::InvalidArguments) }
    }

    fn queue(&mut self, task: Task, handle: u32) -> Result<&mut Queue> {
        let id = self.channel_of(task, handle)?;
        let has = self.channel(id).is_some_and(|channel| channel.queue.is_some());
        if !has {
            // The kernel follows the queue's null pointer.
            self.panic("a message was asked of a channel that still waits for its port");
        }
        self.channel(id).and_then(|channel| channel.queue.as_mut()).ok_or(Error::NotReady)
    }
}
