//! What a device may have at most, and the format of its state.

/// Version of the state that this crate writes and reads.
pub const FORMAT: u32 = 1;
/// Largest sequence number: one for each write of the state, of which a flash makes some. Whoever made a larger one did not flash.
pub const MAX_NUMBER: u64 = 1 << 48;
/// Bytes of all partitions of a device, at most: 16 TiB, more than any eMMC or disk that a board has. Sums of sizes cannot overflow below it.
pub const MAX_DEVICE: u64 = 16 << 40;
/// Entries of a partition table, at most. UEFI's usual 128, and room for those of other tools: a table is read into memory.
pub const MAX_ENTRIES: u32 = 1024;
