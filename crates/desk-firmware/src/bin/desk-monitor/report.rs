//! Lines for the host, on serial port 1. The host knows their first words.

use crate::mrs;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};
use desk_firmware::machine;
use desk_firmware::map::{PAGE, TZDRAM, UART_MONITOR};
use desk_firmware::page_sum;

struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| machine::write(UART_MONITOR, byte.into()));
        Ok(())
    }
}

/// Writes a line.
pub fn line(arguments: fmt::Arguments<'_>) {
    // The serial port takes everything.
    let _ = Serial.write_fmt(arguments);
    let _ = Serial.write_str("\n");
}

/// Says why nothing goes on, and waits for the host to end the machine.
pub fn fatal(arguments: fmt::Arguments<'_>) -> ! {
    line(format_args!("fatal: {arguments}"));
    machine::sleep_for_ever()
}

/// Says once what Trusty's own console leaves out when it panics: the last fault, and sums of the first pages that are mapped
/// for EL0, by which the trusted app is known. Called while the registers of EL1 are still Trusty's.
pub fn panicked() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if TOLD.load(Ordering::Relaxed) {
        return;
    }
    TOLD.store(true, Ordering::Relaxed);
    let (esr, far, elr) = (mrs!("esr_el1"), mrs!("far_el1"), mrs!("elr_el1"));
    let _ = write!(Serial, "panic: 0x{esr:x} 0x{far:x} 0x{elr:x}");
    let pages = (0..APP_PAGES).map_while(|page| translated(APP_START + page * PAGE));
    for page in pages {
        let words = (0..PAGE / 4).map(|word| machine::read(page + 4 * word));
        let _ = write!(Serial, " {:016x}", page_sum(words));
    }
    line(format_args!(""));
    frames();
}

/// Says what may be frames on the stack of the trusted app: two words, the first an address further up on it, the second one of code
/// below it. The host follows them from the frame pointer that Trusty's console tells.
fn frames() {
    let mut told = 0;
    let mut page = STACK_TOP - PAGE;
    // The page above, for a frame that reaches into it.
    let mut above = None;
    while let Some(physical) = translated(page).filter(|_| told < FRAMES && page > STACK_TOP - STACK) {
        for at in (0..PAGE).step_by(4) {
            let behind = if at + 4 < PAGE { Some(physical + at + 4) } else { above };
            let (next, back) = (machine::read(physical + at), behind.map_or(0, machine::read));
            let further = (page + at + 8..=STACK_TOP - 8).contains(&next.into()) && next % 4 == 0;
            if further && (APP_START..STACK_TOP).contains(&back.into()) && back % 4 == 0 {
                let head = if told % LINE == 0 { "frames:" } else { "" };
                let _ = write!(Serial, "{head} {:x}:{next:x}:{back:x}", page + at);
                told += 1;
                if told % LINE == 0 {
                    line(format_args!(""));
                }
            }
        }
        (above, page) = (Some(physical), page - PAGE);
    }
    if told % LINE != 0 {
        line(format_args!(""));
    }
}

/// Where stacks of trusted apps end.
const STACK_TOP: u64 = 16 << 20;
/// Bytes of a stack that are looked at, at most.
const STACK: u64 = 1 << 20;
/// Frames that are told, about.
const FRAMES: u32 = 2048;
/// Frames in a line.
const LINE: u32 = 64;

/// Where trusted apps begin.
const APP_START: u64 = 0x8000;
/// Pages of one that are told.
const APP_PAGES: u64 = 16;

/// Where Trusty sees this at EL0, in the carve-out; nowhere, if it does not.
fn translated(address: u64) -> Option<u64> {
    // SAFETY: asks the MMU about Trusty's tables; the result goes to PAR_EL1, which Trusty has no more use for.
    unsafe { core::arch::asm!("at s12e0r, {}", "isb", in(reg) address, options(nostack)) };
    let par = mrs!("par_el1");
    let physical = par & 0xf_ffff_ffff_f000 | address & 0xfff;
    (par & 1 == 0 && physical >= TZDRAM).then_some(physical)
}

/// An exception that the monitor has no use for.
#[unsafe(no_mangle)]
extern "C" fn el3_fatal(lower: u64) -> ! {
    let (esr, elr, far) = (mrs!("esr_el3"), mrs!("elr_el3"), mrs!("far_el3"));
    let of = if lower == 0 { "the monitor itself" } else { "a lower level" };
    fatal(format_args!("exception of {of} at EL3: esr 0x{esr:x} elr 0x{elr:x} far 0x{far:x}"))
}

/// An exception of the code at EL2 itself.
#[unsafe(no_mangle)]
extern "C" fn el2_fatal() -> ! {
    let (esr, elr, far) = (mrs!("esr_el2"), mrs!("elr_el2"), mrs!("far_el2"));
    fatal(format_args!("exception of the monitor at EL2: esr 0x{esr:x} elr 0x{elr:x} far 0x{far:x}"))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    fatal(format_args!("the monitor: {info}"))
}
