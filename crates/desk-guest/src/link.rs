//! Frames: what kind (`u8`), a zero byte, the length of the data (`u16`), the channel (`u32`), the data. Numbers are little endian.
//!
//! On [`TIPC`] a channel is an open file of the device, on [`COMMANDS`] a command. Of each channel and direction at most [`WINDOW`]
//! messages are under way that the other side has not passed on. So a slow trusted app, or a client that does not read, stops only
//! itself.

use std::io::{self, Read, Write};

/// Name of the port for messages to and from trusted apps.
pub const TIPC: &str = "carveout.tipc";
/// Name of the port for commands.
pub const COMMANDS: &str = "carveout.commands";
/// Messages that may be under way.
pub const WINDOW: usize = 64;
/// Messages that [`kind::CREDIT`] stands for.
pub const BATCH: usize = 16;
/// [`kind::CLOSED`] with this: Trusty itself has stopped, or nobody is there.
pub const OFFLINE: i32 = -16;
/// Most data of a frame, in bytes.
pub const MAX_DATA: usize = u16::MAX as usize;
/// Bytes in front of the data.
const HEADER: usize = 8;

/// What a frame is about.
pub mod kind {
    /// To the host: connect this channel to the port that the data names.
    pub const CONNECT: u8 = 1;
    /// To the guest: it is connected.
    pub const ACCEPTED: u8 = 2;
    /// Either way: a message.
    pub const MESSAGE: u8 = 3;
    /// Either way: [`super::BATCH`] messages have been passed on. On the port for commands: so many pieces of input.
    pub const CREDIT: u8 = 4;
    /// To the guest: the channel has ended, with Trusty's error code (`i32`). To the host: the client has gone.
    pub const CLOSED: u8 = 5;
    /// To the host: the device is there. The data says when what was reached, as [`super::stages`] reads it.
    pub const READY: u8 = 6;
    /// To the guest: run a command, see [`super::Run`].
    pub const RUN: u8 = 7;
    /// To the guest: make a file of what comes as input. The data: its mode (`u32`) and its path.
    pub const PUT: u8 = 8;
    /// To the guest: send the file of this path as output.
    pub const GET: u8 = 9;
    /// To the guest: a piece of a command's input; empty at its end.
    pub const INPUT: u8 = 10;
    /// To the host: a piece of a command's output.
    pub const OUTPUT: u8 = 11;
    /// To the host: a piece of a command's standard error.
    pub const ERRORS: u8 = 12;
    /// To the host: a command has ended, with this code (`i32`; 128 and the number of a signal).
    pub const EXIT: u8 = 13;
    /// To the guest: the terminal has these rows and columns (two `u16`).
    pub const SIZE: u8 = 14;
    /// To the guest: power off, in an orderly way. If the host goes without it, that is done at once.
    pub const POWER_OFF: u8 = 15;
    /// To the guest: it is this many nanoseconds after 1970 (`u64`); the guest has slept.
    pub const TIME: u8 = 16;
    /// To the guest: its disk may be read. Before that it waits.
    pub const GO: u8 = 17;
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Of [`kind`].
    pub kind: u8,
    /// Whose it is.
    pub channel: u32,
    /// What it carries.
    pub data: Vec<u8>,
}

impl Frame {
    /// Waits for a frame.
    ///
    /// # Errors
    /// The stream ends or fails.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut header = [0; HEADER];
        from.read_exact(&mut header)?;
        let [kind, _, low, high, channel @ ..] = header;
        let mut data = vec![0; usize::from(u16::from_le_bytes([low, high]))];
        from.read_exact(&mut data)?;
        Ok(Self { kind, channel: u32::from_le_bytes(channel), data })
    }

    /// The number that it carries; 0 if it carries none.
    pub fn number(&self) -> i32 {
        self.data.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes))
    }
}

/// Puts a frame behind others that are to be sent at once.
///
/// # Errors
/// The data is longer than [`MAX_DATA`].
pub fn put(to: &mut Vec<u8>, kind: u8, channel: u32, data: &[u8]) -> io::Result<()> {
    let length = u16::try_from(data.len()).map_err(io::Error::other)?;
    to.extend_from_slice(&[kind, 0]);
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(&channel.to_le_bytes());
    to.extend_from_slice(data);
    Ok(())
}

