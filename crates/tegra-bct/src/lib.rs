//! Lossless reading and editing of NVIDIA's misc boot-config files, without any I/O.
//!
//! `tegra194-mb1-bct-misc-l4t.cfg` (cold boot) and `tegra194-mb1-bct-misc-flash.cfg` (while flashing) tell MB1, the
//! first boot loader, among much else how large the TZDRAM carve-out is. They consist of `key = value;` lines, the
//! value decimal or hexadecimal, and `#` comments, also behind the `;`. TX2 (t186) has one for both,
//! `tegra186-mb1-bct-misc-si-l4t.cfg`, with other keys, and none of the carve-out as shipped: they are added.
//!
//! NVIDIA's own parser (`tegrabct_v2` of L4T R32.7) checks next to nothing: a line without `;` swallows the next, a
//! missing key becomes 0, of two lines with one key the last wins, `32M` becomes 0x20. Here all of that is an
//! error with its line number, before anything is built or flashed. One thing is a warning: a key that stands twice and
//! has nothing to do with TZDRAM, because NVIDIA's own configs of AGX Xavier Industrial have such keys.
//!
//! An edit changes the digits of one value, or adds a line, and no other byte: comments, spacing, line endings and a missing
//! newline at the end stay. [`mb1`] reads the carve-out back out of the binary boot config that NVIDIA's tools make of these files.
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
use trusty_image::{Soc, Tzdram};

/// Size of the TZDRAM carve-out in bytes, in a misc config of t194.
pub const TZDRAM_SIZE: &str = "carveout.tzdram.size";
/// Alignment of the TZDRAM carve-out in bytes, likewise.
pub const TZDRAM_ALIGNMENT: &str = "carveout.tzdram.alignment";
/// How the keys of a t186 begin among which those of its carve-out stand.
const SECTION_186: &str = "sw_carveout.";

/// The keys of the carve-out's size and alignment in an SoC's misc config.
pub fn tzdram_keys(soc: Soc) -> [&'static str; 2] {
    match soc {
        Soc::T194 => [TZDRAM_SIZE, TZDRAM_ALIGNMENT],
        Soc::T186 => ["sw_carveout.tzdram_carveout_size", "sw_carveout.tzdram_carveout_alignment"],
    }
}

/// How the keys of the TZDRAM carve-out begin.
const TZDRAM: [&str; 2] = ["carveout.tzdram.", "sw_carveout.tzdram_"];
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
                    Some(first) if TZDRAM.iter().any(|known| key.starts_with(known)) => {
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

    /// The SoC that it is for: t194 unless it has a key of t186 alone.
    pub fn soc(&self) -> Soc {
        if Family::of(&self.bytes) == Some(Family::Misc186) { Soc::T186 } else { Soc::T194 }
    }

    /// Whether it says anything of the carve-out's size or alignment.
    pub fn has_tzdram(&self) -> bool {
        tzdram_keys(self.soc()).iter().any(|key| self.entries.contains_key(*key))
    }

    /// Size and alignment of the carve-out, which it must have.
    pub fn tzdram(&self) -> Result<[u64; 2], CfgErrors> {
        let [size, alignment] = tzdram_keys(self.soc());
        Ok([self.get(size)?, self.get(alignment)?])
    }

    /// Sets the carve-out. To a config of t186, which has none as shipped, the lines are added.
    pub fn set_tzdram(&mut self, tzdram: Tzdram) -> Result<(), CfgErrors> {
        let soc = self.soc();
        let values = [tzdram.size(), tzdram.alignment()];
        for (key, value) in tzdram_keys(soc).into_iter().zip(values) {
            match soc {
                Soc::T186 if !self.entries.contains_key(key) => self.add(key, value)?,
                _ => self.set(key, value)?,
            }
        }
        Ok(())
    }

    /// Adds a line behind the last of its section, or behind all others.
    fn add(&mut self, key: &str, value: u64) -> Result<(), CfgErrors> {
        let section = self.entries.iter().filter(|(name, _)| name.starts_with(SECTION_186));
        let last = section.map(|(_, entry)| entry.line).max();
        let lines = self.bytes.split_inclusive(|byte| *byte == b'\n');
        let before: Vec<&[u8]> = lines.take(last.unwrap_or(usize::MAX)).collect();
        let at: usize = before.iter().map(|line| line.len()).sum();
        let end = if before.iter().any(|line| line.ends_with(b"\r\n")) { "\r\n" } else { "\n" };
        let open = before.last().is_some_and(|line| !line.ends_with(b"\n"));
        let line = format!("{key} = 0x{value:08x};");
        let text = if open { format!("{end}{line}") } else { format!("{line}{end}") };
        let mut bytes = self.bytes.clone();
        bytes.splice(at..at, text.into_bytes());
        *self = Self::parse(&bytes)?;
        Ok(())
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
                Some(Family::Misc186) if key.starts_with(SECTION_186) => Defect::Missing(key.into()),
                Some(other) => Defect::Family(other),
                None => Defect::Unknown(key.into()),
            };
            CfgErrors(vec![CfgError { line, text: String::new(), defect }])
        })
    }
}

#[cfg(test)]
mod tests;
