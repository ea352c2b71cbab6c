//! Every open handle, so that all can be closed when the TA ends.

use super::sys;
use core::sync::atomic::{AtomicU32, Ordering};

/// The kernel gives a TA at most 128 handles; 0 is none of them.
static OPEN: [AtomicU32; 128] = [const { AtomicU32::new(0) }; 128];

/// Remembers a handle.
pub fn opened(handle: u32) {
    if let Some(slot) = OPEN.iter().find(|slot| slot.load(Ordering::Relaxed) == 0) {
        slot.store(handle, Ordering::Relaxed);
    }
}

/// Closes a handle.
pub fn close(handle: u32) {
    for slot in OPEN.iter().filter(|slot| slot.load(Ordering::Relaxed) == handle) {
        slot.store(0, Ordering::Relaxed);
    }
    sys::close(handle);
}

/// Closes all.
pub fn close_all() {
    for slot in &OPEN {
        match slot.swap(0, Ordering::Relaxed) {
            0 => {}
            handle => sys::close(handle),
        }
    }
}
