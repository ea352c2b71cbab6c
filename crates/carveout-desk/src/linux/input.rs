//! Our stdin, for commands of the guest: read by one thread for all of them, so that nothing of it is lost between two.

use desk_guest::link::{self, kind};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that are passed on at once.
const PIECE: usize = 4096;
/// How often is looked whether a command still runs.
const LOOK: Duration = Duration::from_millis(100);

/// Where pieces of input come from.
#[derive(Clone)]
pub struct Input(Arc<Mutex<Receiver<Vec<u8>>>>);

impl Input {
    /// Our stdin, from the first command that reads on.
    pub fn of(mut from: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = sync_channel(0);
        thread::spawn(move || {
            let mut buffer = [0; PIECE];
            loop {
                match from.read(&mut buffer) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => return,
                    Ok(length) => {
                        if sender.send(buffer.get(..length).unwrap_or_default().to_vec()).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Self(Arc::new(Mutex::new(pieces)))
    }

    /// Nothing.
    pub fn none() -> Self {
        Self(Arc::new(Mutex::new(sync_channel(0).1)))
    }

    /// Sends it to a command, until that has ended.
    pub fn feed(&self, mut to: UnixStream, channel: u32) -> Feed {
        let ((credit, leave), pieces) = (mpsc::channel(), Arc::clone(&self.0));
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        give(&credit, link::WINDOW);
        thread::spawn(move || {
            let pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
            while !seen.load(Ordering::Relaxed) {
                let piece = match pieces.recv_timeout(LOOK) {
                    Ok(piece) => piece,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => Vec::new(),
                };
                if leave.recv().is_err() || link::send(&mut to, kind::INPUT, channel, &piece).is_err() {
                    return;
                }
                if piece.is_empty() {
                    return;
                }
            }
        });
        Feed { credit, ended }
    }
}

fn give(credit: &Sender<()>, pieces: usize) {
    for _ in 0..pieces {
        // Nobody waits for it at the end of the input.
        let _ = credit.send(());
    }
}

/// What feeds a command, until this is dropped.
pub struct Feed {
    credit: Sender<()>,
    ended: Arc<AtomicBool>,
}

impl Feed {
    /// So many pieces have been taken.
    pub fn credit(&self, pieces: usize) {
        give(&self.credit, pieces);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}
