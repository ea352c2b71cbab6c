//! The heap on this host: what is told of a failure is true.

extern crate std;
use super::*;
use std::alloc::{alloc_zeroed, dealloc};
use std::vec::Vec;

/// Largest heap of a test, in bytes.
const ROOM: usize = 64 * PAGE;

/// Memory of a test, at an address that no two differ in the low bits of.
struct Block {
    start: *mut u8,
    given: usize,
    most: usize,
}

const LAYOUT: Layout = match Layout::from_size_align(ROOM, 1 << 16) {
    Ok(layout) => layout,
    Err(_) => panic!(),
};

impl Block {
    fn new(most: usize) -> Self {
        // SAFETY: the layout is not empty.
        Self { start: unsafe { alloc_zeroed(LAYOUT) }, given: 0, most }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it was allocated so.
        unsafe { dealloc(self.start, LAYOUT) };
    }
}

impl Memory for Block {
    fn grow(&mut self, size: usize) -> Option<*mut u8> {
        let start = self.start.wrapping_add(self.given);
        self.given = self.given.checked_add(size).filter(|given| *given <= self.most)?;
        Some(start)
    }
}

/// A heap of so many bytes.
fn heap(most: usize) -> Growing<Block> {
    let mut heap = Growing::new(Block::new(most));
    heap.limit(most);
    heap
}

/// What a TA does: allocates, or frees one of what it has.
#[derive(Clone, Copy, Debug)]
enum Step {
    Allocate(usize, usize),
    Free(usize),
}

/// Does it all; the first allocation that fails, and the heap then.
fn run(most: usize, steps: &[Step]) -> (Growing<Block>, Option<Layout>) {
    let mut heap = heap(most);
    let mut blocks: Vec<(NonNull<u8>, Layout)> = Vec::new();
    for step in steps {
        match *step {
            Step::Allocate(size, align) => {
                let layout = Layout::from_size_align(size, align).unwrap();
                let Some(block) = heap.allocate(layout) else { return (heap, Some(layout)) };
                blocks.push((block, layout));
            }
            Step::Free(which) if !blocks.is_empty() => {
                let (block, layout) = blocks.swap_remove(which % blocks.len());
                // SAFETY: it was allocated so, and is forgotten.
                unsafe { heap.free(block, layout) };
            }
            Step::Free(_) => {}
        }
    }
    (heap, None)
}

#[test]
fn a_simple_shortage_has_its_figures() {
    let steps = [Step::Allocate(80, 8), Step::Allocate(50_000, 1)];
    let (mut heap, failed) = run(4 * PAGE, &steps);
    let shortage = heap.shortage(failed.unwrap());
    let expected = OutOfMemory {
        asked: 50_000,
        align: 1,
        heap: 4 * PAGE,
        used: 80,
        largest: 4 * PAGE - 80,
        enough: Some(13 * PAGE),
    };
    assert_eq!(shortage, expected);
    assert!(run(13 * PAGE, &steps).1.is_none());
    assert!(run(12 * PAGE, &steps).1.is_some());
}

/// Free enough in all, but in pieces.
#[test]
fn a_fragmented_heap_is_told_by_its_largest_block() {
    let mut steps: Vec<Step> = (0..16).map(|_| Step::Allocate(1024, 8)).collect();
    // Each frees the last but one of those that are left, with a live one between any two.
    steps.extend([Step::Free(0), Step::Free(2), Step::Free(4), Step::Free(6), Step::Allocate(3000, 8)]);
    let (mut heap, failed) = run(4 * PAGE, &steps);
    let shortage = heap.shortage(failed.unwrap());
    assert_eq!((shortage.used, shortage.enough), (12 * 1024, Some(5 * PAGE)));
    assert!(shortage.largest < 3000 && shortage.heap - shortage.used > 3000, "{shortage:?}");
    assert!(run(5 * PAGE, &steps).1.is_none());
}

#[test]
fn what_no_heap_holds_is_told() {
    for size in [17 << 20, usize::MAX >> 1] {
        let (mut heap, failed) = run(4 * PAGE, &[Step::Allocate(size, 1)]);
        let shortage = heap.shortage(failed.unwrap());
        assert_eq!((shortage.used, shortage.enough), (0, None), "{shortage:?}");
    }
}

