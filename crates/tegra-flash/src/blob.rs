//! `blob.bin`: the signed boot parts that the recovery loader gets while a board is flashed.
//!
//! Seen in files of L4T R32.7.2 (t194 and t186), little endian: `blob`, a `u32` with the number of entries; for each a `u32` that names
//! its type, a `u32` with its offset in the file, a `u32` 0, a `u32` with its length; then the parts one behind the other.

const MAGIC: &[u8; 4] = b"blob";
const ENTRY: usize = 16;
/// More than any generator writes (11 for t194).
const MOST: usize = 64;

/// Why a file is no such blob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// Another beginning.
    #[error("it does not begin with `blob`")]
    Magic,
    /// More entries than there can be, or than the file holds.
    #[error("its table names {0} entries, which it does not hold")]
    Table(u32),
    /// An entry that does not lie within the file.
    #[error("entry {index} lies at {offset} with {length} bytes, outside the file")]
    Entry {
        /// Counted from 0.
        index: usize,
        /// Where it should begin.
        offset: u32,
        /// Its length.
        length: u32,
    },
}

/// A part of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobPart<'a> {
    /// A number that names its type.
    pub kind: u32,
    /// The signed file.
    pub bytes: &'a [u8],
}

/// Types of what runs in recovery mode alone, and is written to no partition: the CPU's boot loader and MB2.
pub const RECOVERY_KINDS: [u32; 2] = [2, 13];

/// The parts of a blob, in its order.
pub fn parts(file: &[u8]) -> Result<Vec<BlobPart<'_>>, BlobError> {
    let word = |at: usize| {
        let bytes = file.get(at..at.checked_add(4)?)?;
        bytes.try_into().ok().map(u32::from_le_bytes)
    };
    if !file.starts_with(MAGIC) {
        return Err(BlobError::Magic);
    }
    let count = word(4).unwrap_or(u32::MAX);
    if count as usize > MOST {
        return Err(BlobError::Table(count));
    }
    let part = |index: usize| {
        let at = 8 + index * ENTRY;
        let (Some(kind), Some(offset), Some(length)) = (word(at), word(at + 4), word(at + 12)) else {
            return Err(BlobError::Table(count));
        };
        let end = (offset as usize).saturating_add(length as usize);
        let bytes = file.get(offset as usize..end).ok_or(BlobError::Entry { index, offset, length })?;
        Ok(BlobPart { kind, bytes })
    };
    (0..count as usize).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blob(parts: &[&[u8]]) -> Vec<u8> {
        let mut file = [&b"blob"[..], &(parts.len() as u32).to_le_bytes()].concat();
        let mut offset = 8 + parts.len() * ENTRY;
        for part in parts {
            for word in [13, offset as u32, 0, part.len() as u32] {
                file.extend(word.to_le_bytes());
            }
            offset += part.len();
        }
        parts.iter().for_each(|part| file.extend(*part));
        file
    }

    #[test]
    fn parts_are_found() {
        let file = blob(&[b"one", b"", b"three"]);
        let found = parts(&file).unwrap();
        assert_eq!(found.iter().map(|part| part.bytes).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert!(found.iter().all(|part| part.kind == 13));
        assert_eq!(parts(b"bloc"), Err(BlobError::Magic));
        assert_eq!(parts(b"blob"), Err(BlobError::Table(u32::MAX)));
        assert_eq!(parts(&file[..20]), Err(BlobError::Table(3)));
        let error = Err(BlobError::Entry { index: 2, offset: 59, length: 5 });
        assert_eq!(parts(&file[..file.len() - 1]), error);
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>, count in 0u32..80) {
            let _ = parts(&bytes);
            let _ = parts(&[&b"blob"[..], &count.to_le_bytes(), &bytes].concat());
        }
    }
}
