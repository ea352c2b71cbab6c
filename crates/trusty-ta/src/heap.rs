//! What a TA has used of its heap, in bytes.
//!
//! The heap has the size of the manifest (`min_heap`), whatever the carve-out. A TA that looks before it takes a large value can refuse it
//! with an answer; `try_reserve` does the same for one allocation. On a host the figures are those of [`crate::testing::TestHeap`].

#[cfg(target_os = "none")]
use crate::target::current as heap;
#[cfg(not(target_os = "none"))]
use crate::testing::current as heap;

/// All of it.
pub fn size() -> usize {
    heap(|heap| heap.most())
}

/// What is allocated now.
pub fn used() -> usize {
    heap(|heap| heap.used())
}

/// The most that was allocated at once since the start.
pub fn peak() -> usize {
    heap(|heap| heap.peak())
}

/// What is not allocated. It may lie in pieces: [`largest`] tells what one allocation can have.
pub fn free() -> usize {
    size() - used()
}

/// The largest block that can be allocated now. It walks through all free blocks.
pub fn largest() -> usize {
    heap(|heap| heap.largest())
}
