//! Chains of calls, in code that is put together here.

use super::*;

const PUSH: u32 = 0xe92d_4800;
const NOP: u32 = 0xe1a0_0000;
const BL: u32 = 0xeb00_0000;
const BLX_R3: u32 = 0xe12f_ff33;
const BASE: u32 = 0x8000;

/// `start` calls `middle`, that calls `leaf` and, through r3, anything; `bare` has calls and no frame.
const CODE: [u32; 16] = [
    // start, 0x8000
    PUSH,
    MOVE_FRAME,
    BL,
    NOP, // middle, 0x8010
    PUSH,
    ADD_FRAME | 8,
    BL,
    BLX_R3, // leaf, 0x8020
    NOP,
    NOP,
    NOP,
    NOP, // bare, 0x8030
    PUSH,
    BL,
    NOP,
    NOP,
];
const FUNCTIONS: [(u64, u64, &str); 4] =
    [(0x8000, 16, "start"), (0x8010, 16, "middle"), (0x8020, 16, "leaf"), (0x8030, 16, "bare")];
/// Addresses behind the calls of `start`, of `middle`, and of `bare`.
const IN_START: u32 = 0x800c;
const IN_MIDDLE: u32 = 0x801c;
const BEHIND_BLX: u32 = 0x8020;
const IN_BARE: u32 = 0x8038;
/// Frames on the stack: of `middle` and of `start`.
const FRAMES: [(u32, u32, u32); 2] = [(0xff_f000, 0xff_f100, IN_START), (0xff_f100, 0, 0x1234)];

fn check(registers: &[(usize, u32)], cpsr: u32, frames: &[(u32, u32, u32)]) -> Vec<u32> {
    let bytes: Vec<u8> = CODE.iter().flat_map(|word| word.to_le_bytes()).collect();
    let program = Program {
        symbols: Symbols::of(&FUNCTIONS),
        lines: None,
        frames: None,
        code: vec![(BASE, bytes.as_slice())],
    };
    let mut all = [0; 16];
    (all[11], all[13]) = (0xff_f000, 0xff_ef00);
    registers.iter().for_each(|(register, value)| all[*register] = *value);
    let memory = |address: u32| {
        let word = |(at, next, back): &(u32, u32, u32)| match address.wrapping_sub(*at) {
            0 => Some(*next),
            4 => Some(*back),
            _ => None,
        };
        frames.iter().find_map(word)
    };
    program.chain(&all, cpsr, &memory)
}

#[test]
fn frames_are_followed_to_the_start() {
    // In `middle`, behind its prologue; and what stands behind the last frame is no return address.
    assert_eq!(check(&[(15, 0x8018)], 0x10, &FRAMES), [IN_START]);
    // In `leaf`, which has made none: its caller is in the link register.
    assert_eq!(check(&[(15, 0x8024), (14, IN_MIDDLE)], 0x10, &FRAMES), [IN_MIDDLE, IN_START]);
    // At the first instruction of `middle`: a stack that is full fails there.
    assert_eq!(check(&[(15, 0x8010), (14, IN_START), (11, 0xff_f100)], 0x10, &FRAMES), [IN_START]);
    // A call of what is no function, through r3.
    assert_eq!(check(&[(15, 0), (14, BEHIND_BLX), (3, 0)], 0x10, &FRAMES), [BEHIND_BLX, IN_START]);
}

/// No calls.
const NONE: [u32; 0] = [];

/// None rather than words that only look like code.
#[test]
fn what_is_not_sure_is_left_out() {
    // The link register is anything by now: `bare` has made calls, and no frame.
    assert_eq!(check(&[(15, 0x8038), (14, IN_BARE)], 0x10, &FRAMES), NONE);
    // A jump to nowhere that was no call; and one that another register made.
    assert_eq!(check(&[(15, 0), (14, IN_MIDDLE)], 0x10, &FRAMES), NONE);
    assert_eq!(check(&[(15, 0), (14, BEHIND_BLX), (3, 0x9000)], 0x10, &FRAMES), NONE);
    // 16-bit code, and an address that no function has.
    assert_eq!(check(&[(15, 0x8018)], 0x30, &FRAMES), NONE);
    assert_eq!(check(&[(15, 0x9000), (14, IN_MIDDLE)], 0x10, &FRAMES), NONE);
    // A frame pointer below the stack pointer, unaligned, at the end, or to what is unknown.
    for frame in [0xff_ee00, 0xff_f001, APP_STACK_TOP - 4, u32::MAX - 3, 0xff_f800] {
        assert_eq!(check(&[(15, 0x8018), (11, frame)], 0x10, &FRAMES), NONE, "{frame:x}");
    }
    // Frames that lead back, and a return address that is none.
    assert_eq!(check(&[(15, 0x8018)], 0x10, &[(0xff_f000, 0xff_f000, IN_START)]), [IN_START]);
    for back in [0x8010, 0x8018, 0x800e, 0, u32::MAX, BASE] {
        assert_eq!(check(&[(15, 0x8018)], 0x10, &[(0xff_f000, 0xff_f100, back)]), NONE, "{back:x}");
    }
    // Behind a call in a function without frames the chain ends.
    assert_eq!(check(&[(15, 0x8018)], 0x10, &[(0xff_f000, 0xff_f100, IN_BARE), FRAMES[1]]), [IN_BARE]);
}

#[test]
fn what_a_console_tells_is_looked_at() {
    let bytes: Vec<u8> = CODE.iter().flat_map(|word| word.to_le_bytes()).collect();
    let program = Program {
        symbols: Symbols::of(&FUNCTIONS),
        lines: None,
        frames: None,
        code: vec![(BASE, bytes.as_slice())],
    };
    assert_eq!(program.sound(&[IN_MIDDLE, IN_START, 0x8010, IN_START]), [IN_MIDDLE, IN_START]);
    assert_eq!(program.sound(&[0x1234]), [0; 0]);
    assert_eq!(program.trace(None, &[IN_MIDDLE]), "  from  0x0000801c (middle + 0x8)\n");
    assert_eq!(Program::default().sound(&[IN_START]), [0; 0], "of an ELF file that nobody has");
}
