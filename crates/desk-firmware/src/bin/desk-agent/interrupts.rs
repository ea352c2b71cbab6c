//! Interrupts wake the agent; it takes none (they stay masked) but looks what there is.

use desk_firmware::machine::{read, write};
use desk_firmware::map::{GICC, GICD};

const GICD_CTLR: u64 = GICD;
const GICD_ISENABLER: u64 = GICD + 0x100;
const GICD_ITARGETSR: u64 = GICD + 0x800;
const GICC_CTLR: u64 = GICC;
const GICC_PMR: u64 = GICC + 4;

/// Lets group 1 interrupts through to this CPU: Trusty's timer is one.
pub fn enable() {
    write(GICD_CTLR, read(GICD_CTLR) | 1);
    write(GICC_PMR, 0xff);
    write(GICC_CTLR, 1);
}

/// Lets a shared interrupt through to this CPU.
pub fn enable_shared(interrupt: u32) {
    let target = GICD_ITARGETSR + u64::from(interrupt / 4 * 4);
    write(target, read(target) | 1 << (8 * (interrupt % 4)));
    write(GICD_ISENABLER + u64::from(interrupt / 32 * 4), 1 << (interrupt % 32));
}
