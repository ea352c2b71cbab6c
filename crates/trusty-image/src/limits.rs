//! Figures of NVIDIA's Trusty for Tegra194, each with its source.
//!
//! Measured figures come from the unpatched L4T R32.7.2 kernel booted in QEMU; the others are read from the L4T
//! R32.7 sources. All sizes are in bytes.

/// 1 KiB.
pub const KIB: u64 = 1024;
/// 1 MiB.
pub const MIB: u64 = 1024 * KIB;

/// Page size of the kernel (`PAGE_SIZE`).
pub const PAGE: u32 = 4096;

/// Where a TA's first segment lies (`TRUSTY_APP_START_ADDR`, trusty_app.c).
pub const APP_START: u32 = 0x8000;
/// Top of a TA's stack, growing down (`TRUSTY_APP_STACK_TOP`, trusty_app.c): image, heap and stack fit below.
pub const APP_STACK_TOP: u32 = 0x0100_0000;
/// Heap of a TA whose manifest names none: 4 pages (`load_app_config_options`, trusty_app.c).
pub const DEFAULT_HEAP: u32 = 4 * PAGE;
/// Stack of a TA whose manifest names none: one page (`DEFAULT_STACK_SIZE`, LK's arm64 user space).
pub const DEFAULT_STACK: u32 = PAGE;

/// Granularity of the carve-out: the memory controller counts TZDRAM in MiB.
pub const TZDRAM_GRANULE: u64 = MIB;
/// Smallest carve-out: the kernel with its four stock TAs boots in 768 KiB and panics in 512 KiB (measured).
pub const TZDRAM_MIN: u64 = MIB;
/// Largest carve-out: LK maps TZDRAM at 0xffffffffea800000 and its first device bank at 0xfffffffff1200000; from
/// 108 MiB on the kernel hangs before its first line (measured).
pub const TZDRAM_MAX: u64 = 106 * MIB;
/// Largest alignment of the carve-out: the least power of two that is no less than any carve-out.
pub const TZDRAM_ALIGNMENT_MAX: u64 = 128 * MIB;
/// What the kernel takes of any carve-out, whatever the TAs. This and the three figures below are a model of measured sums (how
/// large a heap still boots, with 3 to 10 TAs in 2 to 16 MiB, on t194's kernel and on t186's alike); it tells 17 to 74 KiB more than was
/// measured, and never less.
pub const KERNEL_BASE: u64 = 272 * KIB;
/// What the kernel takes besides for each MiB of carve-out: page tables and page records (measured: 7.7 KiB).
pub const KERNEL_PER_MIB: u64 = 7885;
/// What the kernel takes for each TA besides the TA's own memory: threads, page tables, records.
pub const KERNEL_PER_APP: u64 = 30 * KIB;
/// A page table for each 2 MiB of a TA's heap; the first is in [`KERNEL_PER_APP`].
pub const KERNEL_PER_HEAP: (u64, u64) = (2 * MIB, PAGE as u64);

/// What the monitor (ATF) takes of the carve-out: MB2 wants the OS size and this much within TZDRAM (read in its sources).
pub const MONITOR: u64 = 256 * KIB;

/// Signing rounds the image up to this many bytes …
pub const SIGN_ALIGN: u64 = 16;
/// … and puts a header of this many bytes in front, for t194; …
pub const SIGN_HEADER: u64 = 4096;
/// … for t186.
pub const SIGN_HEADER_186: u64 = 400;

/// Most TAs of an image, stock ones included: the loader keeps its records (`trusty_app_t`, 104 bytes on aarch64) in
/// one page and asserts `trusty_app_count + 1 < PAGE_SIZE / sizeof(trusty_app_t)` before it counts each.
pub const MAX_APPS: usize = PAGE as usize / 104 - 1;

/// Longest port path without its NUL (`IPC_PORT_PATH_MAX` is 64).
pub const PORT_PATH_MAX: usize = 63;
