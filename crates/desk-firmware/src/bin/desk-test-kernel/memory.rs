//! Stage 1: memory of the non-secure side is mapped as non-secure, all else as secure.

use core::arch::asm;
use core::cell::UnsafeCell;
use desk_firmware::map;

const ENTRIES: usize = 512;
const SPAN: u64 = 2 << 20;
const TABLE: u64 = 3;
/// A block: valid, inner shareable, accessed; attribute 1 is memory, attribute 0 a device.
const MEMORY: u64 = 1 | 1 << 2 | 3 << 8 | 1 << 10;
const DEVICE: u64 = 1 | 1 << 10 | 1 << 54;
const NON_SECURE: u64 = 1 << 5 | 1 << 54;
/// 4 GiB in pages of 4 KiB, walked write-back and inner shareable; only TTBR0; 40 bits of physical address.
const TCR: u64 = 32 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32;
/// SCTLR_EL1: MMU and caches on, beside what is set at reset.
const SCTLR: u64 = 0x30d0_0800 | 1 | 1 << 2 | 1 << 12;

#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; ENTRIES]>);

// SAFETY: one CPU runs this code, and only `init` writes.
unsafe impl Sync for Table {}

static LEVEL_1: Table = Table(UnsafeCell::new([0; ENTRIES]));
static LOW: Table = Table(UnsafeCell::new([0; ENTRIES]));
static HIGH: Table = Table(UnsafeCell::new([0; ENTRIES]));

fn set(table: &Table, index: usize, descriptor: u64) {
    // SAFETY: callers pass indices below ENTRIES, and no walk happens before `init` ends.
    unsafe { table.0.get().cast::<u64>().add(index % ENTRIES).write_volatile(descriptor) };
}

/// Maps everything at its own address and turns the MMU on. Nothing behind `size` bytes from the kernel's start is mapped,
/// but for one block, which `test.beyond` needs.
pub fn init(size: u64) {
    set(&LEVEL_1, 0, LOW.0.get() as u64 | TABLE);
    set(&LEVEL_1, 1, HIGH.0.get() as u64 | TABLE);
    for index in 0..ENTRIES {
        let offset = index as u64 * SPAN;
        set(&LOW, index, offset | DEVICE);
        let address = map::DRAM + offset;
        if address < map::TZDRAM {
            set(&HIGH, index, address | MEMORY | NON_SECURE);
        } else if address <= map::TZDRAM + size {
            set(&HIGH, index, address | MEMORY);
        }
    }
    // SAFETY: code and data keep their addresses and stay accessible.
    unsafe {
        asm!(
            "msr mair_el1, {mair}", "msr tcr_el1, {tcr}", "msr ttbr0_el1, {ttbr}", "dsb sy", "isb",
            "msr sctlr_el1, {sctlr}", "isb",
            mair = in(reg) 0xff00u64, tcr = in(reg) TCR, ttbr = in(reg) LEVEL_1.0.get() as u64, sctlr = in(reg) SCTLR,
            options(nostack)
        );
    }
}

/// The first words of the boot parameters.
pub fn boot_params(address: u64) -> [u32; 2] {
    // SAFETY: a page that the monitor names, which is mapped.
    unsafe { (address as *const [u32; 2]).read_volatile() }
}
