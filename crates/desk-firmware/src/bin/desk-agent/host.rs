//! Frames to and from the host.

use crate::virtio::Console;
use core::fmt::{self, Write};
use desk_firmware::link::{self, Frames, HEADER, Header, PAYLOAD};
use desk_firmware::machine::sleep_for_ever;

/// A payload.
pub struct Payload {
    bytes: [u8; PAYLOAD],
    length: usize,
}

impl core::ops::Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Write for Payload {
    /// Keeps what fits.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (to, byte) in room.iter_mut().zip(text.bytes()) {
            *to = byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// The host's end of the console.
pub struct Host {
    console: Console,
    frames: Frames,
    /// What the console has brought, and the part that has not been taken.
    chunk: [u8; HEADER + PAYLOAD],
    left: core::ops::Range<usize>,
    /// Frames that may be sent: see [`link`].
    room: u32,
    /// Frames that have been taken, and the host does not know of.
    taken: u32,
}

impl Host {
    /// Opens the console, if there is one.
    pub fn open() -> Option<Self> {
        let console = Console::open()?;
        Some(Self {
            console,
            frames: Frames::new(),
            chunk: [0; HEADER + PAYLOAD],
            left: 0..0,
            room: link::WINDOW,
            taken: 0,
        })
    }

    /// Whether there is something to take.
    pub fn pending(&self) -> bool {
        !self.left.is_empty() || self.console.pending()
    }

    /// Takes back the console's interrupt; what it has brought stays to be taken.
    pub fn acknowledge(&self) {
        self.console.acknowledge();
    }

    /// The next frame, if one is whole.
    pub fn next_frame(&mut self) -> Option<(Header, Payload)> {
        loop {
            if self.left.is_empty() {
                let (chunk, left) = (&mut self.chunk, &mut self.left);
                let received = self.console.receive(|bytes| {
                    if let Some(to) = chunk.get_mut(..bytes.len()) {
                        to.copy_from_slice(bytes);
                        *left = 0..bytes.len();
                    }
                });
                if !received {
                    return None;
                }
            }
            let bytes = self.chunk.get(self.left.clone()).unwrap_or_default();
            match self.frames.take(bytes) {
                Ok((rest, _)) => self.left.start = self.left.end - rest.len(),
                Err(error) => {
                    self.dead(format_args!("the host's frames are out of step: {error:?}"));
                    sleep_for_ever();
                }
            }
            if let Some((header, payload)) = self.frames.frame() {
                self.taken += 1;
                let mut copy = Payload { bytes: [0; PAYLOAD], length: payload.len() };
                copy.bytes.get_mut(..payload.len())?.copy_from_slice(payload);
                return Some((header, copy));
            }
        }
    }

    /// Whether a frame may be sent.
    pub fn has_room(&self) -> bool {
        self.room > 0
    }

    /// Tells the host how many of its frames have been taken, if there is something to tell, and room.
    pub fn report(&mut self) {
        if self.taken >= link::REPORT && self.has_room() {
            let taken = core::mem::take(&mut self.taken);
            self.send(link::TAKEN, 0, &taken.to_le_bytes());
        }
    }

    /// The host has read so many frames.
    pub fn grant(&mut self, frames: u32) {
        self.room = self.room.saturating_add(frames);
    }

    /// Sends a frame. Callers ask for room first, but for the last frame of all.
    pub fn send(&mut self, kind: u16, connection: u16, payload: &[u8]) {
        self.room = self.room.saturating_sub(1);
        let payload = payload.get(..payload.len().min(PAYLOAD)).unwrap_or_default();
        self.console.send(|buffer| {
            let (head, body) = buffer.split_at_mut(HEADER);
            head.copy_from_slice(&Header { kind, connection, length: payload.len() as u32 }.to_bytes());
            if let Some(to) = body.get_mut(..payload.len()) {
                to.copy_from_slice(payload);
            }
            HEADER + payload.len()
        });
    }

    /// Trusty is up.
    pub fn ready(&mut self) {
        self.send(link::READY, 0, &[]);
    }

    /// Trusty, or this, has ended.
    pub fn dead(&mut self, why: fmt::Arguments<'_>) {
        let mut text = Payload { bytes: [0; PAYLOAD], length: 0 };
        let _ = text.write_fmt(why);
        self.send(link::DEAD, 0, &text);
    }
}
