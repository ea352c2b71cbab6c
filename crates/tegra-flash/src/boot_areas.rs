//! The partitions in the boot areas of a board's storage (`mmcblk0boot0` and `mmcblk0boot1` of an eMMC, one behind the other): by the GPT
//! at their end, as NVIDIA's flash tools write it. There is none at their beginning, where the boot ROM reads its own.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of a sector, of a table's head, and of an entry.
const SECTOR: usize = 512;
const HEAD: usize = 92;
const ENTRY: usize = 128;
/// Entries, at most: NVIDIA's tables have 128.
const MAX_ENTRIES: usize = 128;
/// The partition with the boot ROM's own table, and how far its copy for slot B lies behind its beginning, as NVIDIA's engine writes it.
pub const BCT: &str = "BCT";
const BCT_SLOT: usize = 16 << 10;
/// How the names of slot B end.
const SLOT_B: &str = "_b";

/// Why areas have no partitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootAreasError {
    /// No table.
    #[error("there is no GPT at their end")]
    NoTable,
    /// A damaged one.
    #[error("the GPT at their end is damaged: {0}")]
    Damaged(&'static str),
}

/// Boot areas that were read.
pub struct BootAreas {
    bytes: Vec<u8>,
    partitions: BTreeMap<String, Range<usize>>,
}

/// What a partition is called in a slot (0 is A, 1 is B).
pub fn in_slot(partition: &str, slot: usize) -> String {
    if slot == 0 { partition.to_owned() } else { format!("{partition}{SLOT_B}") }
}

impl BootAreas {
    /// Of all bytes.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BootAreasError> {
        let (rest, last) = bytes.split_last_chunk::<SECTOR>().ok_or(BootAreasError::NoTable)?;
        if !last.starts_with(b"EFI PART") {
            return Err(BootAreasError::NoTable);
        }
        let u32_at = |bytes: &[u8], at: usize| {
            bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |w| u32::from_le_bytes(*w))
        };
        let checksum = |bytes: &[u8]| crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes);
        let mut head: Vec<u8> = last.iter().take(HEAD).copied().collect();
        head.iter_mut().skip(16).take(4).for_each(|byte| *byte = 0);
        if u32_at(last, 12) as usize != HEAD || checksum(&head) != u32_at(last, 16) {
            return Err(BootAreasError::Damaged("the checksum of its head"));
        }
        let count = u32_at(last, 80) as usize;
        if u32_at(last, 84) as usize != ENTRY || count > MAX_ENTRIES {
            return Err(BootAreasError::Damaged("the number or the size of its entries"));
        }
        let start = rest.len().checked_sub(count * ENTRY).ok_or(BootAreasError::Damaged("its place"))?;
        let table = rest.get(start..).unwrap_or_default();
        if checksum(table) != u32_at(last, 88) {
            return Err(BootAreasError::Damaged("the checksum of its entries"));
        }
        let mut partitions = BTreeMap::new();
        for entry in table.chunks_exact(ENTRY) {
            let sector = |at: usize| {
                let bytes = entry.get(at..).and_then(|rest| rest.first_chunk());
                bytes.and_then(|bytes| usize::try_from(u64::from_le_bytes(*bytes)).ok()).unwrap_or(usize::MAX)
            };
            let (first, end) = (sector(32), sector(40).saturating_add(1));
            let units = entry.get(56..).unwrap_or_default().chunks_exact(2);
            let units =
                units.map(|unit| unit.iter().rev().fold(0, |value, byte| value << 8 | u16::from(*byte)));
            let name: String = char::decode_utf16(units.take_while(|unit| *unit != 0)).flatten().collect();
            if !name.is_empty() && first < end && end.saturating_mul(SECTOR) <= bytes.len() {
                partitions.insert(name, first * SECTOR..end * SECTOR);
            }
        }
        Ok(Self { bytes, partitions })
    }

    /// The bytes of a partition in a slot; none: it is not in the boot areas.
    pub fn partition(&self, name: &str, slot: usize) -> Option<&[u8]> {
        if name == BCT {
            let place = self.partitions.get(name)?;
            return self.bytes.get(place.start + slot * BCT_SLOT..place.end);
        }
        self.bytes.get(self.partitions.get(&in_slot(name, slot))?.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Areas of 64 KiB with these partitions.
    fn areas(partitions: &[(&str, u64, u64)]) -> Vec<u8> {
        let mut table = Vec::new();
        for (name, first, last) in partitions {
            let mut entry = vec![1; 32];
            entry.extend([first.to_le_bytes(), last.to_le_bytes(), [0; 8]].concat());
            entry.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            entry.resize(ENTRY, 0);
            table.extend(entry);
        }
        table.resize(MAX_ENTRIES * ENTRY, 0);
        let checksum = |bytes: &[u8]| crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes);
        let mut head = [0; SECTOR];
        head[..8].copy_from_slice(b"EFI PART");
        head[12..16].copy_from_slice(&(HEAD as u32).to_le_bytes());
        head[80..84].copy_from_slice(&(MAX_ENTRIES as u32).to_le_bytes());
        head[84..88].copy_from_slice(&(ENTRY as u32).to_le_bytes());
        head[88..92].copy_from_slice(&checksum(&table).to_le_bytes());
        let sum = checksum(&head[..HEAD]);
        head[16..20].copy_from_slice(&sum.to_le_bytes());
        let mut bytes: Vec<u8> = (0..64 << 10).map(|at: usize| (at / SECTOR) as u8).collect();
        bytes.truncate((64 << 10) - table.len() - SECTOR);
        [bytes, table, head.to_vec()].concat()
    }

    #[test]
    fn partitions_are_found_by_slot() {
        let areas = BootAreas::parse(areas(&[(BCT, 0, 63), ("SMD", 64, 65), ("SMD_b", 66, 66)])).unwrap();
        let first =
            |name, slot| areas.partition(name, slot).map(|bytes| (bytes.first().copied(), bytes.len()));
        assert_eq!(first("SMD", 0), Some((Some(64), 1024)));
        assert_eq!(first("SMD", 1), Some((Some(66), 512)));
        assert_eq!(first(BCT, 0), Some((Some(0), 32 << 10)));
        assert_eq!(first(BCT, 1), Some((Some(32), 16 << 10)));
        assert_eq!(first("secure-os", 0), None);
    }

    #[test]
    fn damage_is_told_and_nothing_lies_outside() {
        let whole = areas(&[("SMD", 64, 65), ("far", 100, 4000), ("wrong", 9, 3)]);
        let areas = BootAreas::parse(whole.clone()).unwrap();
        assert_eq!((areas.partition("far", 0), areas.partition("wrong", 0)), (None, None));
        assert!(BootAreas::parse(whole[..whole.len() - 1].to_vec()).is_err());
        assert!(BootAreas::parse(Vec::new()).is_err());
        for at in [whole.len() - SECTOR, whole.len() - SECTOR + 80, whole.len() - 2 * SECTOR] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(BootAreas::parse(bytes).is_err(), "byte {at}");
        }
    }
}
