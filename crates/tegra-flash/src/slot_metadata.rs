//! Which boot slot a board boots: the slot metadata of L4T R32 (partitions `SMD` and `SMD_b`), as `nvbootctrl dump-slots-info` reads it.
//!
//! Numbers are little endian: magic, version (`u8`), features (`u8`: 1 A/B is on, 2 the slots are kept the same), number of slots (`u16`);
//! for each slot its priority (`u8`), its suffix (two letters), the boots that are left to it (`u8`), whether it has booted with success
//! (`u8`); CRC-32 of all that. What follows is of root filesystems, and not read here.

/// How it begins.
const MAGIC: u32 = 0x4342_4e00;
/// Slots that it has room for.
const SLOTS: usize = 2;
/// Bytes of the head, of a slot, and of all that the checksum is of.
const HEAD: usize = 8;
const SLOT: usize = 5;
const SUMMED: usize = HEAD + SLOTS * SLOT;

/// Why bytes are no slot metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotMetadataError {
    /// Another file.
    #[error("is no slot metadata of L4T R32: it begins with {found:#010x}, not {MAGIC:#010x}")]
    Magic {
        /// How it begins.
        found: u32,
    },
    /// Damaged.
    #[error("its checksum is {found:#010x}, and should be {wanted:#010x}")]
    Checksum {
        /// What it says.
        found: u32,
        /// Of what it has.
        wanted: u32,
    },
    /// Too short, or no slot has a boot left.
    #[error("has no slot that can be booted")]
    NoSlot,
}

/// A boot slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootSlot {
    /// The slot with the largest one is booted.
    pub priority: u8,
    /// Boots that are left to it.
    pub retries: u8,
    /// Whether it has booted with success.
    pub successful: bool,
}

/// Slot metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMetadata {
    /// Slots that are in use: 1 unless A/B redundancy is on.
    pub slots: Vec<BootSlot>,
}

impl SlotMetadata {
    /// Reads it.
    pub fn parse(bytes: &[u8]) -> Result<Self, SlotMetadataError> {
        let word =
            |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|w| u32::from_le_bytes(*w));
        let found = word(0).unwrap_or_default();
        if found != MAGIC {
            return Err(SlotMetadataError::Magic { found });
        }
        let summed = bytes.get(..SUMMED).ok_or(SlotMetadataError::NoSlot)?;
        let wanted = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(summed);
        let found = word(SUMMED).ok_or(SlotMetadataError::NoSlot)?;
        if found != wanted {
            return Err(SlotMetadataError::Checksum { found, wanted });
        }
        let (head, slots) = summed.split_at_checked(HEAD).unwrap_or_default();
        let count = match head {
            [.., low, high] => usize::from(u16::from_le_bytes([*low, *high])),
            _ => 0,
        };
        let slot = |slot: &[u8]| match *slot {
            [priority, _, _, retries, successful] => {
                Some(BootSlot { priority, retries, successful: successful != 0 })
            }
            _ => None,
        };
        let slots: Vec<BootSlot> = slots.chunks_exact(SLOT).take(count).filter_map(slot).collect();
        if slots.is_empty() { Err(SlotMetadataError::NoSlot) } else { Ok(Self { slots }) }
    }

    /// The slot that the next boot tries: 0 is A, 1 is B.
    pub fn active(&self) -> Option<usize> {
        let bootable =
            self.slots.iter().enumerate().filter(|(_, slot)| slot.priority > 0 && slot.retries > 0);
        // Of two that are equal the first.
        bootable.rev().max_by_key(|(_, slot)| slot.priority).map(|(index, _)| index)
    }

    /// Whether both slots can be booted.
    pub fn is_redundant(&self) -> bool {
        self.slots.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As NVIDIA's engine has left it on a stand-in device: B is active, and both have booted.
    const REAL: [u8; 22] = [
        0x00, 0x4e, 0x42, 0x43, 0x05, 0x03, 0x02, 0x00, 0x0e, 0x5f, 0x61, 0x07, 0x01, 0x0f, 0x5f, 0x62, 0x07,
        0x01, 0xae, 0xce, 0xc0, 0x1f,
    ];

    #[test]
    fn nvidias_own_is_read() {
        let read = SlotMetadata::parse(&REAL).unwrap();
        assert_eq!(read.slots[0], BootSlot { priority: 14, retries: 7, successful: true });
        assert_eq!((read.active(), read.is_redundant()), (Some(1), true));
        let mut read = read;
        read.slots[1].retries = 0;
        assert_eq!(read.active(), Some(0));
        read.slots[0].priority = 0;
        assert_eq!(read.active(), None);
    }

    #[test]
    fn whatever_is_damaged_is_told() {
        for at in 0..REAL.len() {
            let mut bytes = REAL;
            bytes[at] ^= 1;
            assert!(SlotMetadata::parse(&bytes).is_err(), "byte {at}");
            assert!(SlotMetadata::parse(&REAL[..at]).is_err(), "{at} bytes");
        }
        let one = [&REAL[..6], &[0, 0], &REAL[8..18]].concat();
        let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&one).to_le_bytes();
        assert_eq!(SlotMetadata::parse(&[&one[..], &sum].concat()), Err(SlotMetadataError::NoSlot));
    }
}
