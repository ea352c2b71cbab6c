//! Each fault, as the emulator knows it and as the kernel's console tells it.

use super::{Access, HeapUse, Scene};
use crate::program::Program;
use trusty_image::TrustedApp;
use trusty_image::limits::APP_STACK_TOP;
use trusty_image::test_elf::TestElf;

/// Where the heap of the test's TA starts and ends.
const HEAP: u32 = 0xa000;
const HEAP_END: u32 = HEAP + 0x4000;
/// Where its stack ends.
const STACK: u32 = APP_STACK_TOP - 0x2000;

/// A TA with a heap of 16 KiB and a stack of 8 KiB.
fn app() -> TrustedApp {
    let mut file = TestElf::good();
    file.manifest[20..24].copy_from_slice(&0x2000u32.to_le_bytes());
    file.manifest[28..32].copy_from_slice(&0x4000u32.to_le_bytes());
    trusty_image::inspect(&file.build()).unwrap()
}

/// What the emulator knows of the heap.
const USED: HeapUse = HeapUse { brk: HEAP + 0x1000, refused: None, touched: 0x800 };

/// Runs a check on an access, with a stack pointer.
fn with<T>(access: Access, sp: u32, check: impl FnOnce(Scene) -> T) -> T {
    let mut registers = std::array::from_fn(|index| index as u32);
    registers[13] = sp;
    check(Scene {
        name: "test",
        app: &app(),
        program: &Program::default(),
        access,
        registers,
        cpsr: 0x10,
        heap: None,
        stack_touched: None,
        mapped: None,
        memory: &|_| None,
    })
}

/// An access by the console of the kernel.
fn console(access: Access) -> String {
    with(access, APP_STACK_TOP, |scene| scene.diagnosis())
}

/// An access on the emulator, that knows whether memory is mapped.
fn emulator(access: Access, mapped: bool) -> String {
    with(access, APP_STACK_TOP, |scene| {
        Scene { heap: Some(USED), stack_touched: Some(0x1000), mapped: Some(mapped), ..scene }.diagnosis()
    })
}

#[test]
fn a_null_pointer_after_a_refused_brk() {
    let heap = HeapUse { refused: Some(USED.brk + 252 * 1024), ..USED };
    assert_eq!(
        with(Access::Write(0), 0, |scene| Scene { heap: Some(heap), ..scene }.diagnosis()),
        "null + 0 written: the last brk was refused; the heap is 16 KiB by manifest, 252 KiB were asked. \
         Check what the allocation returns, and raise min_heap"
    );
    // Not whole KiB; and a break that went down.
    for (refused, expected) in [(USED.brk + 1000, "1000 bytes were asked"), (HEAP, "0 KiB were asked")] {
        let heap = HeapUse { refused: Some(refused), ..USED };
        let found = with(Access::Read(4), 0, |scene| Scene { heap: Some(heap), ..scene }.diagnosis());
        assert!(
            found.starts_with("null + 4 read: the last brk was refused") && found.contains(expected),
            "{found}"
        );
    }
}

#[test]
fn a_null_pointer_without_a_refused_brk() {
    assert_eq!(
        emulator(Access::Write(8), false),
        "null + 8 written: a pointer that was never set, or whose failure was not checked"
    );
    assert_eq!(
        console(Access::Write(8)),
        "null + 8 written: a pointer that was never set, or an allocation whose failure was not checked; the heap is \
         16 KiB by manifest, whatever the carve-out"
    );
    assert!(console(Access::Fetch(4095)).starts_with("null + 4095 jumped to: a pointer"));
    assert!(!console(Access::Read(4096)).contains("null"));
}

