//! The part of the kernel's FUSE protocol that a character device needs (`include/uapi/linux/fuse.h`, version 7).

use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};

/// Bytes for a request. The kernel wants room for headers and the largest write, and no less than 8192.
pub const BUFFER: usize = 16 << 10;
/// Largest read and write in one request. More than a message, so that what is too long for one is seen to be.
const MAX_IO: u32 = 8192;

/// Opcodes.
pub const OPEN: u32 = 14;
pub const READ: u32 = 15;
pub const WRITE: u32 = 16;
pub const RELEASE: u32 = 18;
pub const INTERRUPT: u32 = 36;
pub const IOCTL: u32 = 39;
pub const POLL: u32 = 40;
const CUSE_INIT: u32 = 4096;

/// `CUSE_UNRESTRICTED_IOCTL`: an ioctl may name memory of its caller.
const UNRESTRICTED: u32 = 1;
/// `FUSE_IOCTL_RETRY`: once more, with this memory.
const RETRY: u32 = 1 << 2;
/// `FUSE_POLL_SCHEDULE_NOTIFY`: the caller waits.
pub const SCHEDULE_NOTIFY: u32 = 1;
/// `FUSE_NOTIFY_POLL`, in the place of an error.
const NOTIFY_POLL: i32 = 1;

/// A request, whose answer must bear its number.
pub struct Request<'a> {
    pub unique: u64,
    pub opcode: u32,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Takes what was read from `/dev/cuse` apart: length, opcode, number, and 24 bytes that do not matter here.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let all = Self { unique: 0, opcode: 0, body: bytes };
        Self { unique: all.u64(8), opcode: all.u32(4), body: all.rest(40) }
    }

    pub fn u32(&self, at: usize) -> u32 {
        self.rest(at).first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
    }

    pub fn u64(&self, at: usize) -> u64 {
        self.rest(at).first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
    }

    pub fn rest(&self, at: usize) -> &'a [u8] {
        self.body.get(at..).unwrap_or_default()
    }
}

/// `/dev/cuse`.
pub struct Cuse(pub File);

impl Cuse {
    /// Waits for the first request and makes the device of this name.
    pub fn make(name: &str) -> io::Result<Self> {
        let mut this = Self(File::options().read(true).write(true).open("/dev/cuse")?);
        let mut buffer = [0; BUFFER];
        let length = this.0.read(&mut buffer)?;
        let request = Request::parse(buffer.get(..length).unwrap_or_default());
        if request.opcode != CUSE_INIT {
            return Err(io::Error::other(format!("/dev/cuse begins with request {}", request.opcode)));
        }
        // Version 7.31; the numbers of the device are the kernel's choice; the rest is spare.
        let words = [7, 31, 0, UNRESTRICTED, MAX_IO, MAX_IO].map(u32::to_le_bytes).concat();
        this.answer(
            request.unique,
            &[&words[..], &[0; 48], format!("DEVNAME={name}\0").as_bytes()].concat(),
        )?;
        Ok(this)
    }

    fn put(&self, unique: u64, error: i32, body: &[u8]) -> io::Result<()> {
        let length = 16 + body.len() as u32;
        let packet = [&length.to_le_bytes()[..], &error.to_le_bytes(), &unique.to_le_bytes(), body].concat();
        match (&self.0).write(&packet) {
            // Who asked has been killed meanwhile.
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => Ok(()),
            done => done.map(drop),
        }
    }

    pub fn answer(&self, unique: u64, body: &[u8]) -> io::Result<()> {
        self.put(unique, 0, body)
    }

    pub fn fail(&self, unique: u64, error: Errno) -> io::Result<()> {
        self.put(unique, -error.raw_os_error(), &[])
    }

    /// Has an ioctl come once more, with this memory of its caller.
    pub fn retry(&self, unique: u64, address: u64, size: u64) -> io::Result<()> {
        let head = [0, RETRY, 1, 0].map(u32::to_le_bytes).concat();
        self.answer(unique, &[&head[..], &address.to_le_bytes(), &size.to_le_bytes()].concat())
    }

    /// Wakes a poll that waits.
    pub fn wake(&self, poll: u64) -> io::Result<()> {
        self.put(0, NOTIFY_POLL, &poll.to_le_bytes())
    }
}
