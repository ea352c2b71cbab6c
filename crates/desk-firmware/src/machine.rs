//! What all programs do to the machine itself.

use core::arch::asm;

/// Writes a device register.
pub fn write(address: u64, value: u32) {
    // SAFETY: callers pass registers of the machine's devices, or memory that `map` sets aside, which no Rust object overlaps.
    unsafe { (address as *mut u32).write_volatile(value) };
}

/// Reads a device register.
pub fn read(address: u64) -> u32 {
    // SAFETY: as above.
    unsafe { (address as *const u32).read_volatile() }
}

/// Sleeps until an interrupt is pending.
pub fn sleep() {
    // SAFETY: waits, and changes nothing.
    unsafe { asm!("dsb sy", "wfi", options(nostack)) };
}

/// Nothing is left to do.
pub fn sleep_for_ever() -> ! {
    loop {
        sleep();
    }
}
