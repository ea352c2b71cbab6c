//! A model of the kernel's loader (`trusty_app_bootloader`, `align_next_app` and `alloc_address_map` of trusty_app.c, L4T
//! R32.7), to see that what passes the rules survives it.

use crate::elf::{Elf, PT_LOAD, SHT_NOBITS};
use crate::manifest::{self, Manifest};

const PAGE: usize = 4096;

/// A TA as the kernel has it in memory when all are loaded: address and bytes of each segment.
pub type Loaded = Vec<(u32, Vec<u8>)>;

/// Loads concatenated TAs. `None` where the kernel would panic, or would not find a TA.
pub fn load(tasks: &[u8]) -> Option<Vec<Loaded>> {
    let mut image = tasks.to_vec();
    let mut left = image.len();
    let mut end = image.len();
    let mut starts = Vec::new();
    let mut start = 0;
    while left > 0 {
        let copy = image.clone();
        let elf = Elf::parse(copy.get(start..end)?).ok()?;
        let max_extent = elf.max_extent() as usize;
        let last = |name| elf.named(name).last();
        let (bss, pad, words) = (last(".bss")?, last(".bss-pad")?, last(manifest::SECTION)?);
        let bss_end = bss.file_end() as usize;
        if bss_end > max_extent || max_extent.next_multiple_of(4) != elf.section_headers as usize {
            return None;
        }
        image.get_mut(start + bss.offset as usize..start + bss_end)?.fill(0);
        let words = crate::bytes::slice(image.get(start..)?, words.offset, words.size)?;
        Manifest::parse(words).ok().filter(|manifest| !manifest.uuid.is_nil())?;
        let (headers_end, next) = (elf.headers_end() as usize, pad.file_end() as usize);
        if start + headers_end > end || next > headers_end {
            return None;
        }
        // The next TA is copied down over the section headers.
        image.copy_within(start + headers_end..end, start + next);
        end -= headers_end - next;
        left = left.checked_sub(headers_end)?;
        starts.push((start, bss.end()));
        start += next;
    }
    starts.iter().map(|(start, bss_end)| map(&mut image, *start, *bss_end)).collect()
}

/// Maps one TA's segments out of the image as it is now, and clears the rest of the last page.
fn map(image: &mut [u8], start: usize, bss_end: u64) -> Option<Loaded> {
    let word = |image: &[u8], at: usize| crate::bytes::u32_at(image, start + at);
    let (offset, count) = (word(image, 28)? as usize, crate::bytes::u16_at(image, start + 44)?);
    let mut segments = Vec::new();
    let mut brk = 0;
    for header in (0..usize::from(count)).map(|i| offset + 32 * i) {
        let field = |index: usize| word(image, header + 4 * index);
        let (kind, from, vaddr, memory) = (field(0)?, field(1)? as usize, field(2)?, field(5)? as usize);
        if kind != PT_LOAD || vaddr < 0x8000 || u64::from(vaddr) >= bss_end {
            continue;
        }
        if !(vaddr as usize).is_multiple_of(PAGE) || !from.is_multiple_of(PAGE) {
            return None;
        }
        let size = memory.next_multiple_of(PAGE);
        if vaddr as usize + memory > brk {
            brk = vaddr as usize + memory;
            image.get_mut(start + from + memory..start + from + size)?.fill(0);
        }
        segments.push((vaddr, start + from..start + from + size));
    }
    segments.into_iter().map(|(vaddr, range)| Some((vaddr, image.get(range)?.to_vec()))).collect()
}

/// What the segments of a TA hold when it is loaded alone: `.bss` cleared, nothing else changed.
pub fn expected(file: &[u8]) -> Loaded {
    let elf = Elf::parse(file).unwrap();
    let mut image = file.to_vec();
    for bss in elf.named(".bss").filter(|s| s.kind != SHT_NOBITS) {
        image[bss.offset as usize..bss.file_end() as usize].fill(0);
    }
    let loads = elf.segments.iter().filter(|s| s.kind == PT_LOAD);
    loads.map(|s| (s.vaddr, image[s.offset as usize..][..s.file_size as usize].to_vec())).collect()
}
