//! The table of a store: what its contents are, and the files that they are in.

use super::error::StorageError;
use super::state::{Change, MAX_CHANGES, MAX_CONTENT, MAX_ENTRIES, MAX_NAME, Version};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use blake2::Blake2s256;
use blake2::digest::Digest;

const MAGIC: &[u8; 4] = b"CVT1";
/// Bytes in front of the entries: magic, counter, how many.
const HEAD: usize = 4 + 8 + 4;
/// Bytes of an entry beside its name: counter and index of its file, size, digest, length of the name.
const ENTRY: usize = 8 + 4 + 4 + 32 + 1;
/// Most bytes of a table.
pub const MAX: usize = HEAD + MAX_ENTRIES * (ENTRY + MAX_NAME);
/// The name that tables are sealed under. No content's is as short.
pub const NAME: &[u8] = b"table";

/// A content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: Vec<u8>,
    pub size: u32,
    pub digest: [u8; 32],
    /// The change that brought it, and its place there.
    change: u64,
    index: u32,
}

/// A state of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub counter: u64,
    /// In the order of their names.
    pub entries: Vec<Entry>,
    /// Which of the two places it is in.
    pub slot: u8,
}

/// BLAKE2s.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Blake2s256::digest(bytes).into()
}

/// The file of a table's place.
pub fn file(slot: u8) -> String {
    format!("table.{slot}")
}

/// The file of a content.
pub fn content_file(change: u64, index: usize) -> String {
    format!("{change:016x}.{index:x}")
}

impl Entry {
    fn new(name: &[u8], content: &[u8], change: u64, index: usize) -> Self {
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Self { name: name.to_vec(), size, digest: digest(content), change, index }
    }

    pub fn file(&self) -> String {
        content_file(self.change, self.index as usize)
    }

    /// What it is sealed under: its place in time, and its name.
    pub fn sealed_name(&self) -> Vec<u8> {
        [b"content ", &self.change.to_le_bytes()[..], &self.index.to_le_bytes(), &self.name].concat()
    }
}

impl Table {
    pub fn find(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The table behind changes, in the other place.
    pub fn changed(&self, changes: &[Change]) -> Result<Self, StorageError> {
        let counter = self.counter.checked_add(1).ok_or(StorageError::TooLarge)?;
        let mut next = Self { counter, entries: self.entries.clone(), slot: 1 - self.slot.min(1) };
        if changes.len() > MAX_CHANGES {
            return Err(StorageError::TooLarge);
        }
        for (index, change) in changes.iter().enumerate() {
            let (Change::Put(name, _) | Change::Remove(name)) = change;
            let at = next.entries.binary_search_by(|entry| entry.name.as_slice().cmp(name));
            match (change, at) {
                (Change::Put(name, content), at) => {
                    if !(1..=MAX_NAME).contains(&name.len()) || content.len() > MAX_CONTENT {
                        return Err(StorageError::TooLarge);
                    }
                    let entry = Entry::new(name, content, counter, index);
                    match at {
                        Ok(at) => next.entries.splice(at..=at, [entry]).for_each(drop),
                        Err(_) if next.entries.len() == MAX_ENTRIES => return Err(StorageError::TooLarge),
                        Err(at) => next.entries.insert(at, entry),
                    }
                }
                (Change::Remove(_), Ok(at)) => drop(next.entries.remove(at)),
                (Change::Remove(_), Err(_)) => return Err(StorageError::NotFound),
            }
        }
        Ok(next)
    }

    pub fn version(&self) -> Version {
        self.version_of(&self.encoded())
    }

    /// The same, where the table's bytes are there already.
    pub fn version_of(&self, bytes: &[u8]) -> Version {
        Version { counter: self.counter, root: digest(bytes) }
    }

    /// The contents that came with the last changes. Of several for one name only the last one is left.
    pub fn brought_by<'a>(
        &'a self,
        changes: &'a [Change],
    ) -> impl Iterator<Item = (&'a Entry, &'a Change<'a>)> {
        let new = self.entries.iter().filter(|entry| entry.change == self.counter);
        new.filter_map(|entry| Some((entry, changes.get(entry.index as usize)?)))
    }

    /// Files of contents that another table does not name.
    pub fn files_not_in<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = String> + 'a {
        let kept = |file: &String| other.entries.iter().all(|entry| entry.file() != *file);
        self.entries.iter().map(Entry::file).filter(kept)
    }

    pub fn bytes(&self) -> Result<Vec<u8>, StorageError> {
        let bytes = self.encoded();
        if bytes.len() > MAX { Err(StorageError::TooLarge) } else { Ok(bytes) }
    }

    fn encoded(&self) -> Vec<u8> {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let mut bytes = [&MAGIC[..], &self.counter.to_le_bytes(), &count.to_le_bytes()].concat();
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.change.to_le_bytes());
            bytes.extend_from_slice(&entry.index.to_le_bytes());
            bytes.extend_from_slice(&entry.size.to_le_bytes());
            bytes.extend_from_slice(&entry.digest);
            bytes.push(u8::try_from(entry.name.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(&entry.name);
        }
        bytes
    }

    /// Reads what was sealed: it is ours, and yet read with care.
    pub fn parse(bytes: &[u8], slot: u8) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (counter, rest) = rest.split_first_chunk()?;
        let (count, mut rest) = rest.split_first_chunk()?;
        let count = u32::from_le_bytes(*count) as usize;
        let mut entries = Vec::new();
        for _ in 0..count.min(MAX_ENTRIES + 1) {
            let (change, more) = rest.split_first_chunk()?;
            let (index, more) = more.split_first_chunk()?;
            let (size, more) = more.split_first_chunk()?;
            let (digest, more) = more.split_first_chunk()?;
            let (length, more) = more.split_first()?;
            let (name, more) = more.split_at_checked(usize::from(*length))?;
            rest = more;
            entries.push(Entry {
                name: name.to_vec(),
                size: u32::from_le_bytes(*size),
                digest: *digest,
                change: u64::from_le_bytes(*change),
                index: u32::from_le_bytes(*index),
            });
        }
        let sound = rest.is_empty() && entries.len() == count && entries.len() <= MAX_ENTRIES;
        sound.then_some(Self { counter: u64::from_le_bytes(*counter), entries, slot })
    }
}
