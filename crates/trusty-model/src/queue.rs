//! Receive buffers of one end of a channel (`ipc_msg_queue`).

use std::collections::VecDeque;
use trusty_abi::{Error, MessageInfo, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BufferState {
    Free,
    Filled,
    Read,
}

#[derive(Clone)]
pub struct Queue {
    buffers: Vec<(BufferState, Vec<u8>)>,
    free: VecDeque<u32>,
    filled: VecDeque<u32>,
    size: usize,
}

impl Queue {
    pub fn new(count: u32, size: u32) -> Self {
        Self {
            buffers: (0..count).map(|_| (BufferState::Free, Vec::new())).collect(),
            free: (0..count).collect(),
            filled: VecDeque::new(),
            size: size as usize,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// Whether all buffers are taken.
    pub fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Bytes of a buffer.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Buffers that are not free.
    pub fn used(&self) -> usize {
        self.buffers.len() - self.free.len()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        self.buffers.len() * self.size
    }

    /// Bytes of the kernel's heap that it takes.
    pub fn taken(&self) -> u64 {
        Self::memory(self.buffers.len() as u32, self.size as u32)
    }

    /// Bytes that the kernel's heap takes for so many buffers: a large block is whole pages, its head included.
    pub fn memory(count: u32, size: u32) -> u64 {
        const PAGE: u64 = 4096;
        const HEAD: u64 = 32;
        let bytes = u64::from(count) * u64::from(size) + HEAD;
        if bytes < PAGE { bytes } else { bytes.next_multiple_of(PAGE) }
    }

    /// Copies a message in, cut to the size of a buffer. Returns the bytes that were taken.
    pub fn write(&mut self, parts: &[&[u8]]) -> Result<usize> {
        let id = *self.free.front().ok_or(Error::NotEnoughBuffer)?;
        let (state, data) = self.buffers.get_mut(id as usize).ok_or(Error::NotEnoughBuffer)?;
        data.clear();
        for part in parts {
            let room = self.size - data.len();
            data.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        }
        *state = BufferState::Filled;
        self.free.pop_front();
        self.filled.push_back(id);
        Ok(data.len())
    }

    /// The oldest message.
    pub fn peek(&self) -> Result<MessageInfo> {
        let id = *self.filled.front().ok_or(Error::NoMessage)?;
        let (_, data) = self.buffers.get(id as usize).ok_or(Error::NoMessage)?;
        Ok(MessageInfo { length: data.len() as u32, id })
    }

    /// Moves the oldest message to those that are being read.
    pub fn get(&mut self) -> Result<MessageInfo> {
        let info = self.peek()?;
        self.filled.pop_front();
        if let Some((state, _)) = self.buffers.get_mut(info.id as usize) {
            *state = BufferState::Read;
        }
        Ok(info)
    }

    /// A message that is being read, from an offset.
    pub fn read(&self, id: u32, offset: u32) -> Result<&[u8]> {
        match self.buffers.get(id as usize) {
            Some((BufferState::Read, data)) => data.get(offset as usize..).ok_or(Error::InvalidArguments),
            _ => Err(Error::InvalidArguments),
        }
    }

    /// Retires a message that was being read.
    pub fn put(&mut self, id: u32) -> Result<()> {
        match self.buffers.get_mut(id as usize) {
            Some((state @ BufferState::Read, _)) => *state = BufferState::Free,
            _ => return Err(Error::InvalidArguments),
        }
        self.free.push_front(id);
        Ok(())
    }
}
