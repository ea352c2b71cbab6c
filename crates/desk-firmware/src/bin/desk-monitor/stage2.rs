//! Stage 2: what the two worlds see of the machine.
//!
//! Secure addresses: the carve-out, exactly, and Tegra194's devices where QEMU has their like. Non-secure addresses, for both
//! worlds: DRAM below the carve-out and the agent's devices. All else traps to `devices`.

use crate::context::isb;
use crate::msr;
use core::cell::UnsafeCell;
use desk_firmware::map;

/// Descriptors of a table.
const ENTRIES: usize = 512;
/// Bytes behind a descriptor of each level.
const LEVEL2: u64 = 2 << 20;
/// Points at a table, or is a page: valid, and not a block.
const TABLE: u64 = 3;
/// Memory: valid, readable and writable, inner shareable, write-back, accessed.
const MEMORY: u64 = 0x7fd;
/// A device: valid, readable and writable, nGnRnE, accessed.
const DEVICE: u64 = 0x4c1;
/// Of the last level.
const PAGE: u64 = 2;
/// 4 GiB from level 1 in pages of 4 KiB, walked write-back and inner shareable; RES1.
const CONTROL: u64 = 0x8000_0000 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 32;
/// VTCR_EL2: 40 bits of physical address; non-secure walks (NSW) to non-secure memory (NSA).
const NON_SECURE: u64 = 2 << 16 | 3 << 29;

#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; ENTRIES]>);

// SAFETY: one CPU runs this code, and only `init` touches the tables.
unsafe impl Sync for Table {}

impl Table {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; ENTRIES]))
    }

    fn address(&self) -> u64 {
        self.0.get() as u64
    }
}

static LEVEL_1: Table = Table::new();
/// The first GiB: devices.
static LOW: Table = Table::new();
/// The second: the carve-out.
static HIGH: Table = Table::new();
/// 2 MiB with the interrupt controller of Tegra194.
static GIC: Table = Table::new();
/// 2 MiB with its combined UART.
static UART: Table = Table::new();
/// The end of a carve-out that is no multiple of 2 MiB.
static TAIL: Table = Table::new();

/// Writes the descriptor for `address` into a table whose entries span `span` bytes.
fn set(table: u64, address: u64, span: u64, descriptor: u64) {
    let index = address / span % ENTRIES as u64;
    // SAFETY: `table` is one of the tables above or of those at NS_TABLES, each of ENTRIES descriptors, and nothing else
    // refers to them. No walk happens before `init` ends.
    unsafe { (table as *mut u64).add(index as usize).write_volatile(descriptor) };
}

/// Builds both sets of tables and turns to them. `size`: bytes of the carve-out's share.
pub fn init(size: u64) {
    secure(size);
    non_secure();
    msr!("S3_4_C2_C6_0", LEVEL_1.address()); // VSTTBR_EL2
    msr!("S3_4_C2_C6_2", CONTROL); // VSTCR_EL2
    msr!("vttbr_el2", map::NS_TABLES);
    msr!("vtcr_el2", CONTROL | NON_SECURE);
    isb();
    // SAFETY: forgets what was translated before, which is nothing.
    unsafe { core::arch::asm!("tlbi alle1", "dsb sy", "isb", options(nostack)) };
}

fn secure(size: u64) {
    let level1 = LEVEL_1.address();
    set(level1, 0, 1 << 30, LOW.address() | TABLE);
    set(level1, map::TZDRAM, 1 << 30, HIGH.address() | TABLE);
    let page =
        |table: &Table, address: u64, to: u64| set(table.address(), address, map::PAGE, to | DEVICE | PAGE);
    set(LOW.address(), map::TEGRA_GICD, LEVEL2, GIC.address() | TABLE);
    page(&GIC, map::TEGRA_GICD, map::GICD);
    // TEGRA_GICC is left out: `devices` has it.
    page(&GIC, map::TEGRA_GICC_DIR, map::GICC_DIR);
    set(LOW.address(), map::TEGRA_COMBINED_UART, LEVEL2, UART.address() | TABLE);
    page(&UART, map::TEGRA_COMBINED_UART, map::UART_CONSOLE);
    let (end, blocks) = (map::TZDRAM + size, size / LEVEL2);
    for block in 0..blocks {
        let address = map::TZDRAM + block * LEVEL2;
        set(HIGH.address(), address, LEVEL2, address | MEMORY);
    }
    let tail = map::TZDRAM + blocks * LEVEL2;
    if tail < end {
        set(HIGH.address(), tail, LEVEL2, TAIL.address() | TABLE);
    }
    for address in (tail..end).step_by(map::PAGE as usize) {
        set(TAIL.address(), address, map::PAGE, address | MEMORY | PAGE);
    }
}

/// In non-secure memory, so that the walk may be non-secure.
fn non_secure() {
    let [level1, low, high, devices] = [0, 1, 2, 3].map(|table| map::NS_TABLES + table * map::PAGE);
    for word in 0..4 * ENTRIES as u64 {
        // SAFETY: four pages of DRAM that are nothing else: see `map`.
        unsafe { (map::NS_TABLES as *mut u64).add(word as usize).write_volatile(0) };
    }
    set(level1, 0, 1 << 30, low | TABLE);
    set(level1, map::DRAM, 1 << 30, high | TABLE);
    for address in (map::DRAM..map::TZDRAM).step_by(LEVEL2 as usize) {
        set(high, address, LEVEL2, address | MEMORY);
    }
    // The GIC in pages; of virtio the 2 MiB that hold nothing else.
    set(low, map::GICD, LEVEL2, devices | TABLE);
    for address in [map::GICD, map::GICC, map::GICC_DIR] {
        set(devices, address, map::PAGE, address | DEVICE | PAGE);
    }
    set(low, map::VIRTIO, LEVEL2, map::VIRTIO | DEVICE);
}
