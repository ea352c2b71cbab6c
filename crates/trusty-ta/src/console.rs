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

/// Prints a line on the console; what is longer than 254 bytes goes on in further lines, each with the name in front. [`crate::log!`]
/// calls it.
pub fn console(arguments: fmt::Arguments) {
    let mut line = Line { bytes: [0; LINE], length: 0 };
    line.begin();
    let _ = line.write_fmt(arguments);
    line.end();
}

/// Bytes of a line with its end: the kernel takes no more in one write.
const LINE: usize = 255;
/// Bytes of the name in front of it, at most.
const LONGEST_NAME: usize = 64;

struct Line {
    bytes: [u8; LINE],
    length: usize,
}

impl Line {
    /// Puts the name in front.
    fn begin(&mut self) {
        let pointer = NAME.load(Ordering::Relaxed);
        if pointer.is_null() {
            return;
        }
        // SAFETY: both come from one &'static str, stored by `set_name`.
        let name = unsafe { core::slice::from_raw_parts(pointer, NAME_LENGTH.load(Ordering::Relaxed)) };
        name.iter().take(LONGEST_NAME).chain(b": ").for_each(|byte| self.put(*byte));
    }

    fn put(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn end(&mut self) {
        self.put(b'\n');
        kernel().write(self.bytes.get(..self.length).unwrap_or_default());
        self.length = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            // With room for the end.
            if self.length + c.len_utf8() > LINE - 1 {
                self.end();
                self.begin();
            }
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| self.put(byte));
        }
        Ok(())
    }
}
