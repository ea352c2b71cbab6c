//! The combined UART's mailbox, a byte at a time as LK writes it.

use core::fmt::{self, Write};
use desk_firmware::machine;
use desk_firmware::map::TEGRA_COMBINED_UART;

struct Mailbox;

impl Write for Mailbox {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| machine::write(TEGRA_COMBINED_UART, byte.into()));
        Ok(())
    }
}

/// Writes a line.
pub fn print(arguments: fmt::Arguments<'_>) {
    // The mailbox takes everything.
    let _ = Mailbox.write_fmt(arguments);
    let _ = Mailbox.write_str("\r\n");
}
