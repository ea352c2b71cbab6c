//! Hashing and copying of files, with bounded memory.

use crate::open::open;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

const BLOCK: usize = 1 << 18;

/// Size and digest of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// Bytes.
    pub size: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// SHA-256 of bytes, as 64 lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Hashes what a reader yields, handing each block to `each` on the way.
pub(crate) fn hash_blocks(
    mut reader: impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Hashed> {
    let mut block = vec![0; BLOCK];
    let mut digest = Sha256::new();
    let mut size = 0;
    loop {
        let length = match reader.read(&mut block) {
            Ok(0) => return Ok(Hashed { size, sha256: hex::encode(digest.finalize()) }),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = block.get(..length).unwrap_or_default();
        digest.update(bytes);
        each(bytes)?;
        size += length as u64;
    }
}

/// Hashes a file.
pub fn hash_file(path: &Path) -> io::Result<Hashed> {
    hash_blocks(open(path)?, |_| Ok(()))
}

/// Copies a file and hashes it on the way. Blocks of zeros become holes.
pub fn copy_hashed(from: &Path, to: &Path) -> io::Result<Hashed> {
    let mut out = File::create(to)?;
    let hashed = hash_blocks(open(from)?, |bytes| {
        if bytes.iter().all(|b| *b == 0) {
            out.seek(SeekFrom::Current(bytes.len() as i64)).map(|_| ())
        } else {
            out.write_all(bytes)
        }
    })?;
    out.set_len(hashed.size)?;
    out.sync_all()?;
    Ok(hashed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn copies_are_equal_and_sparse() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let mut bytes = vec![0u8; 4 << 20];
        bytes[1_000_000] = 1;
        std::fs::write(&from, &bytes).unwrap();
        let hashed = copy_hashed(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), bytes);
        assert_eq!(hashed, hash_file(&from).unwrap());
        assert_eq!(hashed.sha256, sha256(&bytes));
        assert!(to.metadata().unwrap().blocks() * 512 < 1 << 20, "holes stay holes");
    }
}
