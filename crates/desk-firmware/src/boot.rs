//! The boot block: what the host has put into flash for the monitor.

use crate::map;

/// First bytes of a boot block.
pub const MAGIC: u64 = u64::from_le_bytes(*b"carveout");
/// Bytes of a boot block.
pub const SIZE: usize = 64;

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
}

impl BootBlock {
    /// The bytes in flash.
    pub fn to_bytes(self) -> [u8; SIZE] {
        let Self { kernel, kernel_size, agent, agent_size, tzdram_size } = self;
        let mut bytes = [0; SIZE];
        let words = [MAGIC, kernel, kernel_size, agent, agent_size, tzdram_size];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads it. None if it is no boot block, or one that points outside of flash and memory.
    pub fn parse(bytes: &[u8; SIZE]) -> Option<Self> {
        let mut words = [0; 6];
        for (word, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(from.try_into().ok()?);
        }
        let [magic, kernel, kernel_size, agent, agent_size, tzdram_size] = words;
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
            && tzdram_size.is_multiple_of(map::PAGE)
            && kernel_size <= tzdram_size;
        sound.then_some(Self { kernel, kernel_size, agent, agent_size, tzdram_size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: BootBlock =
        BootBlock { kernel: 0x21000, kernel_size: 5, agent: 0x22000, agent_size: 4096, tzdram_size: 2 << 20 };

    #[test]
    fn a_boot_block_comes_back() {
        assert_eq!(BootBlock::parse(&BLOCK.to_bytes()), Some(BLOCK));
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
        ] {
            assert_eq!(BootBlock::parse(&wrong.to_bytes()), None, "{wrong:?}");
        }
    }
}