/// Where nothing depends on the use of the heap, the words are the same, whoever tells them.
#[test]
fn all_else_is_told_alike() {
    for (access, mapped, expected) in [
        (
            Access::Instruction,
            false,
            "no instruction that a trusted app may execute: 32-bit ARM code is allowed",
        ),
        (Access::Write(0x8000), true, "0x8000 written: it lies in read-only text"),
        (Access::Read(0x9100), true, "0x9100 read: it lies in data"),
        // Only the kernel forbids it.
        (Access::Fetch(0x9100), true, "0x9100 jumped to: it lies in data"),
        (Access::Fetch(HEAP), true, "0xa000 jumped to: heap and stack cannot be executed"),
        (Access::Fetch(HEAP_END - 4), true, "0xdffc jumped to: heap and stack cannot be executed"),
        (Access::Fetch(STACK), true, "0xffe000 jumped to: heap and stack cannot be executed"),
        (
            Access::Write(HEAP_END),
            false,
            "0xe000 written: 0 bytes behind the heap, which is 16 KiB by manifest; raise min_heap, or check the index",
        ),
        (
            Access::Fetch(HEAP_END + 0xffff),
            false,
            "0x1dfff jumped to: 65535 bytes behind the heap, which is 16 KiB by manifest; raise min_heap, or check the \
             index",
        ),
        (
            Access::Read(HEAP_END + 0x1_0000),
            false,
            "0x1e000 read: not the trusted app's memory; an address of another app or of a client is useless here",
        ),
        (
            Access::Fetch(APP_STACK_TOP),
            false,
            "0x1000000 jumped to: not the trusted app's memory; an address of another app or of a client is useless \
             here",
        ),
        (
            Access::Write(u32::MAX),
            false,
            "0xffffffff written: not the trusted app's memory; an address of another app or of a client is useless \
             here",
        ),
    ] {
        assert_eq!(console(access), expected);
        assert_eq!(emulator(access, mapped), expected);
    }
}

/// A device that a TA has mapped is known to the emulator alone.
#[test]
fn what_is_mapped_can_be_told() {
    let device = Access::Fetch(APP_STACK_TOP);
    assert_eq!(emulator(device, true), "0x1000000 jumped to: heap and stack cannot be executed");
    assert!(console(device).contains("not the trusted app's memory"));
    // Mapped or not, what was read or written is told by its place.
    assert!(emulator(Access::Read(0x0200_0000), true).contains("not the trusted app's memory"));
}

#[test]
fn a_full_stack() {
    let expected =
        "the stack is full: 0xffdffc written below its 8 KiB (min_stack); raise min_stack, or use less of it";
    let access = Access::Write(STACK - 4);
    assert_eq!(with(access, STACK - 4, |scene| scene.diagnosis()), expected);
    assert_eq!(
        with(access, STACK + 0xfff, |scene| {
            Scene { heap: Some(USED), stack_touched: Some(0x2000), mapped: Some(false), ..scene }.diagnosis()
        }),
        expected
    );
    // A wild pointer, or far below.
    for (access, sp) in [(access, STACK + 0x1000), (Access::Write(STACK - 0x1_0004), STACK)] {
        let found = with(access, sp, |scene| scene.diagnosis());
        assert!(found.contains("not the trusted app's memory"), "{found}");
    }
}

#[test]
fn a_report_has_what_is_known() {
    let whole = with(Access::Write(8), 0x00ff_ff00, |scene| {
        Scene { heap: Some(USED), stack_touched: Some(0x1000), mapped: Some(false), ..scene }.report()
    });
    assert_eq!(
        whole,
        "test faults: null + 8 written: a pointer that was never set, or whose failure was not checked
  at    0x0000000f
   r0 00000000   r1 00000001   r2 00000002   r3 00000003
   r4 00000004   r5 00000005   r6 00000006   r7 00000007
   r8 00000008   r9 00000009  r10 0000000a  r11 0000000b
  r12 0000000c   sp 00ffff00   lr 0000000e   pc 0000000f
  cpsr 00000010
  heap  0xa000 to 0xe000: 16 KiB by manifest, brk at 4 KiB, touched 2 KiB
  stack 0xffe000 to 0x1000000: 8 KiB by manifest, touched 4 KiB
"
    );
    let console = with(Access::Write(8), 0x00ff_ff00, |scene| scene.report());
    assert!(
        console.ends_with(
            "  cpsr 00000010
  heap  0xa000 to 0xe000: 16 KiB by manifest
  stack 0xffe000 to 0x1000000: 8 KiB by manifest
"
        ),
        "{console}"
    );
    // Registers are the same.
    assert!(whole.lines().skip(1).zip(console.lines().skip(1)).take(6).all(|(one, other)| one == other));
}

#[test]
fn accesses_have_addresses() {
    for access in [Access::Read(7), Access::Write(7), Access::Fetch(7)] {
        assert_eq!(access.address(), Some(7));
    }
    assert_eq!(Access::Instruction.address(), None);
}
