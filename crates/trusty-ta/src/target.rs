//! What exists only on Trusty: start, heap, console, panic, event loop.

mod event_loop;
mod handles;
mod sys;

use crate::{PortCfg, Service};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use linked_list_allocator::Heap;

/// The heap, over one block that the kernel gives.
struct Allocator(core::cell::UnsafeCell<Heap>);

// SAFETY: a TA has one thread (Trusty knows no others) and no interrupts, so nothing is ever shared.
unsafe impl Sync for Allocator {}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(core::cell::UnsafeCell::new(Heap::empty()));

// SAFETY: forwards to the allocator crate's own heap, which keeps the contract of GlobalAlloc; the exclusive
// reference is short-lived and there is one thread.
unsafe impl core::alloc::GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: core::alloc::Layout) -> *mut u8 {
        // SAFETY: one thread, see above.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate_first_fit(layout).map_or(core::ptr::null_mut(), core::ptr::NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: core::alloc::Layout) {
        // SAFETY: one thread; the caller gives back what alloc gave, which is never null.
        unsafe { (*self.0.get()).deallocate(core::ptr::NonNull::new_unchecked(pointer), layout) }
    }
}

/// ld.lld keeps `.bss` as NOBITS unless one of its inputs is PROGBITS, and the loader clears it in the file.
#[used]
#[unsafe(link_section = ".ta_bss_progbits")]
static BSS_PROGBITS: u32 = 1;

static NAME: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
static NAME_LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Runs a TA: heap, ports, event loop. Returns never; `exit_group` ends it after an error.
pub fn run<S: Service>(
    name: &'static str,
    manifest: &'static [u32],
    ports: &'static [PortCfg],
    service: impl FnOnce() -> S,
) -> ! {
    NAME_LENGTH.store(name.len(), Ordering::Relaxed);
    NAME.store(name.as_ptr().cast_mut(), Ordering::Relaxed);
    let heap = crate::manifest::heap(manifest);
    match sys::grow_heap(heap) {
        // SAFETY: the kernel has just given this block to us, and only here, once.
        Ok(start) => unsafe { (*ALLOCATOR.0.get()).init(start, heap) },
        Err(code) => console(format_args!("the kernel refuses a heap of {heap} bytes ({code})")),
    }
    let code = event_loop::run(service(), ports);
    console(format_args!("stops: {code}"));
    exit()
}

/// Prints a line on the console (fd 2: fd 1 is silent in release builds), in one write of at most 255 bytes.
pub fn console(arguments: fmt::Arguments) {
    let mut line = Line { bytes: [0; 255], length: 0 };
    let pointer = NAME.load(Ordering::Relaxed);
    if !pointer.is_null() {
        // SAFETY: both come from one &'static str, stored by `run`.
        let name = unsafe { core::slice::from_raw_parts(pointer, NAME_LENGTH.load(Ordering::Relaxed)) };
        line.push(name);
        line.push(b": ");
    }
    let _ = line.write_fmt(arguments);
    let length = line.length.min(line.bytes.len() - 1);
    line.length = length;
    line.push(b"\n");
    sys::write(line.bytes.get(..line.length).unwrap_or_default());
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

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    console(format_args!("{info}"));
    exit()
}

/// Ends the TA. The kernel does not close its channels, and clients would hang for ever: so they are closed first.
fn exit() -> ! {
    handles::close_all();
    loop {
        sys::exit_group();
    }
}
