//! A look into a sparse image, without unpacking all of it.

use super::error::SparseError;
use super::header::Header;
use super::input::Input;
use super::reader::{Output, chunk};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

/// The beginning of a raw image; it takes no more.
struct Beginning {
    bytes: Vec<u8>,
    at: u64,
    most: usize,
}

impl Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        let room = self.most.saturating_sub(at);
        if room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(taken);
        self.at += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Beginning {
    /// Forward alone, as [`super::decode`] seeks.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(bytes) = to else { return Err(ErrorKind::Unsupported.into()) };
        self.at = self.at.checked_add_signed(bytes).ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The header of a sparse image, and the first `most` bytes of the raw one; fewer where it has fewer, or where the input ends before.
/// What lies behind is not looked at: [`super::decode`] alone tells that the whole image is sound.
pub fn beginning(sparse: &mut impl Read, most: usize) -> Result<(Header, Vec<u8>), SparseError> {
    let mut input = Input::new(sparse);
    let header = Header::from_input(&mut input)?;
    let mut raw = Beginning { bytes: Vec::new(), at: 0, most };
    // A small one: what comes before the end of an input that is cut off counts.
    let mut buffer = vec![0; 4096];
    let mut output = Output::new(&mut raw);
    for _ in 0..header.chunks {
        match chunk(&header, &mut input, &mut output, &mut buffer) {
            Ok(()) if output.offset < most as u64 => {}
            Ok(()) => break,
            Err(SparseError::Write { error, .. }) if error.kind() == ErrorKind::StorageFull => break,
            Err(SparseError::Truncated { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    // What is skipped at the end is zeros, too.
    let skipped = usize::try_from(output.offset).unwrap_or(usize::MAX).min(most);
    let length = raw.bytes.len().max(skipped);
    raw.bytes.resize(length, 0);
    Ok((header, raw.bytes))
}
