//! Numbers that a trusted app compares with, read out of its code: so that a fuzzer need not guess them.

use crate::comparisons::{Operand, decode};
use std::collections::BTreeSet;

/// Most of them.
const MOST: usize = 4096;

/// Numbers that ARM code compares with, or puts together by `movw` and `movt`.
pub fn in_code(code: &[u32]) -> Vec<u32> {
    let mut found = BTreeSet::new();
    let mut low = [None; 16];
    for word in code {
        if let Some((_, Operand::Number(number))) = decode(*word) {
            found.insert(number);
        }
        let register = (word >> 12 & 0xf) as usize;
        let half = word >> 4 & 0xf000 | word & 0xfff;
        match word & 0x0ff0_0000 {
            0x0300_0000 => {
                found.insert(half);
                low[register] = Some(half);
            }
            0x0340_0000 => found.extend(low[register].take().map(|low| half << 16 | low)),
            _ => {}
        }
    }
    // What is small is tried anyway.
    found.into_iter().filter(|number| *number > 16).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_with_is_found() {
        let code = [
            0xe350_0c12, // cmp r0, #0x1200
            0x1373_0021, // cmnne r3, #33
            0xe305_1678, // movw r1, #0x5678
            0xe341_1234, // movt r1, #0x1234
            0xe245_0061, // sub r0, r5, #97
            0xe350_0003, // cmp r0, #3: too small to be worth a place
            0xe3a0_0f80, // mov r0, #512: no comparison
        ];
        assert_eq!(in_code(&code), [97, 0x1200, 0x5678, 0x1234_5678, 33u32.wrapping_neg()]);
    }
}
