//! Which instruction of a block made an access.
//!
//! The engine reports an access with all registers as they are at that moment but the program counter, which stays at the
//! start of the block. The instruction is the first of the block that would access that address with those registers.

use trusty_image::bytes::u32_at;

const PC: usize = 15;

/// The address of the instruction in `block`, which starts at `start`, that accesses `address`; or the block's start.
pub fn instruction(block: &[u8], start: u32, registers: &[u32; 16], address: u32) -> u32 {
    let places = (0..block.len())
        .step_by(4)
        .filter_map(|offset| Some((start + offset as u32, u32_at(block, offset)?)));
    let accesses = |(place, code): &(u32, u32)| {
        let mut registers = *registers;
        registers[PC] = place.wrapping_add(8);
        accessed(*code, &registers).is_some_and(|(first, size)| address.wrapping_sub(first) < size)
    };
    places.into_iter().find(accesses).map_or(start, |(place, _)| place)
}

/// The memory that a load or store accesses: first address and bytes (A32 encodings, ARM DDI 0406C, chapter A5).
fn accessed(code: u32, registers: &[u32; 16]) -> Option<(u32, u32)> {
    let bit = |at: u32| code >> at & 1 == 1;
    let field = |at: u32| registers[(code >> at & 15) as usize];
    let base = field(16);
    let offset = |amount: u32| {
        let moved = if bit(23) { base.wrapping_add(amount) } else { base.wrapping_sub(amount) };
        if bit(24) { moved } else { base }
    };
    match code >> 25 & 7 {
        // Halfwords, doublewords, signed bytes; exclusive access.
        0 if bit(7) && bit(4) => match code >> 5 & 3 {
            0 if bit(24) && code >> 4 & 15 == 9 => Some((base, 8)),
            0 => None,
            _ if bit(22) => Some((offset(code >> 4 & 0xf0 | code & 15), 8)),
            _ => Some((offset(field(0)), 8)),
        },
        2 => Some((offset(code & 0xfff), 4)),
        3 if !bit(4) => Some((offset(shifted(code, field(0))), 4)),
        // Several registers.
        4 => {
            let size = (code & 0xffff).count_ones() * 4;
            let first = match (bit(24), bit(23)) {
                (false, true) => base,
                (true, true) => base.wrapping_add(4),
                (false, false) => base.wrapping_sub(size).wrapping_add(4),
                (true, false) => base.wrapping_sub(size),
            };
            Some((first, size))
        }
        // Floating point.
        6 => {
            let size = (code & 0xff) * 4;
            match (bit(24), bit(23), bit(21)) {
                (true, _, false) => Some((offset(size), 8)),
                (true, false, true) => Some((base.wrapping_sub(size), size)),
                (false, true, _) => Some((base, size)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A register shifted by a constant. What needs the carry (RRX) does not address memory in practice.
fn shifted(code: u32, value: u32) -> u32 {
    let amount = code >> 7 & 31;
    match (code >> 5 & 3, amount) {
        (0, _) => value << amount,
        (1, 0) => 0,
        (1, _) => value >> amount,
        (2, 0) => (value.cast_signed() >> 31).cast_unsigned(),
        (2, _) => (value.cast_signed() >> amount).cast_unsigned(),
        _ => value.rotate_right(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_of_each_encoding_is_known() {
        let mut registers = [0; 16];
        registers[1] = 0x1000;
        registers[2] = 3;
        for (code, expected) in [
            (0xe581_0000, Some((0x1000, 4))),  // str r0, [r1]
            (0xe591_0010, Some((0x1010, 4))),  // ldr r0, [r1, #16]
            (0xe511_0010, Some((0xff0, 4))),   // ldr r0, [r1, #-16]
            (0xe481_0010, Some((0x1000, 4))),  // str r0, [r1], #16
            (0xe791_0102, Some((0x100c, 4))),  // ldr r0, [r1, r2, lsl #2]
            (0xe5c1_0001, Some((0x1001, 4))),  // strb r0, [r1, #1]
            (0xe1c1_00b2, Some((0x1002, 8))),  // strh r0, [r1, #2]
            (0xe1c1_40d8, Some((0x1008, 8))),  // ldrd r4, [r1, #8]
            (0xe191_0f9f, Some((0x1000, 8))),  // ldrex r0, [r1]
            (0xe8a1_01f8, Some((0x1000, 24))), // stm r1!, {r3-r8}
            (0xe921_000c, Some((0xff8, 8))),   // stmdb r1!, {r2, r3}
            (0xed91_0b02, Some((0x1008, 8))),  // vldr d0, [r1, #8]
            (0xe081_0002, None),               // add r0, r1, r2
            (0xeaff_fffe, None),               // b .
            (0xe001_0291, None),               // mul r1, r1, r2
        ] {
            assert_eq!(accessed(code, &registers), expected, "{code:08x}");
        }
    }

    #[test]
    fn the_first_that_fits_is_taken() {
        let block: Vec<u8> =
            [0xe081_0002u32, 0xe591_0010, 0xe581_0000].iter().flat_map(|c| c.to_le_bytes()).collect();
        let mut registers = [0; 16];
        registers[1] = 0x1000;
        assert_eq!(instruction(&block, 0x8000, &registers, 0x1010), 0x8004);
        assert_eq!(instruction(&block, 0x8000, &registers, 0x1000), 0x8008);
        assert_eq!(instruction(&block, 0x8000, &registers, 0x5000), 0x8000);
    }
}
