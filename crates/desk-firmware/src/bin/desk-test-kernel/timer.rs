//! The secure physical timer and its interrupt, as LK uses them: group 1 registers of Tegra194's interrupt controller.

use crate::channels;
use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};
use desk_firmware::machine::{read, write};
use desk_firmware::map::{TEGRA_GICC, TEGRA_GICD};

/// CNTPS: private interrupt 29.
const INTERRUPT: u32 = 29;
const GICD_ISENABLER: u64 = TEGRA_GICD + 0x100;
const GICC_AIAR: u64 = TEGRA_GICC + 0x20;
const GICC_AEOIR: u64 = TEGRA_GICC + 0x24;
const GICC_AHPPIR: u64 = TEGRA_GICC + 0x28;

/// Has `take_irq` called in some milliseconds.
pub fn start(milliseconds: u64) {
    write(GICD_ISENABLER, 1 << INTERRUPT);
    // SAFETY: the timer's registers; its interrupt is handled below.
    unsafe {
        asm!(
            "mrs {t}, cntfrq_el0", "mul {t}, {t}, {ms}", "udiv {t}, {t}, {thousand}",
            "mrs {now}, cntpct_el0", "add {t}, {t}, {now}",
            "msr cntps_cval_el1, {t}", "msr cntps_ctl_el1, {one}", "isb",
            t = out(reg) _, now = out(reg) _, ms = in(reg) milliseconds, thousand = in(reg) 1000u64, one = in(reg) 1u64,
            options(nostack)
        );
    }
}

/// An interrupt of the non-secure side has come.
static NON_SECURE: AtomicBool = AtomicBool::new(false);

/// Takes what is pending. Whether the non-secure side must have an interrupt first.
pub fn allow_interrupts() -> bool {
    NON_SECURE.store(false, Ordering::Relaxed);
    // SAFETY: interrupts go to `take_irq`, which returns here.
    unsafe { asm!("msr daifclr, #2", "isb", "msr daifset, #2", options(nostack)) };
    NON_SECURE.load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn take_irq() -> bool {
    if read(GICC_AHPPIR) & 0x3ff != INTERRUPT {
        NON_SECURE.store(true, Ordering::Relaxed);
        return true;
    }
    let interrupt = read(GICC_AIAR);
    // SAFETY: turns the timer off, which the next `start` turns on.
    unsafe { asm!("msr cntps_ctl_el1, xzr", "isb", options(nostack)) };
    write(GICC_AEOIR, interrupt);
    channels::LATE.store(true, Ordering::Relaxed);
    false
}
