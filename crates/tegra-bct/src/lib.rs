//! Lossless reading and editing of NVIDIA's misc boot-config files, without any I/O.
//!
//! `tegra194-mb1-bct-misc-l4t.cfg` (cold boot) and `tegra194-mb1-bct-misc-flash.cfg` (while flashing) tell MB1, the
//! first boot loader, among much else how large the TZDRAM carve-out is. They consist of `key = value;` lines, the
//! value decimal or hexadecimal, and `#` comments, also behind the `;`.
//!
//! NVIDIA's own parser (`tegrabct_v2` of L4T R32.7) checks next to nothing: a line without `;` swallows the next, a
//! missing key becomes 0, of two lines with one key the last wins, `32M` becomes 0x20. Here all of that is an
//! error with its line number, before anything is built or flashed. One thing is a warning: a key that stands twice and
//! has nothing to do with TZDRAM, because NVIDIA's own configs of AGX Xavier Industrial have such keys.
//!
//! An edit changes the digits of one value and no other byte: comments, spacing, line endings and a missing newline
//! at the end stay. [`mb1`] reads the carve-out back out of the binary boot config that NVIDIA's tools make of these files.
//!
//! ```
//! use tegra_bct::{MiscCfg, TZDRAM_SIZE};
//!
//! let mut cfg = MiscCfg::parse(b"carveout.tzdram.size = 0x01000000; #16MB\r\n")?;
//! cfg.set(TZDRAM_SIZE, 64 << 20)?;
//! assert_eq!(cfg.as_bytes(), b"carveout.tzdram.size = 0x04000000; #16MB\r\n");
//! # Ok::<(), tegra_bct::CfgErrors>(())
//! ```
#![warn(clippy::indexing_slicing)]

mod error;
mod family;
mod line;
pub mod mb1;
pub mod signed;

pub use error::{CfgError, CfgErrors, Defect, MAX_DEFECTS};
pub use family::Family;
use line::{Entry, parse_line};
use std::collections::BTreeMap;
use trusty_image::Tzdram;

/// Size of the TZDRAM carve-out in bytes.
pub const TZDRAM_SIZE: &str = "carveout.tzdram.size";
/// Alignment of the TZDRAM carve-out in bytes.
pub const TZDRAM_ALIGNMENT: &str = "carveout.tzdram.alignment";
/// The keys of a carve-out, with their values.
pub fn keys_of(tzdram: Tzdram) -> [(&'static str, u64); 2] {
    [(TZDRAM_SIZE, tzdram.size()), (TZDRAM_ALIGNMENT, tzdram.alignment())]
}

/// How the keys of the TZDRAM carve-out begin.
const TZDRAM: &str = "carveout.tzdram.";
/// Largest file that is read: NVIDIA's have 4 KiB.
pub const MAX_FILE: usize = 1 << 20;

/// A misc boot-config file whose every line has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MiscCfg {
    bytes: Vec<u8>,
    entries: BTreeMap<String, Entry>,
    warnings: Vec<CfgError>,
}

impl MiscCfg {
    /// Reads a misc config, of t194 or t186. All defects are reported at once; another of NVIDIA's configs is one.
    pub fn parse(bytes: &[u8]) -> Result<Self, CfgErrors> {
        let whole = |defect| CfgErrors(vec![CfgError { line: 1, text: String::new(), defect }]);
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(whole(Defect::ByteOrderMark));
        }
        if bytes.len() > MAX_FILE {
            return Err(whole(Defect::TooLarge(bytes.len())));
        }
        let family = Family::of(bytes);
        if let Some(other) = family.filter(|family| !family.is_misc()) {
            return Err(whole(Defect::Family(other)));
        }
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let mut offset = 0;
        for (index, raw) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let number = index + 1;
            let parsed = parse_line(raw, offset, number);
            offset += raw.len();
            let (found, defect) = match parsed {
                Ok(None) => continue,
                // As for NVIDIA's parser, the last counts.
                Ok(Some((key, entry))) => match entries.insert(key.clone(), entry) {
                    Some(first) if key.starts_with(TZDRAM) => {
                        (&mut errors, Defect::Duplicate { key, first: first.line })
                    }
                    Some(first) => (&mut warnings, Defect::Duplicate { key, first: first.line }),
                    None => continue,
                },
                Err(defect) => (&mut errors, defect),
            };
            if found.len() > MAX_DEFECTS {
                continue;
            }
            let defect = if found.len() == MAX_DEFECTS { Defect::More } else { defect };
            let text = String::from_utf8_lossy(raw).trim().chars().take(100).collect();
            found.push(CfgError { line: number, text, defect });
        }
        if errors.is_empty() && entries.is_empty() {
            return Err(whole(Defect::Empty));
        }
        if !errors.is_empty() {
            return Err(CfgErrors(errors));
        }
        Ok(Self { bytes: bytes.to_vec(), entries, warnings })
    }

    /// What is odd in the file and changes nothing of the carve-out, by line.
    pub fn warnings(&self) -> &[CfgError] {
        &self.warnings
    }

    /// The value of a key, which must exist.
    pub fn get(&self, key: &str) -> Result<u64, CfgErrors> {
        self.entry(key).map(|entry| entry.value)
    }

    /// Sets the value of an existing key, as eight hexadecimal digits at least. No other byte changes.
    pub fn set(&mut self, key: &str, value: u64) -> Result<(), CfgErrors> {
        let range = self.entry(key)?.range.clone();
        let digits = format!("0x{value:08x}");
        let (old, new) = (range.len(), digits.len());
        self.bytes.splice(range.clone(), digits.into_bytes());
        for (name, entry) in &mut self.entries {
            if name == key {
                entry.value = value;
                entry.range = range.start..range.start + new;
            } else if entry.range.start > range.start {
                let shift = |at: usize| at - old + new;
                entry.range = shift(entry.range.start)..shift(entry.range.end);
            }
        }
        Ok(())
    }

    /// Whether it says anything of the carve-out's size or alignment.
    pub fn has_tzdram(&self) -> bool {
        [TZDRAM_SIZE, TZDRAM_ALIGNMENT].iter().any(|key| self.entries.contains_key(*key))
    }

    /// Sets the carve-out.
    pub fn set_tzdram(&mut self, tzdram: Tzdram) -> Result<(), CfgErrors> {
        keys_of(tzdram).into_iter().try_for_each(|(key, value)| self.set(key, value))
    }

    /// The 1-based line of a key, which must exist.
    pub fn line(&self, key: &str) -> Result<usize, CfgErrors> {
        self.entry(key).map(|entry| entry.line)
    }

    /// All keys and values, sorted by key.
    pub fn entries(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry.value))
    }

    /// The file's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn entry(&self, key: &str) -> Result<&Entry, CfgErrors> {
        self.entries.get(key).ok_or_else(|| {
            let line = self.bytes.split_inclusive(|b| *b == b'\n').count().max(1);
            // The advice to add a line is for a file that can have it.
            let defect = match Family::of(&self.bytes) {
                Some(Family::Misc194) => Defect::Missing(key.into()),
                Some(other) => Defect::Family(other),
                None => Defect::Unknown(key.into()),
            };
            CfgErrors(vec![CfgError { line, text: String::new(), defect }])
        })
    }
}

#[cfg(test)]
mod tests;
