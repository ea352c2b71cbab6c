//! Handles that close on drop.

use crate::kernel::kernel;
use crate::port::PortCfg;
use crate::syscalls::Syscalls;
use core::ffi::CStr;
use core::time::Duration;
use trusty_abi::{Error, Event, MessageInfo, Result, Uuid, connect};

/// One end of a channel. Dropping it closes the channel: the peer sees a hang-up.
#[derive(Debug, PartialEq, Eq)]
pub struct Handle(Raw);

/// A published port. Dropping it withdraws the port and hangs up on those who wait there.
#[derive(Debug, PartialEq, Eq)]
pub struct Port(Raw);

/// A message in one of the channel's receive buffers. Dropping it gives the buffer back.
#[derive(Debug)]
pub struct Message<'a> {
    handle: &'a Handle,
    info: MessageInfo,
}

#[derive(Debug, PartialEq, Eq)]
struct Raw(u32);

impl Drop for Raw {
    fn drop(&mut self) {
        // Refused only for a handle that is not there, and then there is nothing to close.
        let _ = kernel().close(self.0);
    }
}

impl Handle {
    /// Connects to another TA's port; waits until it accepts. `NotFound` if there is no such port.
    pub fn connect(port: &CStr) -> Result<Self> {
        kernel().connect(port, 0).map(|raw| Self(Raw(raw)))
    }

    /// The same, and waits so long at most: `TimedOut` if the other TA has not accepted then, `ChannelClosed` if it will not.
    pub fn connect_within(port: &CStr, timeout: Option<Duration>) -> Result<Self> {
        kernel().connect(port, connect::ASYNC).map(|raw| Self(Raw(raw)))?.accepted(timeout)
    }

    /// Waits until the other TA has accepted.
    pub(crate) fn accepted(self, timeout: Option<Duration>) -> Result<Self> {
        let event = self.wait(timeout)?.event;
        if event & trusty_abi::event::READY == 0 { Err(Error::ChannelClosed) } else { Ok(self) }
    }

    /// Connects to another TA's port without waiting, also to one that does not exist yet: the handle has the event
    /// [`crate::event::READY`] when the other TA has accepted.
    pub fn connect_async(port: &CStr) -> Result<Self> {
        kernel().connect(port, connect::ASYNC | connect::WAIT_FOR_PORT).map(|raw| Self(Raw(raw)))
    }

    /// The kernel's number.
    pub fn as_raw(&self) -> u32 {
        self.0.0
    }

    /// Sends a message, whole or not at all. `NotEnoughBuffer` if the peer has not read its messages: send again after
    /// [`crate::event::SEND_UNBLOCKED`]. `TooBig` if it is longer than the peer's receive buffers: the kernel cuts such a
    /// message, and the peer gets its beginning.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        self.send_parts(&[message])
    }

    /// Sends up to 4 parts as one message, without putting them together first.
    pub fn send_parts(&self, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let sent = kernel().send_msg(self.as_raw(), parts)?;
        if sent == length { Ok(()) } else { Err(Error::TooBig) }
    }

    /// The next message, or `None` if none waits. It stays in the kernel's buffer until it is read.
    pub fn get(&self) -> Result<Option<Message<'_>>> {
        match kernel().get_msg(self.as_raw()) {
            Ok(info) => Ok(Some(Message { handle: self, info })),
            Err(Error::NoMessage) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits for the next message and copies it into a buffer. `TooBig` if it is longer than the buffer: it is lost.
    /// `ChannelClosed` when the peer has closed and all its messages are read.
    pub fn recv<'b>(&self, buffer: &'b mut [u8], timeout: Option<Duration>) -> Result<&'b [u8]> {
        let message = self.next(timeout)?;
        let length = message.read(buffer)?;
        buffer.get(..length).ok_or(Error::TooBig)
    }

    /// Waits for the next message. `ChannelClosed` when the peer has closed and all its messages are read.
    pub(crate) fn next(&self, timeout: Option<Duration>) -> Result<Message<'_>> {
        loop {
            if let Some(message) = self.get()? {
                return Ok(message);
            }
            let event = self.wait(timeout)?;
            if event.event & trusty_abi::event::MSG == 0 && event.event & trusty_abi::event::HUP != 0 {
                return Err(Error::ChannelClosed);
            }
        }
    }

    /// Waits for an event of this handle. `TimedOut` if there is none in time.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Event> {
        kernel().wait(self.as_raw(), crate::time::milliseconds(timeout))
    }

    /// Gives the handle a value that its events bear.
    pub fn set_cookie(&self, cookie: u32) -> Result<()> {
        kernel().set_cookie(self.as_raw(), cookie)
    }
}

impl Port {
    /// Publishes a port. `AlreadyExists` if another TA, or this, has one of that name.
    pub fn create(cfg: &PortCfg) -> Result<Self> {
        kernel().port_create(cfg.path, cfg.buffers, cfg.buffer_size, cfg.flags).map(|raw| Self(Raw(raw)))
    }

    /// Accepts the client that has waited longest, and says who it is: [`Uuid::NON_SECURE`] for Linux. `NoMessage` if
    /// none waits, `ChannelClosed` if it has given up.
    pub fn accept(&self) -> Result<(Handle, Uuid)> {
        kernel().accept(self.as_raw()).map(|(raw, peer)| (Handle(Raw(raw)), peer))
    }

    /// The kernel's number.
    pub fn as_raw(&self) -> u32 {
        self.0.0
    }
}

impl Message<'_> {
    /// Its bytes.
    pub fn len(&self) -> usize {
        self.info.length as usize
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.info.length == 0
    }

    /// Copies it into a buffer and returns its length. `TooBig` if it is longer than the buffer.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        if self.len() > buffer.len() { Err(Error::TooBig) } else { self.read_parts(0, &mut [buffer]) }
    }

    /// Copies it, from an offset, into up to 4 parts, as far as they reach: so a header and what follows it go where
    /// they belong in one step. Returns the bytes copied.
    pub fn read_parts(&self, offset: usize, parts: &mut [&mut [u8]]) -> Result<usize> {
        let offset = u32::try_from(offset).map_err(|_| Error::InvalidArguments)?;
        kernel().read_msg(self.handle.as_raw(), self.info.id, offset, parts)
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // Refused only for a message that is not there.
        let _ = kernel().put_msg(self.handle.as_raw(), self.info.id);
    }
}
