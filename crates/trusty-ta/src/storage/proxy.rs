//! The daemon, asked for files.

use super::error::StorageError;
use crate::handle::Handle;
use alloc::vec::Vec;
use core::time::Duration;
use tipc_bulk::MAX_MESSAGE;
use trusty_abi::event;
use trusty_abi::storage::{
    CHUNK, FILE_CLOSE, FILE_DELETE, FILE_GET_SIZE, FILE_OPEN, FILE_READ, FILE_WRITE, HEAD, Head, OPEN_CREATE,
    OPEN_TRUNCATE, Outcome, POST_COMMIT, PRE_COMMIT, RESPONSE,
};

/// A connection of the daemon.
pub struct Proxy {
    handle: Handle,
    /// The longest wait for an answer.
    timeout: Duration,
    op: u32,
    /// What it has answered last.
    answer: Vec<u8>,
}

impl Proxy {
    pub fn new(handle: Handle, timeout: Duration) -> Self {
        Self { handle, timeout, op: 0, answer: Vec::new() }
    }

    pub fn is(&self, handle: u32) -> bool {
        self.handle.as_raw() == handle
    }

    /// Whether it has hung up.
    pub fn has_gone(&self) -> bool {
        self.handle.wait(Some(Duration::ZERO)).is_ok_and(|event| event.event & event::HUP != 0)
    }

    /// Asks. What is behind the head of the answer; a refusal is `Refused`.
    fn ask(&mut self, command: u32, flags: u32, parts: &[&[u8]]) -> Result<&[u8], StorageError> {
        self.op = self.op.wrapping_add(1);
        let body: usize = parts.iter().map(|part| part.len()).sum();
        let size = u32::try_from(HEAD + body).map_err(|_| StorageError::TooLarge)?;
        let head = Head { command, op: self.op, flags, size, result: 0 }.bytes();
        let mut all = [&[][..]; 4];
        for (to, part) in all.iter_mut().zip([&head[..]].iter().chain(parts)) {
            *to = part;
        }
        self.handle.send_parts(&all).map_err(StorageError::Gone)?;
        if self.answer.is_empty() {
            self.answer.try_reserve_exact(MAX_MESSAGE).map_err(|_| StorageError::NoMemory)?;
            self.answer.resize(MAX_MESSAGE, 0);
        }
        let (op, answer) = (self.op, &mut self.answer[..]);
        let answer = self.handle.recv(answer, Some(self.timeout)).map_err(StorageError::Gone)?;
        let (head, body) = Head::split(answer).ok_or(StorageError::Nonsense)?;
        if head.command != command | RESPONSE || head.op != op {
            return Err(StorageError::Nonsense);
        }
        match Outcome::of(head.result).ok_or(StorageError::Nonsense)? {
            Outcome::Done => Ok(body),
            outcome => Err(StorageError::Refused(outcome)),
        }
    }

    fn open(&mut self, name: &str, flags: u32) -> Result<[u8; 4], StorageError> {
        let answer = self.ask(FILE_OPEN, 0, &[&flags.to_le_bytes(), name.as_bytes()])?;
        answer.try_into().map_err(|_| StorageError::Nonsense)
    }

    /// All of a file; none if it is not there. More than `most` bytes are taken for none of ours.
    pub fn read(&mut self, name: &str, most: usize) -> Result<Option<Vec<u8>>, StorageError> {
        let handle = match self.open(name, 0) {
            Err(StorageError::Refused(Outcome::NotFound)) => return Ok(None),
            opened => opened?,
        };
        let size = self.ask(FILE_GET_SIZE, 0, &[&handle])?;
        let size = u64::from_le_bytes(size.try_into().map_err(|_| StorageError::Nonsense)?);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        if size <= most {
            bytes.try_reserve_exact(size).map_err(|_| StorageError::NoMemory)?;
            while bytes.len() < size {
                let wanted = (size - bytes.len()).min(CHUNK);
                let (offset, count) = ((bytes.len() as u64).to_le_bytes(), (wanted as u32).to_le_bytes());
                let part = self.ask(FILE_READ, 0, &[&[handle, count].concat(), &offset])?;
                if part.is_empty() || part.len() > wanted {
                    return Err(StorageError::Nonsense);
                }
                bytes.extend_from_slice(part);
            }
        }
        self.ask(FILE_CLOSE, 0, &[&handle])?;
        Ok(Some(bytes))
    }

    /// Writes a file anew. `last`: what was written before it comes to the disk before it, and it before this returns.
    pub fn write(&mut self, name: &str, bytes: &[u8], last: bool) -> Result<(), StorageError> {
        let handle = self.open(name, OPEN_CREATE | OPEN_TRUNCATE)?;
        let count = bytes.len().div_ceil(CHUNK);
        for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
            let mut flags = 0;
            if last && number == 0 {
                flags |= PRE_COMMIT;
            }
            if last && number + 1 == count {
                flags |= POST_COMMIT;
            }
            let offset = ((number * CHUNK) as u64).to_le_bytes();
            self.ask(FILE_WRITE, flags, &[&offset, &[handle, [0; 4]].concat(), chunk])?;
        }
        self.ask(FILE_CLOSE, 0, &[&handle]).map(drop)
    }

    /// Removes a file; whether it was there.
    pub fn delete(&mut self, name: &str) -> Result<bool, StorageError> {
        match self.ask(FILE_DELETE, 0, &[&[0; 4], name.as_bytes()]) {
            Ok(_) => Ok(true),
            Err(StorageError::Refused(Outcome::NotFound)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
