use super::*;
use std::time::{Duration, Instant};

/// DWARF 4 of one unit: `abbreviations`, and the entries behind the unit's header.
fn dwarf(abbreviations: &[u8], entries: &[u8], ranges: &[u8]) -> [Vec<u8>; 3] {
    let mut info = (entries.len() as u32 + 7).to_le_bytes().to_vec();
    info.extend([4, 0, 0, 0, 0, 0, 4]);
    info.extend(entries);
    [abbreviations.to_vec(), info, ranges.to_vec()]
}

fn bounded([abbreviations, info, ranges]: &[Vec<u8>; 3]) -> bool {
    let section = |id: SectionId| {
        let bytes: &[u8] = match id {
            SectionId::DebugAbbrev => abbreviations,
            SectionId::DebugInfo => info,
            SectionId::DebugRanges => ranges,
            _ => &[],
        };
        Ok::<_, gimli::Error>(EndianSlice::new(bytes, LittleEndian))
    };
    let start = Instant::now();
    let bounded = is_bounded(&Dwarf::load(section).unwrap());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    bounded
}

/// A unit (1), a function (2), and functions that are inlined (3): each has children and, of the last, DW_AT_ranges.
const ABBREVIATIONS: &[u8] = &[1, 0x11, 1, 0, 0, 2, 0x2e, 1, 0, 0, 3, 0x1d, 1, 0x55, 0x17, 0, 0, 0];

fn inlined(depth: usize) -> Vec<u8> {
    let mut entries = vec![1, 2];
    entries.extend([3, 0, 0, 0, 0].repeat(depth));
    entries.extend(vec![0; depth + 2]);
    entries
}

/// The reader calls itself for each level: 100,000 of them overflow any stack.
#[test]
fn functions_that_are_inlined_too_deep_are_not_read() {
    assert!(bounded(&dwarf(ABBREVIATIONS, &inlined(100), &[])));
    assert!(!bounded(&dwarf(ABBREVIATIONS, &inlined(100_000), &[])));
}

/// Each of many entries names one long list of ranges.
#[test]
fn ranges_do_not_multiply() {
    let many = |count: usize| {
        let mut entries = vec![1, 2];
        entries.extend([3, 0, 0, 0, 0, 0].repeat(count));
        entries.extend([0, 0]);
        entries
    };
    assert!(bounded(&dwarf(ABBREVIATIONS, &many(1000), &[1; 80_000])));
    assert!(!bounded(&dwarf(ABBREVIATIONS, &many(100_000), &[1; 800_000])));
    assert!(!bounded(&dwarf(ABBREVIATIONS, &many(MAX_ENTRIES), &[])));
}

#[test]
fn own_files_are_told_from_libraries() {
    let is_own = |file: &str| Place { function: String::new(), file: shortened(file), line: None }.is_own();
    for own in [
        "./apps/echo-srv/src/main.rs",
        "src/main.rs",
        "/home/me/ta/src/lib.rs",
        "/usr/src/debug/x/workspace/x.rs",
    ] {
        assert!(is_own(own), "{own}");
    }
    for other in [
        "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/ptr/mod.rs",
        "/rust/lib/rustlib/src/rust/library/alloc/src/alloc.rs",
        "/cargo/linked_list_allocator-0.10.6/src/lib.rs",
        "./crates/trusty-ta/src/event_loop.rs",
        "/usr/src/debug/x/workspace/crates/trusty-ta/src/target.rs",
        "/home/me/.cargo/registry/src/index/serde-1.0.0/src/lib.rs",
    ] {
        assert!(!is_own(other), "{other}");
    }
}

#[test]
fn what_is_no_dwarf_has_no_lines() {
    assert!(Lines::read(b"no ELF file").is_none());
    assert!(Lines::read(&trusty_image::test_elf::TestElf::good().build()).is_none());
}
