//! What a check has seen, line by line, in a fixed buffer.

use core::fmt::{self, Write};

/// Bytes of the longest transcript.
const ROOM: usize = 16 << 10;

/// Lines of text. What finds no room is marked, so that no comparison takes it for whole.
pub struct Transcript {
    bytes: [u8; ROOM],
    length: usize,
}

impl Transcript {
    /// An empty one.
    pub const fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0 }
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Adds a line.
    pub fn say(&mut self, line: fmt::Arguments) {
        if self.write_fmt(line).and_then(|()| self.write_str("\n")).is_err()
            && let Some(end) = self.bytes.last_chunk_mut()
        {
            *end = *b"\n(no room)\n";
            self.length = ROOM;
        }
    }

    /// What has been said.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Write for Transcript {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Adds a line to a transcript.
#[macro_export]
macro_rules! say {
    ($transcript:expr, $($arg:tt)*) => { $transcript.say(format_args!($($arg)*)) };
}
