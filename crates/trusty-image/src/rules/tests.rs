use super::{loader, *};
use crate::test_elf::{MANIFEST_AT, TestElf};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn broken(change: impl FnOnce(&mut TestElf)) -> Vec<String> {
    let mut elf = TestElf::good();
    change(&mut elf);
    check(&elf.build()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_file_passes() {
    let app = inspect(&TestElf::good().build()).unwrap();
    assert_eq!(app.manifest.heap(), 0x8000);
    assert_eq!(app.image_size, 0x2000);
    assert_eq!(app.heap_start, 0xa000);
    assert_eq!(app.address_space_left(), 0x0100_0000 - 0x4000 - 0x8000 - 0xa000);
    assert_eq!(app.manifest_range, 0x2000..0x2020);
}

/// Each rule, when broken, is a finding that names section and offset.
#[test]
fn each_rule_is_its_own_finding() {
    let cases: Vec<(Vec<String>, &str)> = vec![
        (broken(|e| e.machine = 62), "ta-target: machine 62, expected 40 (ARM)"),
        (broken(|e| e.kind = 3), "ta-target: ELF type 3, expected 2 (EXEC, fixed addresses)"),
        (broken(|e| e.flags = 0x0400_0000), "ta-target: e_flags 0x04000000, expected EABI5 (0x05......)"),
        (
            broken(|e| e.segments.push([2, 0x1000, 0, 0, 0, 4])),
            "ta-static: segment 2: file offset 0x1000: PT_DYNAMIC needs a run-time linker, and Trusty has none",
        ),
        (broken(|e| e.entry = 0x8001), "ta-entry: entry 0x8001 is no ARM address: expected a multiple of 4"),
        (broken(|e| e.entry = 0x9000), "ta-entry: entry 0x9000 lies in no executable segment"),
        (
            broken(|e| e.segments[0][1] = 0x1010),
            "ta-segment-alignment: segment 0: file offset 0x1010: address 0x8000 and file offset must be multiples of 4096",
        ),
        (
            broken(|e| e.segments[1][4] = 0x2000),
            "ta-segment-size: segment 1: file offset 0x2000: 0x1000 bytes in the file, 0x2000 in memory: must be equal",
        ),
        (
            broken(|e| e.segments[0][2] = 0x7000),
            "ta-segment-place: the first PT_LOAD belongs at 0x8000, it is at 0x7000",
        ),
        (
            broken(|e| e.segments.push([1, 0x2000, 0xa000, 0x10, 0x10, 4])),
            "ta-segment-place: segment 2: file offset 0x2000: address 0xa000 lies behind .bss: the loader skips it",
        ),
        (broken(|e| e.sections[2].0 = ".b"), "ta-sections: section .bss is missing"),
        (
            broken(|e| e.sections.push((".bss", [1, 3, 0x9020, 0x2020, 0x40]))),
            "ta-sections: section .bss exists 2 times, expected once",
        ),
        (
            broken(|e| e.section(".bss")[3] = 0x2000),
            "ta-bss: .bss: file offset 0x2000: the file offset does not belong to its address 0x9020",
        ),
        (
            broken(|e| *e.section(".bss") = [8, 3, 0x9020, 0x9000, 0x40]),
            "ta-bss: .bss: file offset 0x9000: its 0x40 bytes have no space in the file: must be PROGBITS",
        ),
        (
            broken(|e| e.section(".bss-pad")[0] = 8),
            "ta-bss-pad: .bss-pad: file offset 0x2060: type 8, 4000 bytes: must be PROGBITS (1) and not empty",
        ),
        (
            broken(|e| e.section(".bss-pad")[4] = 0xf00),
            "ta-bss-pad: .bss-pad: file offset 0x2060: ends at file offset 0x2f60, expected a multiple of 4096",
        ),
        (
            broken(|e| e.shift_headers = 4),
            "ta-headers-last: file offset 0x3038: section headers start here, expected right behind the sections at 0x3034",
        ),
        (
            broken(|e| e.tail = vec![0; 4]),
            "ta-file-end: file offset 0x3124: the section headers end here, the file at 0x3128: the next app is not found",
        ),
        (
            broken(|e| e.manifest[16] = 9),
            "ta-manifest: .trusty_app.manifest: file offset 0x2000: offset 0x10: unknown key 9; known are 1 (min_stack), 2 (min_heap), 3 (map_mem)",
        ),
        (
            broken(|e| e.manifest[..16].fill(0)),
            "ta-manifest: .trusty_app.manifest: file offset 0x2000: the UUID is nil",
        ),
        (
            broken(|e| e.manifest[28..32].copy_from_slice(&0x00ff_4000u32.to_le_bytes())),
            "ta-address-space: image up to 0xa000, heap 0xff4000 and stack 0x4000 do not fit below 0x1000000",
        ),
    ];
    let mut covered = BTreeSet::new();
    for (found, expected) in cases {
        assert!(found.iter().any(|f| f == expected), "expected {expected}\nfound {found:#?}");
        covered.insert(expected.split(':').next().unwrap());
    }
    let all: BTreeSet<&str> = Rule::ALL.iter().map(|r| r.code()).filter(|c| *c != "ta-elf").collect();
    assert_eq!(covered, all, "each rule has a case (ta-elf: every_cut_is_found)");
}

/// What the sections alone do not show: the loader has moved the next TA when it maps the segments.
#[test]
fn what_lies_behind_the_pad_is_found() {
    let behind =
        |change: fn(&mut TestElf)| broken(change).iter().any(|f| f.contains("behind .bss-pad at 0x3000"));
    assert!(
        behind(|e| (e.segments[1][3], e.segments[1][4]) = (0x1010, 0x1010)),
        "a segment longer than the pad"
    );
    assert!(behind(|e| e.segments[0][1] = 0x3000), "a segment behind the pad");
    assert!(behind(|e| e.section(".trusty_app.manifest")[3] = 0x3000), "a manifest behind the pad");
    let cleared = broken(|e| (e.section(".bss")[2], e.section(".bss")[3]) = (0x9000, 0x2000));
    assert!(
        cleared.iter().any(|f| f.contains("overlaps .trusty_app.manifest, which the loader would clear"))
    );
    let null = broken(|e| e.section(".bss")[0] = 0);
    assert!(null.contains(&"ta-sections: section .bss is missing".to_owned()), "{null:?}");
    let shared = broken(|e| e.segments[0][1] = 0x2000);
    assert!(shared.iter().any(|f| f.contains("shares a page, in memory or file")), "{shared:?}");
}

/// Two TAs, one behind the other, through a model of the loader: each has its own bytes.
#[test]
fn good_files_survive_the_loader() {
    let (one, mut second) = (TestElf::good().build(), TestElf::good());
    second.manifest[0] = 1;
    let two = second.build();
    let loaded = loader::load(&[&one[..], &two, &one].concat()).unwrap();
    for (app, file) in loaded.iter().zip([&one, &two, &one]) {
        survives(app, file);
    }
}

fn survives(app: &loader::Loaded, file: &[u8]) {
    let expected = loader::expected(file);
    assert_eq!(app.len(), expected.len());
    for ((vaddr, bytes), (expected_vaddr, expected)) in app.iter().zip(&expected) {
        assert_eq!(vaddr, expected_vaddr);
        assert!(bytes.starts_with(expected), "segment at 0x{vaddr:x}");
    }
}

#[test]
fn a_heap_that_just_fits_is_allowed() {
    assert!(
        broken(|e| e.manifest[28..32].copy_from_slice(&0x00ff_2000u32.to_le_bytes())).is_empty(),
        "0xa000 + 0xff2000 + 0x4000 = 0x1000000"
    );
}

#[test]
fn the_patch_reaches_the_loader() {
    let mut file = TestElf::good().build();
    let range = inspect(&file).unwrap().manifest_range;
    manifest::set_min_heap(&mut file[range], 0x10000).unwrap();
    assert_eq!(inspect(&file).unwrap().manifest.heap(), 0x10000);
    assert_eq!(file[MANIFEST_AT as usize + 28..][..4], 0x10000u32.to_le_bytes());
}

#[test]
fn codes_are_unique() {
    let mut codes: Vec<&str> = Rule::ALL.iter().map(|r| r.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Rule::ALL.len());
}

/// A file cut anywhere breaks a rule: the loader would read behind its end.
#[test]
fn every_cut_is_found() {
    let file = TestElf::good().build();
    for length in 0..file.len() {
        assert!(!check(&file[..length]).is_empty(), "cut at {length}");
    }
}

proptest! {
    #[test]
    fn any_change_is_survived(changes in proptest::collection::vec((0usize..0x4000, any::<u8>()), 1..20)) {
        let mut file = TestElf::good().build();
        for (at, value) in changes {
            let at = at % file.len();
            file[at] = value;
        }
        if let Ok(app) = inspect(&file) {
            prop_assert!(app.address_space_left() < APP_STACK_TOP);
        }
    }

    /// Whatever passes the rules is loaded whole, and leaves the TA behind it whole.
    #[test]
    fn what_passes_survives_the_loader(
        fields in proptest::collection::vec((0usize..6, 0usize..5, prop::sample::select(vec![
            0u32, 1, 8, 0x20, 0x60, 0xfa0, 0x100, 0xfff, 0x1000, 0x1010, 0x2000, 0x2020, 0x2060, 0x3000, 0x4000,
            0x8000, 0x9000, 0x9020, 0x9060, 0xa000,
        ])), 0..3)
    ) {
        let mut elf = TestElf::good();
        for (which, field, value) in fields {
            match which {
                0 | 1 => elf.segments[which][field + 1] = value,
                _ => elf.sections[which - 2].1[field] = value,
            }
        }
        let file = elf.build();
        if check(&file).is_empty() {
            let good = TestElf::good().build();
            let loaded = loader::load(&[&file[..], &good].concat()).expect("the kernel panics");
            prop_assert_eq!(loaded.len(), 2);
            survives(&loaded[0], &file);
            survives(&loaded[1], &good);
        }
    }

    #[test]
    fn any_header_is_survived(header in proptest::collection::vec(any::<u8>(), 52..200)) {
        let mut file = TestElf::good().build();
        file[16..header.len()].copy_from_slice(&header[16..]);
        let _ = check(&file);
        let _ = check(&header);
    }
}
