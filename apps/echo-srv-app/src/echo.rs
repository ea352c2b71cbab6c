//! Rounds of an echo: send, get back, compare.

use crate::cli::Args;
use crate::report::{Progress, Summary};
use crate::{EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_USAGE};
use echo_service::{HOLD, STREAM, VALUE};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tipc::{Bulk, BulkError, Channel, Exchanged, Failure, Reason, Transport};

/// Why an echo failed.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// The way to the trusted app.
    #[error(transparent)]
    Connect(tipc::Error),
    /// More than the trusted app has room for.
    #[error(
        "{port} refused: {asked} bytes ({} values) were asked for, it has room for {available} ({} values). \
         Send fewer, or raise min_heap and the room of the trusted app",
        asked / 4, available / 4
    )]
    Refused {
        /// The port.
        port: String,
        /// Bytes asked for.
        asked: u32,
        /// Bytes it has.
        available: u32,
    },
    /// Another client has the room.
    #[error("{port}: another client holds the trusted app's room; try again when it is done")]
    Busy {
        /// The port.
        port: String,
    },
    /// A transfer failed.
    #[error("{port}, round {round}: {error}")]
    Transfer {
        /// The port.
        port: String,
        /// The round.
        round: u32,
        /// Why.
        error: BulkError,
    },
    /// Fewer or more bytes came than were sent.
    #[error("{port}, round {round}: {sent} bytes were sent, {received} came back")]
    Length {
        /// The port.
        port: String,
        /// The round.
        round: u32,
        /// Bytes sent.
        sent: u64,
        /// Bytes received.
        received: u64,
    },
    /// A file of the command line.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
}

impl EchoError {
    /// The exit code.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Connect(_) | Self::Transfer { error: BulkError::Transport(_), .. } => EXIT_ENVIRONMENT,
            Self::File { .. } | Self::Transfer { error: BulkError::TooLarge(_), .. } => EXIT_USAGE,
            _ => EXIT_FAILED,
        }
    }
}

/// Runs all rounds.
pub fn run(args: &Args) -> Result<Summary, EchoError> {
    let total = match &args.file {
        Some(path) => source(path, args.output.as_deref())?,
        None => u64::from(args.count) * VALUE as u64,
    };
    let channel = Channel::connect_timeout(&args.device, &args.port(), args.timeout());
    let channel = channel.map_err(EchoError::Connect)?;
    rounds(args, total, channel)
}

/// Bytes of a regular file that is sent, and is not the one that is written.
fn source(path: &Path, output: Option<&Path>) -> Result<u64, EchoError> {
    let metadata = file(path, |path| path.metadata())?;
    let bad = |what: &str| EchoError::File { path: path.into(), error: io::Error::other(what.to_owned()) };
    if !metadata.is_file() {
        return Err(bad("not a regular file: what is sent is read twice, and its size is told first"));
    }
    let same = |other: std::fs::Metadata| (other.dev(), other.ino()) == (metadata.dev(), metadata.ino());
    if output.and_then(|output| output.metadata().ok()).is_some_and(same) {
        return Err(bad("--output is the same file, and would overwrite it: name another"));
    }
    Ok(metadata.len())
}

/// Opens a file, or says which one it is that fails.
fn file<T>(path: &Path, get: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, EchoError> {
    get(path).map_err(|error| EchoError::File { path: path.into(), error })
}

fn rounds(args: &Args, total: u64, transport: impl Transport) -> Result<Summary, EchoError> {
    let mut echo = Echo::new(args.port(), transport, args.output.as_deref());
    let progress = Progress::new(args, total);
    let start = Instant::now();
    let mut all = Exchanged::default();
    for round in 1..=args.rounds {
        progress.begin(format!("round {round} of {}", args.rounds));
        let done = match &args.file {
            Some(path) => echo.stream(path, total, round, &progress)?,
            None => echo.hold(args.count, round, &progress)?,
        };
        all.sent += done.sent;
        all.received += done.received;
        all.data_messages += done.data_messages;
    }
    progress.finish();
    Ok(Summary { exchanged: all, time: start.elapsed() })
}

/// A connection to a trusted app that echoes.
pub struct Echo<'a, T> {
    port: String,
    bulk: Bulk<T>,
    output: Option<&'a Path>,
}

impl<'a, T: Transport> Echo<'a, T> {
    /// Takes over a connection to `port`. What comes back is written to `output`, too.
    pub fn new(port: String, transport: T, output: Option<&'a Path>) -> Self {
        Self { port, bulk: Bulk::new(transport), output }
    }

    /// Sends values that the trusted app holds whole, and compares what comes back. They differ from round to round.
    pub fn hold(&mut self, count: u32, round: u32, progress: &Progress) -> Result<Exchanged, EchoError> {
        let total = u64::from(count) * VALUE as u64;
        let values = || Values::new(round, count);
        self.exchange(HOLD, total, values(), values(), round, progress)
    }

    /// Sends a file that is sent back as it comes, and compares.
    fn stream(
        &mut self,
        path: &Path,
        total: u64,
        round: u32,
        progress: &Progress,
    ) -> Result<Exchanged, EchoError> {
        let open = || file(path, |path| File::open(path)).map(BufReader::new);
        self.exchange(STREAM, total, open()?, open()?, round, progress)
    }

