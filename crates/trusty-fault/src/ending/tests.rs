//! Consoles of TAs that end.

use super::*;

const UUID: &str = "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c003";

fn end(lines: &str) -> Option<Ending> {
    let mut listener = Listener::default();
    let mut ends = lines.lines().filter_map(|line| listener.line(line));
    let end = ends.next();
    assert_eq!(ends.next(), None);
    end
}

#[test]
fn a_shortage_is_told_with_the_size_that_would_do() {
    let ending = end(&format!(
        "my-srv: all data initialised\n\
         my-srv: out of memory: 50000 bytes asked, align 1; heap 16384, in use 96, largest free 16288; min_heap 53248 would do\n\
         my-srv: ended: trusted app {UUID}, called from 0x9a04 0x8010."
    ))
    .unwrap();
    assert_eq!((ending.uuid.as_deref(), ending.chain.as_slice()), (Some(UUID), &[0x9a04, 0x8010][..]));
    assert_eq!(
        ending.report("my-srv", None, &Program::default()),
        "trusted app my-srv has ended: out of memory: 50000 bytes asked; the largest free block of its heap of 16 KiB has 16288
  heap  16 KiB by manifest (min_heap), 96 bytes in use, largest free block 16288 bytes
  needs a heap of at least 52 KiB. In [package.metadata.trusty] of the Cargo.toml of my-srv:
    min_heap = 53248
  If the product config sets min_heap of my-srv, there:
    min_heap: 52KiB
"
    );
}

#[test]
fn what_no_heap_holds_gets_no_number() {
    let line = "a: out of memory: 20000000 bytes asked, align 1; heap 16384, in use 0, largest free 16384; no min_heap would do";
    let report =
        end(&format!("{line}\na: ended: trusted app {UUID}")).unwrap().report("a", None, &Program::default());
    assert!(report.contains("no min_heap is enough: a trusted app has at most 16384 KiB"), "{report}");
    // Nor does what has no room beside this app's image and stack.
    let mut file = trusty_image::test_elf::TestElf::good();
    file.manifest[20..24].copy_from_slice(&0x80_0000_u32.to_le_bytes());
    let app = trusty_image::inspect(&file.build()).unwrap();
    let line = line.replace("no min_heap would do", "min_heap 12582912 would do");
    let ending = end(&format!("{line}\na: ended: trusted app {UUID}")).unwrap();
    let report = ending.report("a", Some(&app), &Program::default());
    assert!(report.contains("no min_heap is enough: a trusted app has at most 8"), "{report}");
}

#[test]
fn a_panic_is_told_with_its_message() {
    let ending = end(&format!(
        "other: out of memory: 7 bytes asked, align 1; heap 4096, in use 0, largest free 0; min_heap 8192 would do\n\
         my-srv: panicked at apps/my-srv/src/main.rs:12:5:\n\
         assertion `left == right` failed\n  left: 1\n right: 2\n\
         my-srv: ended: trusted app {UUID}, called from 0x9a04."
    ));
    let reason =
        "panicked at apps/my-srv/src/main.rs:12:5: assertion `left == right` failed   left: 1  right: 2";
    assert_eq!(
        ending.unwrap().report("my-srv", None, &Program::default()),
        format!("trusted app my-srv has ended: {reason}\n  place apps/my-srv/src/main.rs:12:5\n")
    );
    // A place in a library is not the app's.
    let library = "my-srv: panicked at /rustc/0123/library/core/src/option.rs:1:2:\nno value";
    let ending = end(&format!("{library}\nmy-srv: ended: trusted app {UUID}")).unwrap();
    let report = ending.report("my-srv", None, &Program::default());
    assert_eq!(
        report,
        "trusted app my-srv has ended: panicked at /rustc/0123/library/core/src/option.rs:1:2: no value\n"
    );
    let stopped = end(&format!("my-srv: stops: the port is taken\nmy-srv: ended: trusted app {UUID}"));
    assert_eq!(stopped.unwrap().reason(), "its event loop stopped: the port is taken");
    let silent = end(&format!("my-srv: hello\nmy-srv: ended: trusted app {UUID}"));
    assert_eq!(silent.unwrap().reason, Reason::Unknown);
}

/// Of a TA that ends without a last line, a C one say, no more is said than is known.
#[test]
fn a_foreign_end_is_told_as_far_as_it_is_known() {
    let mut listener = Listener::default();
    assert_eq!(listener.line("hwkey: init"), None);
    let report = listener.silent_end().report("hwkey", None, &Program::default());
    assert_eq!(
        report,
        "trusted app hwkey has ended: it called exit_group, and no line of a known form says why\n"
    );
}

#[test]
fn other_lines_end_nothing() {
    for line in
        ["", ": ended: trusted app ", "a: ended: trusted app x", "a: panicked at", "a: out of memory: much"]
    {
        assert_eq!(end(line), None, "{line}");
    }
}
