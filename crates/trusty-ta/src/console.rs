//! Lines on Trusty's console.

use crate::kernel::kernel;
use crate::syscalls::Syscalls;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static NAME: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
static NAME_LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Sets the name that lines bear.
#[cfg(target_os = "none")]
pub(crate) fn set_name(name: &'static str) {
    NAME_LENGTH.store(name.len(), Ordering::Relaxed);
    NAME.store(name.as_ptr().cast_mut(), Ordering::Relaxed);
}

#[cfg(target_os = "none")]
static MANIFEST: AtomicPtr<u32> = AtomicPtr::new(core::ptr::null_mut());

/// Sets the manifest, which begins with the TA's UUID.
#[cfg(target_os = "none")]
pub(crate) fn set_manifest(words: &'static [u32]) {
    if words.len() >= 4 {
        MANIFEST.store(words.as_ptr().cast_mut(), Ordering::Relaxed);
    }
}

/// The TA's UUID; nil before its manifest is set.
#[cfg(target_os = "none")]
pub(crate) fn uuid() -> trusty_abi::Uuid {
    let words = MANIFEST.load(Ordering::Relaxed).cast::<trusty_abi::Uuid>();
    // SAFETY: null, or at least four words that live for ever; any bytes are a UUID.
    unsafe { words.as_ref() }.copied().unwrap_or_default()
}

/// Prints a line on the console, in one write of at most 255 bytes; what is longer is cut. [`crate::log!`] calls it.
pub fn console(arguments: fmt::Arguments) {
    let mut line = Line { bytes: [0; 255], length: 0 };
    let pointer = NAME.load(Ordering::Relaxed);
    if !pointer.is_null() {
        // SAFETY: both come from one &'static str, stored by `set_name`.
        let name = unsafe { core::slice::from_raw_parts(pointer, NAME_LENGTH.load(Ordering::Relaxed)) };
        line.push(name);
        line.push(b": ");
    }
    let _ = line.write_fmt(arguments);
    line.length = line.length.min(line.bytes.len() - 1);
    line.push(b"\n");
    kernel().write(line.bytes.get(..line.length).unwrap_or_default());
}

struct Line {
    bytes: [u8; 255],
    length: usize,
}

impl Line {
    fn push(&mut self, text: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.length).zip(text) {
            *to = *from;
        }
        self.length = (self.length + text.len()).min(self.bytes.len());
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
