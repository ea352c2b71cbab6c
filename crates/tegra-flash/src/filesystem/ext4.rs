//! The superblock of ext2, ext3 and ext4: 1024 bytes at offset 1024, little endian.
//!
//! Source: Linux, `fs/ext4/ext4.h` (`struct ext4_super_block`) and what `ext4_fill_super` of `fs/ext4/super.c` refuses to mount.

use std::fmt;

/// Where the superblock lies, in bytes.
pub const OFFSET: usize = 1024;
/// Bytes of a superblock.
pub const SIZE: usize = 1024;
const MAGIC: u16 = 0xef53;
/// Bytes of the superblock before its own checksum, which is its last word.
const SUMMED: usize = 0x3fc;

/// `s_state`: unmounted cleanly; errors were found.
const STATE: [u16; 2] = [1, 2];
/// `s_feature_incompat` that Linux has names for; a kernel refuses to mount what it does not know.
const KNOWN_INCOMPAT: u32 = 0x3_f7df;
const NEEDS_RECOVERY: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const EXTENTS: u32 = 0x40;
const BITS_64: u32 = 0x80;
/// `s_feature_compat`: it has a journal.
const HAS_JOURNAL: u32 = 0x4;
/// `s_feature_ro_compat`: the superblock has a checksum; block groups are counted in clusters.
const METADATA_CSUM: u32 = 0x400;
const BIGALLOC: u32 = 0x200;

/// What a superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ext4 {
    /// `ext4`, or `ext3` or `ext2` by its features. Linux mounts all three as ext4.
    pub kind: &'static str,
    /// Bytes a block.
    pub block_size: u64,
    /// Blocks of the filesystem.
    pub blocks: u64,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// Its label, as far as it is UTF-8; it may hold what a terminal would obey.
    pub label: String,
    /// Whether it was unmounted cleanly.
    pub clean: bool,
    /// Whether the kernel has found errors in it.
    pub errors: bool,
}

/// Why there is no sound superblock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ext4Error {
    /// Too few bytes for one.
    #[error("it has {0} bytes, the superblock of ext4 ends at 2048")]
    Short(u64),
    /// Its magic number is missing.
    #[error("offset 0x438: no magic number of ext4, 53 ef")]
    Magic,
    /// Its checksum does not fit.
    #[error("the superblock's checksum is 0x{found:08x}, it should be 0x{expected:08x}")]
    Checksum {
        /// What it says.
        found: u32,
        /// What it would have to say.
        expected: u32,
    },
    /// A field has a value that Linux would refuse to mount.
    #[error("the superblock's {field} is {found}, expected {expected}")]
    Field {
        /// Its name in Linux.
        field: &'static str,
        /// What it is.
        found: u64,
        /// What would be right.
        expected: &'static str,
    },
}

struct Superblock<'a>(&'a [u8]);

impl Superblock<'_> {
    fn at<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.0.get(offset..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
    }

    fn u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.at(offset))
    }

    fn u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.at(offset))
    }

    /// A count whose upper half is used by filesystems of 64 bits alone.
    fn count(&self, low: usize, high: usize) -> u64 {
        let high = if self.u32(0x60) & BITS_64 != 0 { self.u32(high) } else { 0 };
        u64::from(high) << 32 | u64::from(self.u32(low))
    }
}

/// Whether there is ext4's magic number, which does not say that all else is sound.
pub fn has_magic(head: &[u8]) -> bool {
    head.get(OFFSET + 0x38..).is_some_and(|bytes| bytes.starts_with(&MAGIC.to_le_bytes()))
}

/// The checksum of a superblock.
pub fn checksum(superblock: &[u8]) -> u32 {
    // Linux does not invert the result.
    !crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(superblock.get(..SUMMED).unwrap_or_default())
}

