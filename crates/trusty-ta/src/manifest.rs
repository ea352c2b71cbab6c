//! The TA's own manifest, as it is in its memory.
//!
//! The heap's size is read from there when the TA starts: `min_heap` of a product config changes the words in the
//! finished ELF file, and a constant compiled in would not know.
#![cfg_attr(not(target_os = "none"), allow(dead_code))]

/// Words of the UUID.
const UUID: usize = 4;
const MIN_STACK: u32 = 1;
const MIN_HEAP: u32 = 2;
/// A key and its three values.
const MAP_MEM_WORDS: usize = 4;
const PAGE: usize = 4096;
/// What the kernel gives without a word: 4 pages.
const DEFAULT_HEAP: usize = 4 * PAGE;

/// Heap in bytes that the kernel gives by these words.
pub fn heap(words: &[u32]) -> usize {
    let mut heap = DEFAULT_HEAP;
    let mut index = UUID;
    // Volatile, because the words may differ from the compiled ones.
    // SAFETY: the reference is valid for a read.
    let word = |index: usize| words.get(index).map(|word| unsafe { core::ptr::read_volatile(word) });
    while let Some(key) = word(index) {
        index += match key {
            MIN_HEAP => {
                heap = word(index + 1).map_or(heap, |size| (size as usize).next_multiple_of(PAGE));
                2
            }
            MIN_STACK => 2,
            _ => MAP_MEM_WORDS,
        };
    }
    heap
}

#[cfg(test)]
mod tests {
    use super::heap;

    #[test]
    fn the_heap_is_that_of_the_words() {
        let uuid = [2, 2, 2, 2];
        let with = |words: &[u32]| heap(&[&uuid, words].concat());
        assert_eq!(with(&[1, 4096, 2, 8000]), 8192);
        assert_eq!(with(&[3, 2, 9, 2, 2, 4096]), 4096);
        assert_eq!(with(&[1, 2]), 16384);
        assert_eq!(with(&[2]), 16384);
        assert_eq!(heap(&[]), 16384);
    }

    proptest::proptest! {
        /// The same figure as the crate that knows the format.
        #[test]
        fn it_is_what_the_loader_gives(min_stack: Option<u16>, min_heap: Option<u16>, regions in 0usize..3) {
            extern crate std;
            use trusty_image::manifest::{Manifest, MapMem};
            let size = |value: u16| u32::from(value) + 1;
            let map_mem = std::vec![MapMem { id: 2, offset: 2, size: 1 }; regions];
            let uuid = uuid::Uuid::from_bytes([7; 16]);
            let manifest = Manifest { uuid, min_stack: min_stack.map(size), min_heap: min_heap.map(size), map_mem };
            let words: std::vec::Vec<u32> = [0; 4].into_iter().chain(manifest.words()).collect();
            proptest::prop_assert_eq!(heap(&words), manifest.heap() as usize);
        }
    }
}
