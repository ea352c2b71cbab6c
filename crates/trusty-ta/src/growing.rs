//! The heap: blocks of memory, as they are needed, under an allocator; and why an allocation failed.
#![cfg_attr(not(target_os = "none"), allow(dead_code))]

use core::alloc::Layout;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr::NonNull;
use linked_list_allocator::Heap;
use trusty_abi::last_words::OutOfMemory;

const PAGE: usize = 4096;
/// What a heap's sizes are rounded to.
const GRAIN: usize = size_of::<usize>();
/// The least that the allocator gives or leaves free: a hole's header.
const LEAST: usize = 2 * GRAIN;
/// What the allocator needs beside an allocation, at most: two holes' headers.
const OVERHEAD: usize = 2 * LEAST;
/// Image, heap and stack of a TA lie below this address.
const ADDRESS_SPACE: usize = 16 << 20;
/// Free blocks among which the one at the heap's end is looked for: each costs some walks through all of them.
const BLOCKS: usize = 64;

/// Where a heap has its memory from.
pub trait Memory {
    /// Makes the heap larger; where the new block begins, right behind the one before.
    fn grow(&mut self, size: usize) -> Option<*mut u8>;
}

/// A heap that grows up to a limit. An emulator reads the first two numbers where they lie.
#[repr(C)]
pub struct Growing<M> {
    /// Bytes that are allocated.
    used: usize,
    /// Most bytes that were allocated at once.
    peak: usize,
    heap: Heap,
    memory: M,
    /// Bytes that the memory has given.
    given: usize,
    /// Bytes that it gives at most: the manifest's.
    most: usize,
    /// The last request, if it was in vain.
    failed: Option<Layout>,
}

impl<M: Memory> Growing<M> {
    /// Without any memory yet.
    pub const fn new(memory: M) -> Self {
        Self { used: 0, peak: 0, heap: Heap::empty(), memory, given: 0, most: 0, failed: None }
    }