impl Ext4 {
    /// Reads the superblock of a filesystem that begins with `head`, of which 2048 bytes are looked at.
    pub fn parse(head: &[u8]) -> Result<Self, Ext4Error> {
        let bytes = head.get(OFFSET..OFFSET + SIZE).ok_or(Ext4Error::Short(head.len() as u64))?;
        if !has_magic(head) {
            return Err(Ext4Error::Magic);
        }
        let block = Superblock(bytes);
        let [compat, incompat, ro_compat] = [0x5c, 0x60, 0x64].map(|offset| block.u32(offset));
        if ro_compat & METADATA_CSUM != 0 {
            let (found, expected) = (block.u32(SUMMED), checksum(bytes));
            if found != expected {
                return Err(Ext4Error::Checksum { found, expected });
            }
        }
        let parsed = Self {
            kind: match (incompat & EXTENTS, compat & HAS_JOURNAL) {
                (0, 0) => "ext2",
                (0, _) => "ext3",
                _ => "ext4",
            },
            block_size: 1024_u64.checked_shl(block.u32(0x18)).unwrap_or(0),
            blocks: block.count(0x04, 0x150),
            free_blocks: block.count(0x0c, 0x158),
            label: label(&block.at::<16>(0x78)),
            clean: block.u16(0x3a) & STATE[0] != 0 && incompat & NEEDS_RECOVERY == 0,
            errors: block.u16(0x3a) & STATE[1] != 0,
        };
        parsed.check(&block, ro_compat).map(|()| parsed)
    }

    fn check(&self, block: &Superblock, ro_compat: u32) -> Result<(), Ext4Error> {
        let incompat = block.u32(0x60);
        let field = |good: bool, field, found: u64, expected| {
            if good { Ok(()) } else { Err(Ext4Error::Field { field, found, expected }) }
        };
        let log = block.u32(0x18);
        field(log <= 6, "s_log_block_size", log.into(), "0 to 6 (1024 to 65536 bytes a block)")?;
        let revision = block.u32(0x4c);
        field(revision <= 1, "s_rev_level", revision.into(), "0 or 1")?;
        let unknown = u64::from(incompat & !KNOWN_INCOMPAT);
        field(unknown == 0, "s_feature_incompat", unknown, "no bits that Linux has no name for")?;
        field(
            incompat & JOURNAL_DEVICE == 0,
            "s_feature_incompat",
            8,
            "a filesystem, not the journal of another one",
        )?;
        let first = block.u32(0x14);
        field(
            first <= 1 && u64::from(first) < self.blocks,
            "s_first_data_block",
            first.into(),
            "0 or 1, below s_blocks_count",
        )?;
        let most = "at most s_blocks_count";
        field(self.free_blocks <= self.blocks, "s_free_blocks_count", self.free_blocks, most)?;
        let per_group = u64::from(block.u32(0x20));
        // A bitmap of one block counts them.
        let in_bitmap = if ro_compat & BIGALLOC != 0 { u64::MAX } else { self.block_size * 8 };
        field(
            (1..=in_bitmap).contains(&per_group),
            "s_blocks_per_group",
            per_group,
            "1 to 8 times the block size",
        )?;
        let (inodes, inodes_per_group) = (u64::from(block.u32(0)), u64::from(block.u32(0x28)));
        let groups = (self.blocks - u64::from(first)).div_ceil(per_group);
        let expected = "s_inodes_per_group of each block group";
        field(
            inodes > 0 && groups.checked_mul(inodes_per_group) == Some(inodes),
            "s_inodes_count",
            inodes,
            expected,
        )?;
        let inode = u64::from(block.u16(0x58));
        let good = revision == 0 || (inode.is_power_of_two() && (128..=self.block_size).contains(&inode));
        field(good, "s_inode_size", inode, "a power of two from 128 to the block size")
    }

    /// Bytes of the filesystem.
    pub fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size)
    }

    /// What its user should know of its state, or nothing.
    pub fn state(&self) -> Option<&'static str> {
        match (self.errors, self.clean) {
            (true, _) => Some("Linux has found errors in it: check it with `e2fsck -f`"),
            (false, false) => {
                Some("it was not unmounted cleanly: Linux replays its journal when it mounts it")
            }
            (false, true) => None,
        }
    }
}

impl fmt::Display for Ext4 {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}, {} blocks of {} bytes", self.kind, self.blocks, self.block_size)?;
        if !self.label.is_empty() {
            write!(f, ", label `{}`", self.label.escape_debug())?;
        }
        match self.state() {
            Some(state) => write!(f, "; {state}"),
            None => Ok(()),
        }
    }
}

fn label(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
