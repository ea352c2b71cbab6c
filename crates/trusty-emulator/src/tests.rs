//! Small programs on the emulator, written as ARM instructions.
#![allow(clippy::indexing_slicing)]

use crate::clock::Clock;
use crate::image;
use crate::process::{AppState, Known, Process};
use trusty_abi::{Error, nr};
use trusty_image::test_elf::TestElf;
use trusty_image::{Container, TosType};
use trusty_model::Kernel;

/// File offset of the code, and of the manifest's sizes.
const TEXT: usize = 0x1000;
const MIN_STACK: usize = 0x2014;
const MIN_HEAP: usize = 0x201c;
/// Where the heap starts, and the data is.
const HEAP: u32 = 0xa000;
const DATA: u32 = 0x9100;

const SVC: u32 = 0xef00_0000;
/// `b .`
const FOREVER: u32 = 0xeaff_fffe;
/// `udf #0`
const UNDEFINED: u32 = 0xe7f0_00f0;
/// `str r0, [r1]` and `ldr r0, [r1]`
const STORE: u32 = 0xe581_0000;
const LOAD: u32 = 0xe591_0000;
/// `str r0, [sp, #-4]!`
const PUSH: u32 = 0xe52d_0004;
/// `mov pc, r1`
const JUMP: u32 = 0xe1a0_f001;

/// `movw` and `movt` of a number into a register.
fn set(register: u32, value: u32) -> [u32; 2] {
    let half = |opcode: u32, half: u32| opcode | (half >> 12) << 16 | register << 12 | half & 0xfff;
    [half(0xe300_0000, value & 0xffff), half(0xe340_0000, value >> 16)]
}

fn call(number: u32, arguments: &[u32]) -> Vec<u32> {
    let mut code: Vec<u32> = arguments.iter().zip(0..).flat_map(|(value, r)| set(r, *value)).collect();
    code.extend(set(12, number));
    code.push(SVC);
    code
}