    /// Lets the heap grow up to a size.
    pub fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// Allocates. That it fails may be well: `try_reserve` asks so.
    pub fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let block = self.find(layout);
        self.failed = if block.is_none() { Some(layout) } else { None };
        self.used = self.heap.used();
        self.peak = self.peak.max(self.used);
        block
    }

    /// Bytes that it has at most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Bytes that are allocated.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Most bytes that were allocated at once.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// The largest block that could be allocated now, in bytes.
    pub fn largest(&mut self) -> usize {
        let mut taken = [(0, 0); BLOCKS];
        let (mut largest, mut tail) = (0, 0);
        for place in &mut taken {
            let Some((start, size)) = self.take_largest() else { break };
            *place = (start, size);
            largest = largest.max(size);
            if start + size == self.heap.top().addr() {
                tail = size;
                break;
            }
        }
        for (start, size) in taken.into_iter().filter(|(_, size)| *size > 0) {
            let layout = Layout::from_size_align(size, GRAIN).ok();
            let block = NonNull::new(core::ptr::with_exposed_provenance_mut(start));
            if let Some((block, layout)) = block.zip(layout) {
                // SAFETY: it was allocated above, of this size and alignment.
                unsafe { self.heap.deallocate(block, layout) };
            }
        }
        largest.max(tail + (self.most - self.given))
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It is one that [`Self::allocate`] gave, of this layout.
    pub unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: as the caller answers for.
        unsafe { self.heap.deallocate(block, layout) }
        self.used = self.heap.used();
    }

    fn find(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.heap.allocate_first_fit(layout) {
            return Some(block);
        }
        let needed = layout.size().checked_add(layout.align() + OVERHEAD)?.checked_next_multiple_of(PAGE)?;
        let left = self.most - self.given;
        // Of a heap that has nothing yet the rest is all: what is larger finds no room in it.
        let hopeless = self.given == 0 && layout.size() > left;
        if needed > left && left > 0 && !hopeless {
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
        let start = self.memory.grow(size)?;
        if self.given == 0 {
            // SAFETY: this block has just been given to us, and only here, first.
            unsafe { self.heap.init(start, size) };
        } else {
            // SAFETY: this block has just been given to us, right behind the one before.
            unsafe { self.heap.extend(size) };
        }
        self.given += size;
        Some(())
    }

    /// Why a panic happened, if an allocation that nobody handled did it. For the last words of a TA: nothing can be allocated
    /// afterwards.
    pub fn shortage_behind(&mut self, panic: &PanicInfo) -> Option<OutOfMemory> {
        let failed = self.failed?;
        // An earlier failure, of `try_reserve` say, is not to blame for any other panic: the words and the place are alloc's own.
        let place = panic.location()?.file().ends_with("alloc/src/alloc.rs");
        let message = format_args!("memory allocation of {} bytes failed", failed.size());
        (place && same(panic.message(), message)).then(|| self.shortage(failed))
    }

    /// What is left of the heap, and what would have been enough. It takes all that is free.
    fn shortage(&mut self, failed: Layout) -> OutOfMemory {
        let used = self.heap.used();
        let (mut largest, mut tail) = (0, None);
        for block in 0..BLOCKS {
            let Some((start, size)) = self.take_largest() else { break };
            if block == 0 {
                largest = size;
            }
            if start + size == self.heap.top().addr() {
                tail = Some(start);
                break;
            }
        }
        let base = match self.given {
            // Nothing was ever allocated: all is free, and the heap will begin where the memory does.
            0 => {
                largest = self.most;
                self.memory.grow(0).map_or(0, |start| start.addr())
            }
            _ => self.heap.bottom().addr(),
        };
        let tail = tail.unwrap_or(base + self.given);
        let (asked, align) = (failed.size(), failed.align());
        OutOfMemory { asked, align, heap: self.most, used, largest, enough: enough(base, tail, failed) }
    }

    /// Takes the largest free block: its address and size.
    fn take_largest(&mut self) -> Option<(usize, usize)> {
        let mut fits = |size: usize| {
            let layout = Layout::from_size_align(size, GRAIN).ok()?;
            let block = self.heap.allocate_first_fit(layout).ok()?;
            // SAFETY: it has just been allocated so.
            unsafe { self.heap.deallocate(block, layout) };
            Some(())
        };
        // All up to the largest fit but one: that which leaves less than a hole's header.
        let (mut good, mut bad) = (0, self.given / GRAIN + 1);
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            if fits(middle * GRAIN).is_some() { good = middle } else { bad = middle }
        }
        let size = if fits((good + 2) * GRAIN).is_some() { (good + 2) * GRAIN } else { good * GRAIN };
        let layout = Layout::from_size_align(size, GRAIN).ok().filter(|layout| layout.size() > 0)?;
        let block = self.heap.allocate_first_fit(layout).ok()?;
        Some((block.as_ptr().expose_provenance(), size.max(LEAST)))
    }
}

/// The least whole pages of a heap at `base`, free from `tail` on, in which an allocation has room: placed as the allocator does it.
fn enough(base: usize, tail: usize, layout: Layout) -> Option<usize> {
    let start = if tail.is_multiple_of(layout.align()) {
        tail
    } else {
        // In front of it a hole is left.
        tail.checked_add(LEAST)?.checked_next_multiple_of(layout.align())?
    };
    let end = start.checked_add(layout.size().max(LEAST).checked_next_multiple_of(GRAIN)?)?;
    let least = end.checked_sub(base)?;
    let pages = least.checked_next_multiple_of(PAGE)?;
    // Behind it as well, unless nothing is left.
    let pages = if (1..LEAST).contains(&(pages - least)) { pages + PAGE } else { pages };
    (pages < ADDRESS_SPACE).then_some(pages)
}

/// Whether two texts are one, without memory for either.
fn same(one: impl fmt::Display, other: impl fmt::Display) -> bool {
    let mut text = [0; 64];
    let mut writer = Text { bytes: &mut text, length: 0 };
    if write!(writer, "{other}").is_err() {
        return false;
    }
    let length = writer.length;
    let mut rest = Rest(text.get(..length).unwrap_or_default());
    write!(rest, "{one}").is_ok() && rest.0.is_empty()
}

struct Text<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// What of a text has not been written yet.
struct Rest<'a>(&'a [u8]);

impl Write for Rest<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text.as_bytes()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
