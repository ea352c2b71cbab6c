//! The heap: blocks of brk, as they are needed, under an allocator.

use super::sys;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};
use linked_list_allocator::Heap;

const PAGE: usize = 4096;
/// What the allocator needs beside an allocation, at most: two holes' headers.
const OVERHEAD: usize = 4 * size_of::<usize>();

struct Growing {
    heap: Heap,
    /// Bytes that the kernel has given.
    given: usize,
    /// Bytes that it gives at most: the manifest's.
    most: usize,
}

impl Growing {
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.heap.allocate_first_fit(layout) {
            return Some(block);
        }
        let needed = layout.size().checked_add(layout.align() + OVERHEAD)?.checked_next_multiple_of(PAGE)?;
        let left = self.most - self.given;
        if needed > left && left > 0 {
            // Joined with what is free at its end, the rest may do.
            self.grow(left)?;
            if let Ok(block) = self.heap.allocate_first_fit(layout) {
                return Some(block);
            }
        }
        // Also when it cannot be: the kernel, and who watches it, shall know what was asked.
        self.grow(needed)?;
        self.heap.allocate_first_fit(layout).ok()
    }

    fn grow(&mut self, size: usize) -> Option<()> {
        let start = sys::grow_heap(size).ok()?;
        if self.given == 0 {
            // SAFETY: the kernel has just given this block to us, and only here, first.
            unsafe { self.heap.init(start, size) };
        } else {
            // SAFETY: the kernel has just given this block, right behind the one before.
            unsafe { self.heap.extend(size) };
        }
        self.given += size;
        Some(())
    }
}

struct Allocator(UnsafeCell<Growing>);

// SAFETY: a TA has one thread (Trusty knows no others) and no interrupts, so nothing is ever shared.
unsafe impl Sync for Allocator {}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Growing { heap: Heap::empty(), given: 0, most: 0 }));

// SAFETY: forwards to the allocator crate's own heap, which keeps the contract of GlobalAlloc; the exclusive
// reference is short-lived and there is one thread.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, see above.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: one thread; the caller gives back what alloc gave, which is never null.
        unsafe { (*self.0.get()).heap.deallocate(NonNull::new_unchecked(pointer), layout) }
    }
}

/// Lets the heap grow up to the manifest's size.
pub fn start(most: usize) {
    // SAFETY: one thread, and nothing has been allocated yet.
    unsafe { (*ALLOCATOR.0.get()).most = most };
}
