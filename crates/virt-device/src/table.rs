//! The partition table.

use crate::{DeviceError, Disk};
use gpt::disk::LogicalBlockSize;
use gpt::{GptConfig, mbr, partition_types};
use std::collections::BTreeMap;
use std::io::SeekFrom;
use uuid::Uuid;

const SECTOR: u64 = 512;
/// Partitions begin at multiples of this, as usual.
const ALIGNMENT: u64 = 1 << 20;
/// Bytes of an entry: the reader that we use panics at others.
const ENTRY: u32 = 128;
/// Where the header says so.
const ENTRY_SIZE: u64 = SECTOR + 84;

/// Where a partition lies, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Its beginning.
    pub start: u64,
    /// Its size.
    pub size: u64,
}

/// Bytes of a disk with these partitions, names with sizes in bytes: one MiB before them and one behind for the tables.
pub fn needed(partitions: &[(String, u64)]) -> u64 {
    let sum = partitions.iter().map(|(_, size)| size.next_multiple_of(ALIGNMENT));
    sum.fold(2 * ALIGNMENT, u64::saturating_add)
}

/// Writes a table for these partitions to a disk of `size` bytes.
pub fn create(disk: &mut dyn Disk, size: u64, partitions: &[(String, u64)]) -> Result<(), DeviceError> {
    let needed = needed(partitions);
    if size < needed {
        return Err(DeviceError::TooSmall { size, needed });
    }
    let failed = |e: &dyn std::fmt::Display| DeviceError::NoTable(e.to_string());
    let sectors = u32::try_from(size / SECTOR - 1).unwrap_or(u32::MAX);
    disk.seek(SeekFrom::Start(0))?;
    mbr::ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut &mut *disk).map_err(|e| failed(&e))?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(disk, Some(id("disk"))).map_err(|e| failed(&e))?;
    let (mut start, mut entries) = (ALIGNMENT, BTreeMap::new());
    for (index, (name, size)) in (1..).zip(partitions) {
        let entry = gpt::partition::Partition {
            part_type_guid: partition_types::LINUX_FS,
            part_guid: id(name),
            first_lba: start / SECTOR,
            last_lba: (start + size.next_multiple_of(SECTOR)) / SECTOR - 1,
            flags: 0,
            name: name.clone(),
        };
        entries.insert(index, entry);
        start += size.next_multiple_of(ALIGNMENT);
    }
    table.update_partitions(entries).map_err(|e| failed(&e))?;
    table.write().map_err(|e| failed(&e))?;
    Ok(())
}

/// An identifier that is always the same for a name: no output of ours tells when or where it was made.
fn id(name: &str) -> Uuid {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("carveout virt device: {name}"));
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Reads the table of a disk of `size` bytes.
pub fn read(disk: &mut dyn Disk, size: u64) -> Result<BTreeMap<String, Space>, DeviceError> {
    let mut entry = [0; 4];
    disk.seek(SeekFrom::Start(ENTRY_SIZE))?;
    let whole = disk.read_exact(&mut entry);
    if whole.is_err() || u32::from_le_bytes(entry) != ENTRY {
        return Err(DeviceError::NoTable(format!("it has no header with entries of {ENTRY} bytes")));
    }
    let failed = |e: &dyn std::fmt::Display| DeviceError::NoTable(e.to_string());
    let config = GptConfig::new().writable(false).logical_block_size(LogicalBlockSize::Lb512);
    let table = config.open_from_device(disk).map_err(|e| failed(&e))?;
    let mut spaces = BTreeMap::new();
    for partition in table.partitions().values().filter(|partition| partition.is_used()) {
        let start = partition.bytes_start(LogicalBlockSize::Lb512).map_err(|e| failed(&e))?;
        let length = partition.bytes_len(LogicalBlockSize::Lb512).map_err(|e| failed(&e))?;
        if start.checked_add(length).is_none_or(|end| end > size) {
            return Err(failed(&format!("partition {} ends behind the disk", partition.name.escape_debug())));
        }
        spaces.insert(partition.name.clone(), Space { start, size: length });
    }
    Ok(spaces)
}