/// Sends a frame by one write.
///
/// # Errors
/// The data is longer than [`MAX_DATA`], or the stream fails.
pub fn send(to: &mut impl Write, kind: u8, channel: u32, data: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(HEADER + data.len());
    put(&mut frame, kind, channel, data)?;
    to.write_all(&frame)
}

/// A command that the guest is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Rows and columns of the terminal that it gets; none: it gets pipes.
    pub terminal: Option<(u16, u16)>,
    /// Its environment beside what each command has: names and values.
    pub environment: Vec<(String, String)>,
    /// Program and arguments.
    pub words: Vec<String>,
}

impl Run {
    /// As a frame carries it. No text holds a NUL.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (rows, columns) = self.terminal.unwrap_or_default();
        let mut bytes = vec![u8::from(self.terminal.is_some())];
        bytes.extend([rows, columns].map(u16::to_le_bytes).concat());
        bytes.extend((self.environment.len() as u16).to_le_bytes());
        let environment = self.environment.iter().flat_map(|(name, value)| [name, value]);
        for text in environment.chain(&self.words) {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    /// Reads it back.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<7>()?;
        let [terminal, r0, r1, c0, c1, n0, n1] = *head;
        let texts = String::from_utf8(rest.to_vec()).ok()?;
        let mut texts = texts.strip_suffix('\0')?.split('\0').map(str::to_owned);
        let count = u16::from_le_bytes([n0, n1]);
        let environment = (0..count).map(|_| texts.next().zip(texts.next())).collect::<Option<_>>()?;
        let size = (u16::from_le_bytes([r0, r1]), u16::from_le_bytes([c0, c1]));
        Some(Self { terminal: (terminal != 0).then_some(size), environment, words: texts.collect() })
    }
}

/// What [`kind::READY`] says: names of stages, and milliseconds since the guest's kernel started.
pub fn stages(data: &[u8]) -> Vec<(String, u64)> {
    let text = String::from_utf8_lossy(data);
    let stage = |word: &str| {
        let (name, time) = word.split_once('=')?;
        Some((name.to_owned(), time.parse().ok()?))
    };
    text.split(' ').filter_map(stage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let mut stream = Vec::new();
        send(&mut stream, kind::MESSAGE, 7, &[3; 4080]).unwrap();
        send(&mut stream, kind::CLOSED, 8, &OFFLINE.to_le_bytes()).unwrap();
        assert!(send(&mut stream, kind::OUTPUT, 0, &[0; 65536]).is_err());
        let mut from = &stream[..];
        let (first, second) = (Frame::read(&mut from).unwrap(), Frame::read(&mut from).unwrap());
        assert_eq!((first.kind, first.channel, first.data), (kind::MESSAGE, 7, vec![3; 4080]));
        assert_eq!((second.kind, second.channel, second.number()), (kind::CLOSED, 8, OFFLINE));
        assert!(Frame::read(&mut from).is_err());
    }

    #[test]
    fn commands_come_back() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let run = Run {
            terminal: Some((24, 80)),
            environment: vec![("TERM".into(), "xterm".into()), ("LANG".into(), String::new())],
            words: words(&["sh", "-c", "", "ä b"]),
        };
        assert_eq!(Run::parse(&run.to_bytes()), Some(run.clone()));
        let run = Run { terminal: None, environment: Vec::new(), words: words(&["true"]) };
        assert_eq!(Run::parse(&run.to_bytes()), Some(run.clone()));
        for bytes in [&b""[..], b"\0\0\0\0\0\0", b"\0\0\0\0\0\x01\0name\0", b"\0\0\0\0\0\0\0no end"] {
            assert_eq!(Run::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn stages_are_read() {
        assert_eq!(stages(b"kernel=610 root=800"), [("kernel".into(), 610), ("root".into(), 800)]);
        assert_eq!(stages(b"kernel=x root"), []);
    }
}
