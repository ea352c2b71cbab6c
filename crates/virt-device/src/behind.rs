//! Reading back behind the writer: while a piece is written, the one before is synced, and the one before that is read from
//! the disk and digested.

use crate::disk::BLOCK;
use rustix::fs::{Advice, fadvise};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender};

/// Bytes that are written before they are read back.
pub const PIECE: u64 = 16 << 20;

/// Syncs what was written whenever `written` tells how far it got, and passes it on.
pub fn sync(file: &File, written: &Receiver<u64>, synced: &Sender<u64>) -> io::Result<()> {
    while let Some(end) = latest(written) {
        file.sync_data()?;
        if synced.send(end).is_err() {
            // The reader has failed, and tells why.
            break;
        }
    }
    Ok(())
}

/// Reads what was synced from `start` on, whenever `synced` tells how far it got; the digest of all of it. Memory forgets each
/// piece first: what is digested comes from the disk.
pub fn digest(file: &File, start: u64, synced: &Receiver<u64>) -> io::Result<String> {
    let (mut digest, mut done, mut block) = (Sha256::new(), 0, vec![0; BLOCK]);
    while let Some(end) = latest(synced) {
        let Some(length) = NonZeroU64::new(end.saturating_sub(done)) else { continue };
        fadvise(file, start + done, Some(length), Advice::DontNeed)?;
        while done < end {
            let wanted = usize::try_from(end - done).unwrap_or(usize::MAX).min(block.len());
            let bytes = block.get_mut(..wanted).unwrap_or_default();
            file.read_exact_at(bytes, start + done)?;
            digest.update(&*bytes);
            done += wanted as u64;
        }
    }
    Ok(hex::encode(digest.finalize()))
}

/// The last of what has come; none when no more comes.
fn latest(told: &Receiver<u64>) -> Option<u64> {
    let first = told.recv().ok()?;
    Some(told.try_iter().last().unwrap_or(first))
}