    fn exchange(
        &mut self,
        tag: u32,
        total: u64,
        source: impl Read,
        expected: impl Read,
        round: u32,
        progress: &Progress,
    ) -> Result<Exchanged, EchoError> {
        let output = self.output.map(|path| file(path, |path| File::create(path))).transpose()?;
        let sink = Compare { expected, output, offset: 0 };
        let done = self.bulk.exchange(tag, total, source, sink, |done| progress.show(done));
        let port = self.port.clone();
        match done {
            Ok(done) if done.received == total => Ok(done),
            Ok(done) => Err(EchoError::Length { port, round, sent: total, received: done.received }),
            Err(BulkError::Failed(Failure::Aborted { reason: Reason::NoMemory, asked, available })) => {
                Err(EchoError::Refused { port, asked, available })
            }
            Err(BulkError::Failed(Failure::Aborted { reason: Reason::Busy, .. })) => {
                Err(EchoError::Busy { port })
            }
            Err(error) => Err(EchoError::Transfer { port, round, error }),
        }
    }
}

/// What is sent: bytes of f32 values that differ for each index and round.
struct Values {
    seed: u32,
    next: u64,
    end: u64,
}

impl Values {
    fn new(seed: u32, count: u32) -> Self {
        // Spread over all bits: an f32 keeps 24 of an index's 32, and small numbers would not be among them.
        let seed = seed.wrapping_mul(0x85eb_ca6b);
        Self { seed, next: 0, end: u64::from(count) * VALUE as u64 }
    }

    fn byte(&self, at: u64) -> u8 {
        let index = (at / VALUE as u64) as u32;
        let value = (index.wrapping_mul(0x9e37_79b1) ^ self.seed) as f32;
        value.to_le_bytes().get((at % VALUE as u64) as usize).copied().unwrap_or_default()
    }
}

impl Read for Values {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (self.end - self.next).min(buffer.len() as u64);
        for (to, at) in buffer.iter_mut().zip(self.next..self.next + length) {
            *to = self.byte(at);
        }
        self.next += length;
        Ok(length as usize)
    }
}

/// Compares what comes back with what was sent, byte by byte.
struct Compare<R> {
    expected: R,
    output: Option<File>,
    offset: u64,
}

impl<R: Read> Write for Compare<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut expected = vec![0; bytes.len()];
        let changed = |_| io::Error::other("what was sent cannot be read again: it was changed meanwhile");
        self.expected.read_exact(&mut expected).map_err(changed)?;
        if let Some(output) = &mut self.output {
            output.write_all(bytes)?;
        }
        match bytes.iter().zip(&expected).position(|(found, sent)| found != sent) {
            None => self.offset += bytes.len() as u64,
            Some(at) => {
                let offset = self.offset + at as u64;
                return Err(io::Error::other(format!("byte {offset} is not the one that was sent")));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;
    use clap::Parser;

    fn echo(room: usize, flip: Option<usize>, line: &str) -> Result<Summary, EchoError> {
        let args = Args::parse_from(format!("echo-srv-app -q {line}").split(' '));
        let total = match &args.file {
            Some(path) => path.metadata().unwrap().len(),
            None => u64::from(args.count) * 4,
        };
        rounds(&args, total, Loopback { flip, ..Loopback::new(room) })
    }

    #[test]
    fn all_sizes_of_the_forum_come_back() {
        for count in [0u32, 1, 1000, 2048, 20_480, 64_000] {
            let summary = echo(64_000, None, &format!("--count {count} --rounds 2")).unwrap();
            assert_eq!(summary.exchanged.received, u64::from(count) * 8);
        }
    }

    #[test]
    fn a_refusal_names_both_sizes() {
        let error = echo(20_480, None, "--ta small-echo-srv --count 64000").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("com.carveout.srv.small-echo-srv refused: 256000 bytes (64000 values)"),
            "{text}"
        );
        assert!(text.contains("room for 81920 (20480 values)"), "{text}");
        assert_eq!(error.exit(), 1);
    }

    /// A trusted app keeps what it was sent before: it must not be taken for what was sent now.
    #[test]
    fn values_differ_from_round_to_round() {
        let values = |round| {
            let mut bytes = Vec::new();
            Values::new(round, 64_000).read_to_end(&mut bytes).unwrap();
            bytes
        };
        let (one, two) = (values(1), values(2));
        let same = one.chunks(VALUE).zip(two.chunks(VALUE)).filter(|(one, two)| one == two).count();
        assert!(same < 10, "{same}");
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let error = echo(100, Some(12 + 30), "--count 100").unwrap_err().to_string();
        assert!(error.contains("round 1: what came cannot be written: byte 30 is not the one"), "{error}");
    }

    #[test]
    fn files_of_any_size_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let (file, out) = (dir.path().join("in"), dir.path().join("out"));
        for size in [0, 1, 100_000] {
            let data: Vec<u8> = (0..size).map(|i| (i % 247) as u8).collect();
            std::fs::write(&file, &data).unwrap();
            let line = format!("--file {} --output {}", file.display(), out.display());
            echo(0, None, &line).unwrap();
            assert!(std::fs::read(&out).unwrap() == data);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let run = |line: &str| super::run(&Args::parse_from(format!("echo-srv-app -q {line}").split(' ')));
        let error = run("--file /nonexistent").unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent: No such file"), "{error}");
        assert_eq!(error.exit(), 2);
        let error = run("--file /dev/zero").unwrap_err();
        assert!(error.to_string().contains("not a regular file") && error.exit() == 2, "{error}");
        let dir = tempfile::tempdir().unwrap();
        let (kept, link) = (dir.path().join("kept"), dir.path().join("link"));
        std::fs::write(&kept, "kept").unwrap();
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        let error = run(&format!("--file {} --output {}", kept.display(), link.display())).unwrap_err();
        assert!(error.to_string().contains("would overwrite it") && error.exit() == 2, "{error}");
        assert_eq!(std::fs::read(&kept).unwrap(), b"kept");
        let error = run("--device /nonexistent").unwrap_err();
        assert_eq!(error.exit(), 3);
    }
}