fn elf(code: &[u32]) -> Vec<u8> {
    let mut file = TestElf::good().build();
    for (at, word) in (TEXT..).step_by(4).zip(code) {
        file[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    file[MIN_STACK..MIN_STACK + 4].copy_from_slice(&8192u32.to_le_bytes());
    file[MIN_HEAP..MIN_HEAP + 4].copy_from_slice(&16384u32.to_le_bytes());
    file
}

struct Run {
    clock: Clock,
    kernel: Kernel,
    process: Process,
}

impl Run {
    fn load(code: &[u32]) -> Self {
        let mut kernel = Kernel::new();
        let process = Process::load(0, &elf(code), &mut kernel, &Test).unwrap();
        Self { clock: Clock::of_host(), kernel, process }
    }

    fn turn(&mut self) -> Result<(), String> {
        let ran = self.process.run(&mut self.kernel, &self.clock);
        ran.map(|hit| assert_eq!(hit, None)).map_err(|crash| self.process.report(&crash))
    }
}

/// What a program's fault is called.
fn fault(code: &[u32]) -> String {
    let report = Run::load(code).turn().unwrap_err();
    report.lines().next().unwrap().to_owned()
}

fn store(address: u32) -> Vec<u32> {
    [&set(1, address)[..], &[STORE]].concat()
}

/// r0 after one system call.
fn result(number: u32, arguments: &[u32]) -> i32 {
    let mut run = Run::load(&[call(number, arguments), vec![FOREVER]].concat());
    run.turn().unwrap();
    run.process.machine.register(unicorn_engine::RegisterARM::R0).cast_signed()
}

#[test]
fn the_forums_fault_is_explained() {
    let code = [call(nr::BRK, &[HEAP + 258_048]), store(0)].concat();
    assert_eq!(
        fault(&code),
        "test faults: null + 0 written: the last brk was refused; the heap is 16 KiB by manifest, 252 KiB were asked. \
         Check what the allocation returns, and raise min_heap"
    );
    assert_eq!(
        fault(&store(8)),
        "test faults: null + 8 written: a pointer that was never set, or whose failure was not checked"
    );
}

#[test]
fn every_kind_of_fault_is_told_apart() {
    for (code, expected) in [
        (vec![PUSH, 0xeaff_fffd], "the stack is full: 0xffdffc written below its 8 KiB (min_stack)"),
        (store(0x8000), "0x8000 written: it lies in read-only text"),
        (store(HEAP + 16384), "0xe000 written: 0 bytes behind the heap, which is 16 KiB by manifest"),
        (store(0x0200_0000), "0x2000000 written: not the trusted app's memory"),
        ([&set(1, 0x40_0000)[..], &[LOAD]].concat(), "0x400000 read: not the trusted app's memory"),
        ([&set(1, 0x40_0000)[..], &[JUMP]].concat(), "0x400000 jumped to: not the trusted app's memory"),
        // A function in the heap: bx lr.
        (
            [&set(0, 0xe12f_ff1e)[..], &set(1, HEAP), &[STORE, JUMP]].concat(),
            "0xa000 jumped to: heap and stack cannot be executed",
        ),
        // The same in the data, which may be written and so not executed.
        (
            [&set(0, 0xe12f_ff1e)[..], &set(1, DATA), &[STORE, JUMP]].concat(),
            "0x9100 jumped to: it lies in data",
        ),
        (vec![UNDEFINED], "no instruction that a trusted app may execute"),
    ] {
        let found = fault(&code);
        assert!(found.contains(expected), "{found}\nexpected {expected}");
    }
}

#[test]
fn a_report_has_registers_and_memory() {
    let code = [&set(7, 0xdead_beef)[..], &store(0)].concat();
    let report = Run::load(&code).turn().unwrap_err();
    for expected in [
        "at    0x00008010",
        "r7 deadbeef",
        "pc 00008010",
        "heap  0xa000 to 0xe000: 16 KiB by manifest, brk at 0 KiB, touched 0 KiB",
        "stack 0xffe000 to 0x1000000: 8 KiB by manifest, touched 0 KiB",
    ] {
        assert!(report.contains(expected), "{expected} in {report}");
    }
}

/// Also over the ends of turns.
#[test]
fn instructions_are_counted_exactly() {
    let loops = 1_500_000;
    // subs r1, r1, #1; bne -1; then exit.
    let code = [&set(1, loops)[..], &[0xe251_1001, 0x1aff_fffd], &call(nr::EXIT_GROUP, &[])].concat();
    let mut run = Run::load(&code);
    let mut turns = 0;
    while run.process.state == AppState::Ready {
        run.turn().unwrap();
        turns += 1;
    }
    assert_eq!(run.process.state, AppState::Exited);
    assert!(turns >= 3, "{turns} turns");
    assert_eq!(run.process.machine.instructions(), 2 + 2 * u64::from(loops) + 3);
}

/// As on the real kernel: hints do nothing, what is privileged faults.
#[test]
fn tas_are_not_privileged() {
    let (wfe, hint, read_counter) = (0xe320_f002, 0xe320_f001, 0xee19_0f1d);
    let mut run = Run::load(&[&[wfe, hint, wfe][..], &call(nr::EXIT_GROUP, &[])].concat());
    for _ in 0..9 {
        run.turn().unwrap();
    }
    assert_eq!(run.process.state, AppState::Exited);
    assert!(fault(&[read_counter, FOREVER]).contains("no instruction that a trusted app may execute"));
}

#[test]
fn nanosleep_wraps_as_the_kernels() {
    for long in [[u32::MAX, u32::MAX], [0xfff0_bdc1, u32::MAX]] {
        let mut run = Run::load(&[call(nr::NANOSLEEP, &[0, 0, long[0], long[1]]), vec![FOREVER]].concat());
        run.turn().unwrap();
        run.process.wake(&mut run.kernel, &run.clock);
        assert_eq!(run.process.state, AppState::Ready, "{long:x?}");
    }
}

#[test]
fn a_loop_without_end_lets_others_run() {
    let mut run = Run::load(&[FOREVER]);
    run.turn().unwrap();
    assert_eq!(run.process.state, AppState::Ready);
    assert!(run.process.machine.instructions() >= 1_000_000);
}

#[test]
fn the_break_stays_within_the_heap() {
    let brk = |end| result(nr::BRK, &[end]).cast_unsigned();
    assert_eq!(brk(0), HEAP);
    assert_eq!(brk(HEAP + 16384), HEAP + 16384);
    assert_eq!(brk(HEAP + 16385), HEAP, "refused");
}

#[test]
fn bad_arguments_are_refused_and_harmless() {
    let nowhere = 0x40_0000;
    for (number, arguments, expected) in [
        (nr::WRITE, &[2, nowhere, 4][..], Error::InvalidArguments),
        (nr::WRITE, &[9, DATA, 4], Error::NotSupported),
        (nr::WRITE, &[2, 0xffff_fff0, 0x20], Error::InvalidArguments),
        (nr::PORT_CREATE, &[nowhere, 1, 1, 1], Error::Fault),
        (nr::PORT_CREATE, &[DATA, 1, 1, 1], Error::InvalidArguments),
        (nr::CONNECT, &[0, 0], Error::Fault),
        (nr::WAIT_ANY, &[DATA, 0], Error::NotFound),
        (nr::WAIT, &[3, DATA, 0], Error::NotFound),
        (nr::CLOSE, &[128], Error::BadHandle),
        (nr::WRITE, &[2, HEAP + 16384, 0], Error::InvalidArguments),
        (nr::WRITE, &[2, 0x8ffc, 8], Error::InvalidArguments),
        (nr::CONNECT, &[0, 4], Error::InvalidArguments),
        (nr::GET_MSG, &[1, 0x8000], Error::NotFound),
        (nr::READ_MSG, &[1, 0, 0, nowhere], Error::Fault),
        (nr::SEND_MSG, &[1, nowhere], Error::Fault),
        (nr::SEND_MSG, &[1, DATA], Error::NotFound),
        (nr::GETTIME, &[0, 0, 0x8000], Error::Fault),
        (nr::MMAP, &[0, 4096, 1, 7], Error::NotFound),
        (nr::MMAP, &[0, 0, 2, 0], Error::InvalidArguments),
        (nr::MUNMAP, &[0x8000, 4096], Error::NotFound),
        (nr::MUNMAP, &[0, 4096], Error::InvalidArguments),
        (nr::IOCTL, &[3, 0, 0], Error::NotSupported),
        (nr::PREPARE_DMA, &[DATA, 0, 0, DATA], Error::InvalidArguments),
        (nr::PREPARE_DMA, &[nowhere, 1, 0, DATA], Error::InvalidArguments),
        (nr::PREPARE_DMA, &[DATA, 1, 0, nowhere], Error::Fault),
        (nr::PREPARE_DMA, &[HEAP, 4097, 0, DATA], Error::Other(-32)),
        (nr::FINISH_DMA, &[nowhere, 1, 0], Error::InvalidArguments),
        (0xa1, &[0], Error::NotSupported),
    ] {
        assert_eq!(result(number, arguments), expected.code(), "call {number:#x} {arguments:x?}");
    }
}

#[test]
fn memory_for_a_device_is_told_by_the_page() {
    let prepare = |size, flags| result(nr::PREPARE_DMA, &[HEAP + 4000, size, flags, DATA]);
    let found =
        [(96, 0), (97, 4), (97, 8), (5000, 4), (5000, 4 | 8)].map(|(size, flags)| prepare(size, flags));
    assert_eq!(found, [1, 2, 1, 3, 3]);
    assert_eq!(result(nr::FINISH_DMA, &[HEAP, 16384, 3]), 0);
}

#[test]
fn memory_that_was_touched_is_known() {
    // One byte in the heap's third page, one push.
    let code = [&[PUSH][..], &store(HEAP + 9000), &[FOREVER]].concat();
    let mut run = Run::load(&code);
    run.turn().unwrap();
    assert_eq!(run.process.machine.heap_high_water(), 3 * 4096);
    assert_eq!(run.process.machine.stack_high_water(), 4096);
}

#[test]
fn sleep_and_waits_end_in_time() {
    let mut run = Run::load(&[call(nr::NANOSLEEP, &[0, 0, 20_000_000, 0]), vec![FOREVER]].concat());
    run.turn().unwrap();
    let start = Clock::of_host();
    assert!(matches!(run.process.state, AppState::Waiting(..)));
    while run.process.state != AppState::Ready {
        run.process.wake(&mut run.kernel, &run.clock);
        assert!(start.now().as_secs() < 10);
    }
    assert!(start.now().as_millis() >= 10);
}

#[test]
fn apps_are_found_in_every_kind_of_image() {
    let app = elf(&[FOREVER]);
    let two = [app.as_slice(), &app].concat();
    let kernel = [&[0x55; 8192][..], &two, &[0x55; 100]].concat();
    let tos = Container::pack(&[1; 64], &kernel, TosType::Trusty).unwrap();
    for whole in [&two, &kernel, &tos] {
        let found = image::apps(whole).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|found| *found == app));
    }
    assert!(image::apps(&[]).is_err());
    assert!(image::apps(&[0; 10_000]).is_err());
    // Cut at any byte: fewer apps, or a clean error.
    for length in (0..tos.len()).step_by(61) {
        assert!(image::apps(&tos[..length]).is_err(), "a container knows its length");
    }
    for length in (0..kernel.len()).step_by(61) {
        let mut found = image::apps(&kernel[..length]).unwrap_or_default();
        assert!(found.len() <= 2);
        for elf in &mut found {
            assert!(Process::load(0, elf, &mut Kernel::new(), &Test).is_ok());
        }
    }
}

