//! Android sparse images, compared with what they stand for.

use crate::error::{At, Result};
use crate::errors::ArtifactError;
use std::fs::File;
use std::io::{self, BufReader, Error as IoError, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tegra_flash::sparse::decode;

/// Bytes that are compared at once.
const PIECE: usize = 1 << 20;

/// Compares what a sparse image stands for with the raw image. Bytes are compared themselves, not their hashes: that takes no
/// longer, and tells where they differ.
pub fn same(raw: &Path, size: u64, sparse: &Path) -> Result<()> {
    let expected = File::open(raw).at(raw)?;
    let mut output = Compare { expected, position: 0, buffer: vec![0; PIECE], zeros: vec![0; PIECE] };
    let mut input = BufReader::with_capacity(PIECE, File::open(sparse).at(sparse)?);
    let summary = decode(&mut input, &mut output)
        .map_err(|e| ArtifactError::SparseDiffers { path: sparse.into(), source: e.into() })?;
    if (summary.raw_size, output.position) == (size, size) {
        return Ok(());
    }
    Err(ArtifactError::SparseSize { path: sparse.into(), found: summary.raw_size, expected: size }.into())
}

/// Takes what is written only if the raw image has it there; what is skipped must be zeros there.
struct Compare {
    expected: File,
    position: u64,
    buffer: Vec<u8>,
    zeros: Vec<u8>,
}

impl Compare {
    /// Reads the next bytes of the raw image and compares them with these, or with zeros.
    fn next(&mut self, length: usize, with: Option<&[u8]>) -> io::Result<()> {
        let bytes = self.buffer.get_mut(..length).unwrap_or_default();
        self.expected.read_exact(bytes)?;
        // As a whole: byte for byte it takes minutes in a build without optimisation.
        if Some(&*bytes) != with.or(self.zeros.get(..length)) {
            let message = format!("other bytes between offset {} and {length} bytes on", self.position);
            return Err(IoError::other(message));
        }
        self.position += length as u64;
        Ok(())
    }
}

impl Write for Compare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = bytes.get(..bytes.len().min(PIECE)).unwrap_or_default();
        self.next(bytes.len(), Some(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Compare {
    /// Forward alone, as [`decode`] seeks.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(bytes) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        let mut left = u64::try_from(bytes).map_err(IoError::other)?;
        while left > 0 {
            let length = left.min(PIECE as u64) as usize;
            self.next(length, None)?;
            left -= length as u64;
        }
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tegra_flash::sparse::{BLOCK_SIZE, encode_filesystem};

    #[test]
    fn a_sparse_image_is_compared_with_the_raw_one() {
        let dir = tempfile::tempdir().unwrap();
        let (raw, sparse) = (dir.path().join("raw"), dir.path().join("sparse"));
        let mut bytes: Vec<u8> = (0..40_960u32).map(|at| (at % 251) as u8).collect();
        bytes.resize(3 << 20, 0);
        fs::write(&raw, &bytes).unwrap();
        let size = bytes.len() as u64;
        let mut out = File::create(&sparse).unwrap();
        let unused = |block| block > 20;
        encode_filesystem(&mut &bytes[..], size, &mut out, BLOCK_SIZE, unused).unwrap();
        assert!(fs::metadata(&sparse).unwrap().len() < 1 << 16);
        same(&raw, size, &sparse).unwrap();
        for at in [0, 40_000, 1 << 20, bytes.len() - 1] {
            bytes[at] ^= 1;
            fs::write(&raw, &bytes).unwrap();
            let error = same(&raw, size, &sparse).unwrap_err();
            assert!(error.message.contains("other bytes between offset"), "{at}: {error}");
            bytes[at] ^= 1;
        }
        fs::write(&raw, &bytes[..1 << 20]).unwrap();
        assert!(same(&raw, 1 << 20, &sparse).is_err(), "longer than the raw one");
    }
}
