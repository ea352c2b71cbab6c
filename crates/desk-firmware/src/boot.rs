//! The boot block: what the host has put into flash for the monitor.

use crate::map;

/// First bytes of a boot block.
pub const MAGIC: u64 = u64::from_le_bytes(*b"carveout");
/// Bytes of a boot block.
pub const SIZE: usize = 128;
/// Most bytes of an EKB: the kernel takes no more (`MAXIMUM_ENCRYPTED_KEYS_SIZE`).
pub const EKB_MAX: u64 = 32 * map::PAGE;
/// Bytes of what says where things are.
const PLACES: usize = 64;

/// Where things are in flash, and how much memory Trusty gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootBlock {
    /// Offset of the kernel (lk.bin), a multiple of a page.
    pub kernel: u64,
    /// Its bytes.
    pub kernel_size: u64,
    /// Offset of the agent, a multiple of a page.
    pub agent: u64,
    /// Its bytes.
    pub agent_size: u64,
    /// Trusty's share of the carve-out in bytes, a multiple of a page.
    pub tzdram_size: u64,
    /// Offset of the EKB, from its CMAC on: a multiple of a page.
    pub ekb: u64,
    /// Its bytes; 0 if there is none.
    pub ekb_size: u64,
    /// The key in slot KEK2 of the security engine, as little-endian words.
    pub kek2: [u32; 4],
    /// The key in slot SSK.
    pub ssk: [u32; 4],
    /// The chip's ECID, lowest word first.
    pub ecid: [u32; 4],
}

impl BootBlock {
    /// The bytes in flash.
    pub fn to_bytes(self) -> [u8; SIZE] {
        let Self { kernel, kernel_size, agent, agent_size, tzdram_size, ekb, ekb_size, kek2, ssk, ecid } =
            self;
        let mut bytes = [0; SIZE];
        let (places, values) = bytes.split_at_mut(PLACES);
        let words = [MAGIC, kernel, kernel_size, agent, agent_size, tzdram_size, ekb, ekb_size];
        for (to, word) in places.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        for (to, word) in values.chunks_exact_mut(4).zip([kek2, ssk, ecid].as_flattened()) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads it. None if it is no boot block, or one that points outside of flash and memory.
    pub fn parse(bytes: &[u8; SIZE]) -> Option<Self> {
        let (places, values) = bytes.split_at_checked(PLACES)?;
        let mut words = [0; PLACES / 8];
        for (word, from) in words.iter_mut().zip(places.as_chunks().0) {
            *word = u64::from_le_bytes(*from);
        }
        let mut keys = [[0; 4]; 3];
        for (word, from) in keys.as_flattened_mut().iter_mut().zip(values.as_chunks().0) {
            *word = u32::from_le_bytes(*from);
        }
        let [magic, kernel, kernel_size, agent, agent_size, tzdram_size, ekb, ekb_size] = words;
        let inside = |offset: u64, size: u64| {
            offset > map::BOOT_BLOCK
                && offset.is_multiple_of(map::PAGE)
                && size > 0
                && offset.checked_add(size).is_some_and(|end| end <= map::FLASH_SIZE)
        };
        let sound = magic == MAGIC
            && inside(kernel, kernel_size)
            && inside(agent, agent_size)
            && agent_size <= map::AGENT_END - map::AGENT
            && (ekb_size == 0 || inside(ekb, ekb_size) && ekb_size <= EKB_MAX)
            && tzdram_size.is_multiple_of(map::PAGE)
            && kernel_size <= tzdram_size;
        let [kek2, ssk, ecid] = keys;
        sound.then_some(Self {
            kernel,
            kernel_size,
            agent,
            agent_size,
            tzdram_size,
            ekb,
            ekb_size,
            kek2,
            ssk,
            ecid,
        })
    }
}

/// Words as the security engine and its fuses have them.
pub fn words(bytes: &[u8; 16]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, four) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*four);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: BootBlock = BootBlock {
        kernel: 0x21000,
        kernel_size: 5,
        agent: 0x22000,
        agent_size: 4096,
        tzdram_size: 2 << 20,
        ekb: 0x23000,
        ekb_size: 1012,
        kek2: [1, 2, 3, 4],
        ssk: [5, 6, 7, 8],
        ecid: [9, 10, 11, 12],
    };

    #[test]
    fn a_boot_block_comes_back() {
        for block in [BLOCK, BootBlock { ekb: 0, ekb_size: 0, ..BLOCK }] {
            assert_eq!(BootBlock::parse(&block.to_bytes()), Some(block));
        }
    }

    #[test]
    fn one_that_would_boot_nothing_is_refused() {
        assert_eq!(BootBlock::parse(&[0; SIZE]), None);
        for wrong in [
            BootBlock { kernel: 0x21001, ..BLOCK },
            BootBlock { kernel: 0, ..BLOCK },
            BootBlock { kernel: !0xfff, ..BLOCK },
            BootBlock { kernel_size: map::FLASH_SIZE, ..BLOCK },
            BootBlock { agent_size: 0, ..BLOCK },
            BootBlock { agent_size: 3 << 20, ..BLOCK },
            BootBlock { tzdram_size: 4097, ..BLOCK },
            BootBlock { kernel_size: 3 << 20, ..BLOCK },
            BootBlock { ekb: 0x23001, ..BLOCK },
            BootBlock { ekb_size: EKB_MAX + 1, ..BLOCK },
        ] {
            assert_eq!(BootBlock::parse(&wrong.to_bytes()), None, "{wrong:?}");
        }
    }
}
