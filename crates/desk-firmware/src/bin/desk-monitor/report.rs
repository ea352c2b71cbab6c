//! Lines for the host, on serial port 1. The host knows their first words.

use crate::{gic, mrs};
use core::fmt::{self, Write};
use desk_firmware::map::UART_MONITOR;

struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| gic::write(UART_MONITOR, byte.into()));
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
    loop {
        // SAFETY: waits for an interrupt, which changes nothing.
        unsafe { core::arch::asm!("wfi", options(nomem, nostack)) };
    }
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
