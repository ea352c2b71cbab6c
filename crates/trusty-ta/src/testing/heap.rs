//! A heap of limited size for unit tests.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

/// The allocator of a test program, so that [`limited`] can limit what tests allocate:
///
/// ```
/// #[global_allocator]
/// static HEAP: trusty_ta::testing::TestHeap = trusty_ta::testing::TestHeap;
/// ```
#[derive(Debug)]
pub struct TestHeap;

/// What the code in [`limited`] has allocated on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limited {
    most: usize,
    used: usize,
    peak: usize,
}

impl Limited {
    pub fn most(&self) -> usize {
        self.most
    }

    pub fn used(&self) -> usize {
        self.used
    }

    pub fn peak(&self) -> usize {
        self.peak
    }

    /// Nothing is in pieces here.
    pub fn largest(&self) -> usize {
        self.most - self.used
    }
}

std::thread_local! {
    static CURRENT: Cell<Option<Limited>> = const { Cell::new(None) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// The heap of this thread. Outside of [`limited`] it has no limit, and nothing of it is counted.
pub(crate) fn current<T>(look: impl FnOnce(&Limited) -> T) -> T {
    look(&CURRENT.get().unwrap_or(Limited { most: usize::MAX, used: 0, peak: 0 }))
}

/// Runs code that has a heap of so many bytes on this thread, as a TA has one of its `min_heap`: what would exceed them fails. What was
/// allocated outside and is freed inside is not counted. There is no fragmentation, and pointers have 8 bytes: the TA itself needs somewhat
/// more or less.
///
/// # Panics
/// [`TestHeap`] is not the allocator of this program.
pub fn limited<T>(bytes: usize, run: impl FnOnce() -> T) -> T {
    let before = CALLS.get();
    drop(std::hint::black_box(std::boxed::Box::new(0u8)));
    assert!(
        CALLS.get() > before,
        "`#[global_allocator] static HEAP: TestHeap = TestHeap;` is missing in this program"
    );
    let outer = CURRENT.replace(Some(Limited { most: bytes, used: 0, peak: 0 }));
    let _restore = Restore(outer);
    run()
}

/// Also when the code panics.
struct Restore(Option<Limited>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Counts so many bytes more, if there is room.
fn take(bytes: usize) -> Option<()> {
    CALLS.set(CALLS.get().wrapping_add(1));
    let Some(mut heap) = CURRENT.get() else { return Some(()) };
    heap.used = heap.used.checked_add(bytes).filter(|used| *used <= heap.most)?;
    heap.peak = heap.peak.max(heap.used);
    CURRENT.set(Some(heap));
    Some(())
}

fn give(bytes: usize) {
    if let Some(mut heap) = CURRENT.get() {
        heap.used = heap.used.saturating_sub(bytes);
        CURRENT.set(Some(heap));
    }
}

// SAFETY: all is the system's allocator; what is refused is null.
unsafe impl GlobalAlloc for TestHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match take(layout.size()) {
            // SAFETY: as the caller answers for.
            Some(()) => unsafe { System.alloc(layout) },
            None => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: as the caller answers for.
        unsafe { System.dealloc(block, layout) }
    }
}
