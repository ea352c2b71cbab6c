//! Whether a signal has come.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Notes that a signal has come; whether one had come before.
pub(super) fn set() -> bool {
    INTERRUPTED.swap(true, Ordering::Relaxed)
}

/// Whether a signal has come that ends the command.
pub fn is_set() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// An error if a signal has come.
pub fn check() -> Result<()> {
    if is_set() { Err(Error::interrupted()) } else { Ok(()) }
}
