//! The user's terminal, where a shell of another system is on it.

use std::io::{self, IsTerminal, Write};

/// Rows and columns of the user's terminal, if stdin and stdout are one.
pub fn terminal() -> Option<(u16, u16)> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|_| is_terminal)?;
    Some((size.ws_row, size.ws_col))
}

/// Writes to the user's terminal what a shell there says.
pub fn type_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(bytes).and_then(|()| out.flush())
}
