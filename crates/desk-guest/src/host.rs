//! The way to the host, and what is known of its commands.

use desk_guest::link::{self, BATCH, kind};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are passed on at once.
const PIECE: usize = 16 << 10;

/// What is known of a command.
pub struct Known {
    /// Its input.
    pub input: Sender<Vec<u8>>,
    /// Its terminal, if it has one.
    pub terminal: Option<File>,
}

/// The way to the host: one frame at a time.
#[derive(Clone)]
pub struct Host {
    port: Arc<Mutex<File>>,
    /// Commands that run.
    pub commands: Arc<Mutex<HashMap<u32, Known>>>,
}

/// Input of a command, as it comes.
pub struct Input(Receiver<Vec<u8>>, Mutex<usize>);

impl Input {
    /// Of what a sender gives.
    pub fn new(pieces: Receiver<Vec<u8>>) -> Self {
        Self(pieces, Mutex::new(0))
    }

    /// The next piece; none at its end.
    pub fn next(&self, host: &Host, channel: u32) -> io::Result<Option<Vec<u8>>> {
        let Some(piece) = self.0.recv().ok().filter(|piece| !piece.is_empty()) else { return Ok(None) };
        let mut taken = lock(&self.1);
        *taken += 1;
        if *taken == BATCH {
            *taken = 0;
            host.tell(kind::CREDIT, channel, &[])?;
        }
        Ok(Some(piece))
    }
}

/// Locks, whatever became of who had it locked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// By this port.
    pub fn new(port: File) -> Self {
        Self { port: Arc::new(Mutex::new(port)), commands: Arc::default() }
    }

    /// Tells it something.
    pub fn tell(&self, kind: u8, channel: u32, data: &[u8]) -> io::Result<()> {
        link::send(&mut *lock(&self.port), kind, channel, data)
    }
}

/// Passes on what there is to read, to its end.
pub fn pump(host: &Host, channel: u32, kind: u8, mut from: impl Read) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => host.tell(kind, channel, buffer.get(..length).unwrap_or_default())?,
        }
    }
}
