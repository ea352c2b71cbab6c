//! The other side of `trusty_ta::storage`: answers requests for files as AOSP's storage proxy does.
//!
//! [`Proxy`] reads requests and writes answers; a [`Files`] keeps what is in them: a folder in carveout-stored, [`Memory`] in tests. Nothing
//! that a trusted app sends is believed: a name has no slash, a handle is one that was given, a size is limited.
#![warn(clippy::indexing_slicing)]

mod files;
mod memory;

pub use files::Files;
pub use memory::{Memory, Mood};

use std::collections::BTreeMap;
use trusty_abi::storage::{
    CHUNK, FILE_CLOSE, FILE_DELETE, FILE_GET_SIZE, FILE_OPEN, FILE_READ, FILE_WRITE, HEAD, Head, NAME,
    OPEN_CREATE, OPEN_TRUNCATE, Outcome, POST_COMMIT, PRE_COMMIT, RESPONSE,
};

/// Most files that are open at once.
const OPEN: usize = 16;
/// Most bytes of a file.
pub const MAX_FILE: u64 = 16 << 20;

/// One connection of a trusted app.
pub struct Proxy<F> {
    /// What keeps its files.
    pub files: F,
    open: BTreeMap<u32, String>,
    next: u32,
}

impl<F: Files> Proxy<F> {
    /// A connection without open files.
    pub fn new(files: F) -> Self {
        Self { files, open: BTreeMap::new(), next: 1 }
    }

    /// The answer to a request. None to what is no request: then the connection is to be closed.
    pub fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let (head, body) = Head::split(request)?;
        if head.command & RESPONSE != 0 {
            return None;
        }
        let (outcome, answer) = match self.done(&head, body) {
            Ok(answer) => (Outcome::Done, answer),
            Err(outcome) => (outcome, Vec::new()),
        };
        let size = u32::try_from(HEAD + answer.len()).ok()?;
        let head = Head {
            command: head.command | RESPONSE,
            op: head.op,
            flags: head.flags,
            size,
            result: outcome as i32,
        };
        Some([&head.bytes()[..], &answer].concat())
    }

    fn done(&mut self, head: &Head, body: &[u8]) -> Result<Vec<u8>, Outcome> {
        if head.flags & PRE_COMMIT != 0 {
            self.files.sync().map_err(|_| Outcome::SyncFailure)?;
        }
        let answer = self.file(head.command, body)?;
        if head.flags & POST_COMMIT != 0 {
            self.files.sync().map_err(|_| Outcome::SyncFailure)?;
        }
        Ok(answer)
    }

    fn file(&mut self, command: u32, body: &[u8]) -> Result<Vec<u8>, Outcome> {
        match command {
            FILE_DELETE => {
                let (_, name) = number(body)?;
                self.files.delete(file_name(name)?).map(|()| Vec::new())
            }
            FILE_OPEN => self.open(body),
            FILE_CLOSE => {
                let (handle, []) = number(body)? else { return Err(Outcome::NotValid) };
                self.open.remove(&handle).map(|_| Vec::new()).ok_or(Outcome::NotValid)
            }
            FILE_READ => {
                let (handle, rest) = number(body)?;
                let (size, rest) = number(rest)?;
                let offset = u64::from_le_bytes(rest.try_into().map_err(|_| Outcome::NotValid)?);
                let size =
                    usize::try_from(size).ok().filter(|size| *size <= CHUNK).ok_or(Outcome::NotValid)?;
                self.files.read(opened(&self.open, handle)?, offset, size)
            }
            FILE_WRITE => {
                let (offset, rest) = body.split_first_chunk().ok_or(Outcome::NotValid)?;
                let (handle, rest) = number(rest)?;
                let (_, bytes) = number(rest)?;
                let offset = u64::from_le_bytes(*offset);
                let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= MAX_FILE);
                end.ok_or(Outcome::NotValid)?;
                self.files.write(opened(&self.open, handle)?, offset, bytes).map(|()| Vec::new())
            }
            FILE_GET_SIZE => {
                let (handle, []) = number(body)? else { return Err(Outcome::NotValid) };
                self.files.size(opened(&self.open, handle)?).map(|size| size.to_le_bytes().to_vec())
            }
            _ => Err(Outcome::Unimplemented),
        }
    }

    fn open(&mut self, body: &[u8]) -> Result<Vec<u8>, Outcome> {
        let (flags, name) = number(body)?;
        let name = file_name(name)?;
        if flags & !(OPEN_CREATE | OPEN_TRUNCATE) != 0 || self.open.len() >= OPEN {
            return Err(Outcome::NotValid);
        }
        self.files.open(name, flags & OPEN_CREATE != 0, flags & OPEN_TRUNCATE != 0)?;
        let handle = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(handle, name.to_owned());
        Ok(handle.to_le_bytes().to_vec())
    }
}

fn opened(open: &BTreeMap<u32, String>, handle: u32) -> Result<&str, Outcome> {
    open.get(&handle).map(String::as_str).ok_or(Outcome::NotValid)
}

/// A number at the front.
fn number(bytes: &[u8]) -> Result<(u32, &[u8]), Outcome> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Outcome::NotValid)?;
    Ok((u32::from_le_bytes(*number), rest))
}

/// A name that cannot lead out of a folder: letters, digits, dots and minus signs, and no dot in front.
fn file_name(name: &[u8]) -> Result<&str, Outcome> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let sound = (1..=NAME).contains(&name.len()) && name.iter().all(plain) && name.first() != Some(&b'.');
    if sound { std::str::from_utf8(name).map_err(|_| Outcome::NotValid) } else { Err(Outcome::NotValid) }
}

#[cfg(test)]
mod tests;