/// The first request of all is asked of the kernel as it is, and nothing is taken: who watches the kernel sees what would do.
#[test]
fn what_fails_first_takes_nothing() {
    let (mut heap, failed) = run(4 * PAGE, &[Step::Allocate(50_000, 4)]);
    assert_eq!(heap.given, 0);
    let shortage = heap.shortage(failed.unwrap());
    assert_eq!((shortage.used, shortage.largest, shortage.enough), (0, 4 * PAGE, Some(13 * PAGE)));
    // What fits but for the allocator's own needs is tried.
    assert!(run(PAGE, &[Step::Allocate(PAGE - 6, 1)]).1.is_none());
}

#[test]
fn a_failure_that_was_handled_is_forgotten() {
    let mut heap = heap(4 * PAGE);
    assert!(heap.allocate(Layout::from_size_align(50_000, 1).unwrap()).is_none());
    assert!(heap.failed.is_some());
    assert!(heap.allocate(Layout::from_size_align(5, 1).unwrap()).is_some());
    assert!(heap.failed.is_none());
}

#[test]
fn texts_are_compared_as_they_are_written() {
    let message = || format_args!("memory allocation of {} bytes failed", 50_000).to_string();
    use std::string::ToString;
    assert!(same(message(), format_args!("memory allocation of {} bytes failed", 50_000)));
    assert!(!same(message(), "memory allocation of 5000 bytes failed"));
    assert!(!same(message() + "!", "memory allocation of 50000 bytes failed"));
    assert!(!same("", "x".repeat(65)));
}

proptest::proptest! {
    /// The size that is named is enough, and a page less is not.
    #[test]
    fn the_size_that_is_named_is_the_least(
        steps in proptest::collection::vec((0usize..3, 1usize..6000, 0usize..8), 1..80),
        pages in 1usize..8,
    ) {
        let step = |(kind, size, align): (usize, usize, usize)| match kind {
            0 => Step::Free(size),
            _ => Step::Allocate(size, 1 << align),
        };
        let steps: Vec<Step> = steps.into_iter().map(step).collect();
        let (mut heap, failed) = run(pages * PAGE, &steps);
        let Some(failed) = failed else { return Ok(()) };
        let done = heap.failed;
        let shortage = heap.shortage(failed);
        let enough = shortage.enough.unwrap();
        proptest::prop_assert_eq!(done, Some(failed));
        proptest::prop_assert!(enough > pages * PAGE && enough <= ROOM, "{:?}", shortage);
        proptest::prop_assert!(shortage.largest + shortage.used <= shortage.heap);
        // How many steps went well in that heap, and in one of a page less.
        let count = |most: usize| (1..=steps.len()).take_while(|end| run(most, &steps[..*end]).1.is_none()).count();
        let at = count(pages * PAGE);
        proptest::prop_assert!(count(enough) > at, "{:?}", shortage);
        proptest::prop_assert!(count(enough - PAGE) <= at, "{:?}", shortage);
    }

    /// What the largest block is, can be had, and a word more cannot; looking changes nothing.
    #[test]
    fn the_largest_block_can_be_had(
        steps in proptest::collection::vec((0usize..3, 1usize..6000, 0usize..4), 0..40),
        pages in 1usize..8,
    ) {
        let step = |(kind, size, align): (usize, usize, usize)| match kind {
            0 => Step::Free(size),
            _ => Step::Allocate(size, 1 << align),
        };
        let steps: Vec<Step> = steps.into_iter().map(step).collect();
        let (mut heap, _) = run(pages * PAGE, &steps);
        let (used, largest) = (heap.used(), heap.largest());
        proptest::prop_assert_eq!((heap.used(), heap.largest(), heap.most()), (used, largest, pages * PAGE));
        proptest::prop_assert!(heap.peak() >= used && largest + used <= heap.most());
        if let Ok(layout) = Layout::from_size_align(largest, GRAIN) && largest > 0 {
            proptest::prop_assert!(heap.allocate(layout).is_some());
        }
        let (mut heap, _) = run(pages * PAGE, &steps);
        let more = Layout::from_size_align(largest + 2 * GRAIN, GRAIN).unwrap();
        proptest::prop_assert!(heap.allocate(more).is_none());
    }
}