#[test]
fn broken_apps_are_refused() {
    let mut broken = elf(&[FOREVER]);
    broken.truncate(broken.len() - 4);
    let error = Process::load(0, &broken, &mut Kernel::new(), &Test).err().unwrap().to_string();
    assert!(error.contains("the kernel's loader would not take it") && error.contains("ta-"), "{error}");
}

/// What is known of a test's TA.
struct Test;

impl Known for Test {
    fn name(&self, _: uuid::Uuid) -> Option<String> {
        Some("test".into())
    }

    fn debug(&self, _: uuid::Uuid) -> Option<Vec<u8>> {
        None
    }

    fn core(&self, _: uuid::Uuid) -> Option<std::path::PathBuf> {
        None
    }
}

/// What a TA has said before it exits is why it has ended; of one that has said nothing no more is claimed.
#[test]
fn an_exit_has_the_reason_that_was_said() {
    let load = || Process::load(0, &elf(&[]), &mut Kernel::new(), &Test).unwrap();
    let mut app = load();
    app.hear(b"test: panicked at src/main.rs:1:2:\nno, ");
    app.hear(b"thanks\n");
    let uuid = app.app.manifest.uuid;
    app.hear(format!("test: ended: trusted app {uuid}, called from 0x8004.\n").as_bytes());
    app.end();
    assert_eq!(app.state, AppState::Exited);
    let expected = "trusted app test has ended: panicked at src/main.rs:1:2: no, thanks";
    assert_eq!(app.ended.as_deref(), Some(expected));
    let mut silent = load();
    // Another's last words are not its own.
    silent.hear(b"other: ended: trusted app c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c003\nhello\n");
    silent.end();
    assert!(
        silent
            .ended
            .unwrap()
            .ends_with("has ended: it called exit_group, and no line of a known form says why")
    );
}
