//! The TA's one heap, out of brk.

use super::frames::{self, Chain};
use super::sys;
use crate::growing::{Growing, Memory};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::ptr::{NonNull, null_mut};
use trusty_abi::last_words::OutOfMemory;

/// The break.
pub struct Brk;

impl Memory for Brk {
    fn grow(&mut self, size: usize) -> Option<*mut u8> {
        sys::grow_heap(size).ok()
    }
}

#[repr(C)]
struct Allocator {
    heap: UnsafeCell<Growing<Brk>>,
    /// Who made the last request that was in vain. The compiler joins the ends of several such, and who panics then is any of them.
    failed: UnsafeCell<Chain>,
}

// SAFETY: a TA has one thread (Trusty knows no others) and no interrupts, so nothing is ever shared.
unsafe impl Sync for Allocator {}

/// Where an emulator finds what is used.
// SAFETY: nothing else has this name.
#[unsafe(export_name = "trusty_ta_heap")]
#[global_allocator]
static ALLOCATOR: Allocator =
    Allocator { heap: UnsafeCell::new(Growing::new(Brk)), failed: UnsafeCell::new(Chain::NONE) };

// SAFETY: forwards to the allocator crate's own heap, which keeps the contract of GlobalAlloc; the exclusive
// reference is short-lived and there is one thread.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, see above.
        let heap = unsafe { &mut *self.heap.get() };
        let block = heap.allocate(layout);
        if block.is_none() {
            // SAFETY: one thread, see above.
            unsafe { *self.failed.get() = frames::chain() };
        }
        block.map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: one thread; the caller gives back what alloc gave, which is never null.
        unsafe { (*self.heap.get()).free(NonNull::new_unchecked(pointer), layout) }
    }
}

/// Lets the heap grow up to the manifest's size.
pub fn start(most: usize) {
    // SAFETY: one thread, and nothing has been allocated yet.
    unsafe { (*ALLOCATOR.heap.get()).limit(most) };
}

/// Looks at the heap.
pub fn current<T>(look: impl FnOnce(&mut Growing<Brk>) -> T) -> T {
    // SAFETY: one thread, and what looks does not allocate.
    look(unsafe { &mut *ALLOCATOR.heap.get() })
}

/// See [`Growing::shortage_behind`]; and who asked.
pub fn shortage_behind(panic: &PanicInfo) -> Option<(OutOfMemory, Chain)> {
    // SAFETY: one thread. A panic within the allocator has another message, and the heap is then not touched.
    let shortage = unsafe { (*ALLOCATOR.heap.get()).shortage_behind(panic) }?;
    // SAFETY: one thread.
    Some((shortage, unsafe { *ALLOCATOR.failed.get() }))
}
