//! What the core does, and what a system call leaves as it was.

use crate::say;
use crate::sys;
use crate::transcript::Transcript;

pub fn check(t: &mut Transcript) {
    unaligned(t);
    arithmetic(t);
    kept(t);
}

/// Single words and halves may lie anywhere.
fn unaligned(t: &mut Transcript) {
    let mut bytes = [0u8; 16];
    for (value, byte) in (1..).zip(&mut bytes) {
        *byte = value;
    }
    for offset in [1usize, 2, 3] {
        let at = bytes.as_mut_ptr().wrapping_add(offset);
        let (word, half) = words(at);
        say!(t, "word and half at {offset}: 0x{word:x} 0x{half:x}");
    }
    say!(t, "written there: {:?}", bytes);
}

/// Reads a word and a half, and writes a word.
fn words(at: *mut u8) -> (u32, u32) {
    #[cfg(target_os = "none")]
    {
        let (word, half): (u32, u32);
        // SAFETY: within the caller's bytes.
        unsafe {
            core::arch::asm!("ldr {word}, [{at}]", "ldrh {half}, [{at}]", "str {half}, [{at}, #4]", at = in(reg) at,
                 word = out(reg) word, half = out(reg) half);
        }
        (word, half)
    }
    #[cfg(not(target_os = "none"))]
    {
        let _ = at;
        (0, 0)
    }
}

fn arithmetic(t: &mut Transcript) {
    #[cfg(target_os = "none")]
    {
        let (quotient, remainder): (u32, u32);
        // SAFETY: registers only. The target's own code does not use the instruction; the core has it.
        unsafe {
            core::arch::asm!(".arch_extension idiv", "udiv {q}, {a}, {b}", "udiv {r}, {a}, {zero}", q = out(reg) quotient,
                 r = out(reg) remainder, a = in(reg) 1000u32, b = in(reg) 7u32, zero = in(reg) 0u32);
        }
        say!(t, "1000 / 7 = {quotient}, 1000 / 0 = {remainder}");
        let sum: u32;
        // SAFETY: registers only.
        unsafe {
            core::arch::asm!(".fpu neon", "vmov s0, {a}", "vmov s1, {a}", "vadd.f32 s2, s0, s1", "vmov {sum}, s2",
                 a = in(reg) 1.5f32.to_bits(), sum = out(reg) sum, out("r3") _);
        }
        say!(t, "1.5 + 1.5 = {}", f32::from_bits(sum));
    }
    #[cfg(not(target_os = "none"))]
    let _ = t;
}

/// Registers, also of floating point, while other trusted apps run.
fn kept(t: &mut Transcript) {
    #[cfg(target_os = "none")]
    {
        let mut got = [0u32; 6];
        // SAFETY: nanosleep of 5 ms touches no memory; all registers that are used are declared.
        unsafe {
            core::arch::asm!(
                ".fpu neon",
                "mov r4, #44", "mov r5, #55", "mov r8, #88", "vmov d8, r4, r5", "vmov d16, r5, r8",
                "mov r0, #0", "mov r1, #0", "movw r2, #19264", "movt r2, #76", "mov r3, #0", "mov r12, #6", "svc #0",
                "mov {a}, r4", "mov {b}, r5", "mov {c}, r8",
                "vmov r2, s16", "vmov r3, r1, d16",
                a = out(reg) got[0], b = out(reg) got[1], c = out(reg) got[2], out("r0") _, out("r1") got[5],
                out("r2") got[3], out("r3") got[4], out("r4") _, out("r5") _, out("r8") _, out("r12") _, out("lr") _,
            );
        }
        say!(t, "over a system call: {got:?}");
    }
    #[cfg(not(target_os = "none"))]
    let _ = t;
    say!(t, "a system call more: {}", sys::close(127));
}
