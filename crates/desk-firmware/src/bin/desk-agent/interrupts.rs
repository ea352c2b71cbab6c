//! Interrupts wake the agent; it takes none (they stay masked) but looks what there is.

use desk_firmware::map::{GICC, GICD};

const GICD_CTLR: u64 = GICD;
const GICD_ISENABLER: u64 = GICD + 0x100;
const GICD_ITARGETSR: u64 = GICD + 0x800;
const GICC_CTLR: u64 = GICC;
const GICC_PMR: u64 = GICC + 4;

/// Writes a device register.
pub fn write(address: u64, value: u32) {
    // SAFETY: callers pass registers of the machine's devices, which no Rust object overlaps.
    unsafe { (address as *mut u32).write_volatile(value) };
}

/// Reads a device register.
pub fn read(address: u64) -> u32 {
    // SAFETY: as above.
    unsafe { (address as *const u32).read_volatile() }
}

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

/// Sleeps until an interrupt is pending.
pub fn sleep() {
    // SAFETY: waits, and changes nothing.
    unsafe { core::arch::asm!("dsb sy", "wfi", options(nostack)) };
}

/// Nothing is left to do.
pub fn sleep_for_ever() -> ! {
    loop {
        sleep();
    }
}
