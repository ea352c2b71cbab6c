//! What a trusted app compares while it runs: so that a fuzzer learns what it waits for.

use std::collections::BTreeMap;

/// Most comparisons of one place that are kept at once: a loop has more.
const MOST: usize = 16;

/// Two numbers that were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compared {
    /// Where.
    pub pc: u32,
    /// One.
    pub left: u32,
    /// The other.
    pub right: u32,
    /// Whether the other stands in the code.
    pub in_code: bool,
}

/// The second number of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// It stands in the instruction.
    Number(u32),
    /// It is in a register.
    Register(usize),
}

/// The register and the operand that an ARM instruction compares, if it does. `eor` and `sub` are how compilers compare several at once, and
/// choose.
pub fn decode(word: u32) -> Option<(usize, Operand)> {
    const EOR: u32 = 1;
    const SUB: u32 = 2;
    const TEQ: u32 = 9;
    const CMP: u32 = 10;
    const CMN: u32 = 11;
    let opcode = word >> 21 & 0xf;
    let known = matches!(opcode, EOR | SUB | TEQ | CMP | CMN) && (opcode < TEQ || word & 1 << 20 != 0);
    let first = (word >> 16 & 0xf) as usize;
    let number = (word & 0xff).rotate_right((word >> 8 & 0xf) * 2);
    let operand = match word & 0x0e00_0000 {
        // cmn compares with the negative of what stands there.
        0x0200_0000 if opcode == CMN => Operand::Number(number.wrapping_neg()),
        0x0200_0000 => Operand::Number(number),
        _ if opcode == CMN => return None,
        0 if word & 0xff0 == 0 => Operand::Register((word & 0xf) as usize),
        _ => return None,
    };
    // 0xf is no condition: these are other instructions.
    (known && word >> 28 != 0xf && first < 13).then_some((first, operand))
}

/// Whether an ARM instruction is executed with this status register: N, Z, C and V are its highest bits.
pub fn is_executed(word: u32, cpsr: u32) -> bool {
    let [n, z, c, v] = [31, 30, 29, 28].map(|bit| cpsr >> bit & 1 != 0);
    let holds = match word >> 29 {
        0 => z,
        1 => c,
        2 => n,
        3 => v,
        4 => c && !z,
        5 => n == v,
        6 => n == v && !z,
        _ => return true,
    };
    holds != (word >> 28 & 1 != 0)
}

/// Comparisons of one case.
#[derive(Default)]
pub struct Comparisons {
    kept: Vec<Compared>,
    /// How many of each place.
    places: BTreeMap<u32, usize>,
}

impl Comparisons {
    /// One was made. Equal numbers tell nothing.
    pub fn keep(&mut self, compared: Compared) {
        if compared.left == compared.right {
            return;
        }
        let place = self.places.entry(compared.pc).or_default();
        if *place < MOST {
            *place += 1;
            self.kept.push(compared);
        }
    }

    /// All, in order.
    pub fn take(&mut self) -> Vec<Compared> {
        self.places.clear();
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_known() {
        for (word, expected) in [
            (0xe350_0c12, Some((0, Operand::Number(0x1200)))), // cmp r0, #0x1200
            (0x1153_0004, Some((3, Operand::Register(4)))),    // cmpne r3, r4
            (0xe331_0021, Some((1, Operand::Number(33)))),     // teq r1, #33
            (0xe371_0061, Some((1, Operand::Number(97u32.wrapping_neg())))), // cmn r1, #97
            (0xe171_0002, None),                               // cmn r1, r2
            (0xe022_3001, Some((2, Operand::Register(1)))),    // eor r3, r2, r1
            (0xe245_0061, Some((5, Operand::Number(97)))),     // sub r0, r5, #97
            (0xe04d_0001, None),                               // sub r0, sp, r1
            (0xe153_0104, None),                               // cmp r3, r4, lsl #2
            (0xe080_0001, None),                               // add r0, r0, r1
            (0xe305_1678, None),                               // movw r1, #0x5678
        ] {
            assert_eq!(decode(word), expected, "{word:x}");
        }
    }

    #[test]
    fn conditions_hold_as_the_processor_has_them() {
        const Z: u32 = 1 << 30;
        const C: u32 = 1 << 29;
        const N: u32 = 1 << 31;
        for (condition, cpsr, holds) in [
            (0x0, Z, true), // eq
            (0x0, C, false),
            (0x1, Z, false), // ne
            (0x2, C, true),  // cs
            (0x8, C, true),  // hi
            (0x8, C | Z, false),
            (0x9, C | Z, true), // ls
            (0xb, N, true),     // lt
            (0xc, 0, true),     // gt
            (0xd, Z, true),     // le
            (0xe, 0, true),     // always
        ] {
            assert_eq!(is_executed(condition << 28, cpsr), holds, "{condition:x} {cpsr:x}");
        }
    }

    #[test]
    fn so_many_of_a_place_are_kept_in_order() {
        let mut all = Comparisons::default();
        let compared = |left| Compared { pc: 4, left, right: 7, in_code: true };
        [9, 8, 7].into_iter().chain(10..99).for_each(|left| all.keep(compared(left)));
        let kept = all.take();
        assert_eq!((kept.len(), &kept[..3]), (MOST, &[compared(9), compared(8), compared(10)][..]));
        assert!(all.take().is_empty());
    }
}
