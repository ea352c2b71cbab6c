//! The interrupt controller, set up as a board's firmware leaves it: this Trusty never does it itself.

use desk_firmware::machine::write;
use desk_firmware::map::{GICC, GICD};

const GICD_CTLR: u64 = GICD;
const GICD_IGROUPR: u64 = GICD + 0x80;
const GICD_IPRIORITYR: u64 = GICD + 0x400;
const GICC_CTLR: u64 = GICC;
const GICC_PMR: u64 = GICC + 4;
/// Interrupts of QEMU's machine, in registers of 32.
const GROUPS: u64 = 9;
/// In the middle, in each of a register's four bytes.
const PRIORITIES: u32 = 0xa0a0_a0a0;

/// All interrupts in group 1, which Trusty's timer expects; both groups on. The non-secure side enables its own interface.
pub fn init() {
    (0..GROUPS).for_each(|group| write(GICD_IGROUPR + 4 * group, u32::MAX));
    (0..GROUPS * 8).for_each(|word| write(GICD_IPRIORITYR + 4 * word, PRIORITIES));
    write(GICD_CTLR, 3);
    write(GICC_PMR, 0xff);
    // Group 0 on, as FIQ; AckCtl, so that one register acknowledges both groups: see `devices`.
    write(GICC_CTLR, 0xd);
}
