//! Files in memory, that fail as one likes.

use crate::files::Files;
use std::collections::BTreeMap;
use trusty_abi::storage::Outcome;

/// What becomes of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// They are done.
    #[default]
    Keeps,
    /// The disk is full: nothing more is written.
    Full,
    /// What was written never comes to the disk.
    NeverSyncs,
    /// After so many writes nothing is answered any more, as when the daemon has died there.
    DiesAfter(usize),
    /// Nothing is answered.
    Silent,
}

/// Files by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Their contents.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What becomes of requests.
    pub mood: Mood,
    /// Writes and deletions so far.
    pub writes: usize,
}

impl Memory {
    /// Whether requests are answered at all.
    pub fn answers(&self) -> bool {
        match self.mood {
            Mood::Silent => false,
            Mood::DiesAfter(most) => self.writes <= most,
            _ => true,
        }
    }

    fn changes(&mut self) -> Result<(), Outcome> {
        self.writes += 1;
        match self.mood {
            Mood::Full => Err(Outcome::Generic),
            // It died before this one.
            Mood::DiesAfter(most) if self.writes > most => Err(Outcome::Generic),
            _ => Ok(()),
        }
    }

    fn file(&mut self, name: &str) -> Result<&mut Vec<u8>, Outcome> {
        self.files.get_mut(name).ok_or(Outcome::NotFound)
    }
}

impl Files for Memory {
    fn open(&mut self, name: &str, create: bool, truncate: bool) -> Result<(), Outcome> {
        if !self.files.contains_key(name) {
            if !create {
                return Err(Outcome::NotFound);
            }
            self.changes()?;
            self.files.insert(name.into(), Vec::new());
        } else if truncate {
            self.changes()?;
            self.file(name)?.clear();
        }
        Ok(())
    }

    fn read(&mut self, name: &str, offset: u64, size: usize) -> Result<Vec<u8>, Outcome> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.file(name)?.get(start..).unwrap_or_default();
        Ok(rest.get(..size).unwrap_or(rest).to_vec())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), Outcome> {
        self.changes()?;
        let start = usize::try_from(offset).map_err(|_| Outcome::NotValid)?;
        let file = self.file(name)?;
        let end = start + bytes.len();
        if file.len() < end {
            file.resize(end, 0);
        }
        file.get_mut(start..end).unwrap_or_default().copy_from_slice(bytes);
        Ok(())
    }

    fn size(&mut self, name: &str) -> Result<u64, Outcome> {
        self.file(name).map(|file| file.len() as u64)
    }

    fn delete(&mut self, name: &str) -> Result<(), Outcome> {
        self.file(name)?;
        self.changes()?;
        self.files.remove(name);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Outcome> {
        if self.mood == Mood::NeverSyncs { Err(Outcome::Generic) } else { Ok(()) }
    }
}
