//! The partition table.

use crate::disk::Disk;
use crate::error::DeviceError;
use crate::limits::{MAX_DEVICE, MAX_ENTRIES};
use gpt::disk::LogicalBlockSize;
use gpt::header::HeaderError;
use gpt::{GptConfig, GptError, mbr, partition_types};
use std::collections::BTreeMap;
use std::io::SeekFrom;
use uuid::Uuid;

const SECTOR: u64 = 512;
/// Partitions begin at multiples of this, as usual.
const ALIGNMENT: u64 = 1 << 20;
/// Bytes of an entry: the reader that we use panics at others.
const ENTRY: u32 = 128;
/// How a header begins, and where in it are the number of entries and their size.
const SIGNATURE: &[u8] = b"EFI PART";
const ENTRIES_AT: usize = 80;

/// Where a partition lies, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Its beginning.
    pub start: u64,
    /// Its size.
    pub size: u64,
}

/// Bytes of a disk with these partitions, names with sizes in bytes: one MiB before them and one behind for the tables. At most
/// [`MAX_DEVICE`].
pub fn needed(partitions: &[(String, u64)]) -> Result<u64, DeviceError> {
    let sum = partitions.iter().try_fold(2 * ALIGNMENT, |sum: u64, (_, size)| {
        sum.checked_add(size.checked_next_multiple_of(ALIGNMENT)?).filter(|sum| *sum <= MAX_DEVICE)
    });
    sum.ok_or_else(|| {
        let largest = partitions.iter().max_by_key(|(_, size)| *size);
        let (partition, size) = largest.map(|(name, size)| (name.clone(), *size)).unwrap_or_default();
        DeviceError::Layout { partition, size }
    })
}

/// Writes a table for these partitions to a disk of `size` bytes.
pub fn create(disk: &mut dyn Disk, size: u64, partitions: &[(String, u64)]) -> Result<(), DeviceError> {
    let needed = needed(partitions)?;
    if size < needed {
        return Err(DeviceError::TooSmall { size, needed });
    }
    let sectors = u32::try_from(size / SECTOR - 1).unwrap_or(u32::MAX);
    disk.seek(SeekFrom::Start(0))?;
    mbr::ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut &mut *disk).map_err(|e| match e {
        mbr::MBRError::Io(error) => DeviceError::Io(error),
        other => DeviceError::NoTable(other.to_string()),
    })?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(disk, Some(id("disk"))).map_err(unwritten)?;
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
    table.update_partitions(entries).map_err(unwritten)?;
    table.write().map_err(unwritten)?;
    Ok(())
}

/// Why a table was not written: a full disk is no damaged table.
fn unwritten(error: GptError) -> DeviceError {
    match error {
        GptError::Io(error) | GptError::Header(HeaderError::Io(error)) => DeviceError::Io(error),
        other => DeviceError::NoTable(other.to_string()),
    }
}

/// An identifier that is always the same for a name: no output of ours tells when or where it was made.
fn id(name: &str) -> Uuid {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("carveout virt device: {name}"));
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Checks what the reader that we use relies on: it panics at entries of another size, and reads as many as a header says.
fn check_header(disk: &mut dyn Disk, at: u64) -> Result<bool, DeviceError> {
    let mut header = [0; SECTOR as usize];
    disk.seek(SeekFrom::Start(at))?;
    if disk.read_exact(&mut header).is_err() || !header.starts_with(SIGNATURE) {
        return Ok(false);
    }
    let word =
        |at: usize| header.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes);
    let (count, size) = (word(ENTRIES_AT).unwrap_or_default(), word(ENTRIES_AT + 4).unwrap_or_default());
    if size != ENTRY || count > MAX_ENTRIES {
        return Err(DeviceError::NoTable(format!(
            "its header at {at} names {count} entries of {size} bytes, allowed are {MAX_ENTRIES} of {ENTRY}"
        )));
    }
    Ok(true)
}

/// Reads the table of a disk of `size` bytes.
pub fn read(disk: &mut dyn Disk, size: u64) -> Result<BTreeMap<String, Space>, DeviceError> {
    // The second one lies in the last sector, and counts where the first is damaged.
    let first = check_header(disk, SECTOR)?;
    let last = (size / SECTOR).checked_sub(1);
    let second = last.map_or(Ok(false), |sector| check_header(disk, sector * SECTOR))?;
    if !first && !second {
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
