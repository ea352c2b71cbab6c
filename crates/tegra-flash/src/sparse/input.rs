//! What is read of a stream, word by word.

use super::error::SparseError;
use std::io::{ErrorKind, Read};

/// Bytes of a word.
pub(super) const WORD: u32 = 4;

/// Reads and counts.
pub(super) struct Input<'a, R> {
    inner: &'a mut R,
    pub(super) offset: u64,
}

impl<'a, R: Read> Input<'a, R> {
    pub(super) fn new(inner: &'a mut R) -> Self {
        Self { inner, offset: 0 }
    }

    /// What one read gives; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SparseError> {
        loop {
            match self.inner.read(buffer) {
                Ok(count) => {
                    self.offset += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(SparseError::Read { offset: self.offset, error }),
            }
        }
    }

    pub(super) fn fill(&mut self, mut buffer: &mut [u8], within: &'static str) -> Result<(), SparseError> {
        while !buffer.is_empty() {
            let count = self.read(buffer)?;
            if count == 0 {
                return Err(SparseError::Truncated { offset: self.offset, within });
            }
            buffer = buffer.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Little-endian words.
    pub(super) fn words<const N: usize>(&mut self, within: &'static str) -> Result<[u32; N], SparseError> {
        let mut words = [0; N];
        for word in &mut words {
            let mut bytes = [0; WORD as usize];
            self.fill(&mut bytes, within)?;
            *word = u32::from_le_bytes(bytes);
        }
        Ok(words)
    }

    /// Skips what a header has behind the known fields, less than 64 KiB.
    pub(super) fn skip(&mut self, bytes: u32, within: &'static str) -> Result<(), SparseError> {
        let mut buffer = [0; 1024];
        for part in parts(u64::from(bytes), buffer.len()) {
            self.fill(buffer.get_mut(..part).unwrap_or_default(), within)?;
        }
        Ok(())
    }
}

/// The sizes of the pieces in which `size` bytes pass through a buffer of `most`, which is not 0.
pub(super) fn parts(size: u64, most: usize) -> impl Iterator<Item = usize> {
    (0..size).step_by(most).map(move |from| (size - from).min(most as u64) as usize)
}
