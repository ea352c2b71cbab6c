//! The secure timer where S-EL1 may not touch it: see [`desk_firmware::timer`].

use crate::context::Context;
use crate::{mrs, msr};
use core::arch::global_asm;
use desk_firmware::map;
use desk_firmware::timer::{Access, Register};

/// Immediates of the probe's `smc`: it could read the timer, and it could not.
pub const PROBE_CAN: u32 = 0x5380;
/// See [`PROBE_CAN`].
pub const PROBE_CANNOT: u32 = 0x5381;

// Runs at S-EL1, copied to the start of the carve-out: its exceptions go to itself, at offset 0x200.
global_asm!(
    r#"
    .section .text.probe, "ax"
    .balign 2048
    .globl timer_probe
timer_probe:
    mrs x0, cntps_ctl_el1
    smc #0x5380
    .balign 512
    smc #0x5381
    .globl timer_probe_end
timer_probe_end:
"#
);

unsafe extern "C" {
    static timer_probe: u8;
    static timer_probe_end: u8;
}

/// Puts the probe where Trusty will be, and its context up.
pub fn prepare_probe(trusty: &mut Context, scr: u64) {
    // SAFETY: the symbols bound the code above, and the carve-out is larger and nothing yet.
    unsafe {
        let (from, end) = (&raw const timer_probe, &raw const timer_probe_end);
        let length = end.offset_from_unsigned(from);
        core::ptr::copy_nonoverlapping(from, map::TZDRAM as *mut u8, length);
    }
    trusty.reset(scr, map::TZDRAM, 0);
    trusty.set_vectors(map::TZDRAM);
}

/// Replaces the timer's instructions in a kernel of `size` bytes. Returns how many there were.
pub fn replace(size: u64) -> u32 {
    let mut replaced = 0;
    for address in (map::TZDRAM..map::TZDRAM + size / 4 * 4).step_by(4) {
        let word = address as *mut u32;
        // SAFETY: within the kernel, which has been copied there and does not run yet.
        let instruction = unsafe { word.read_volatile() };
        if let Some(access) = Access::decode(instruction) {
            // SAFETY: as above.
            unsafe { word.write_volatile(access.to_smc()) };
            replaced += 1;
        }
    }
    replaced
}

/// Does what a replaced instruction asked for.
pub fn access(Access { read, register, rt }: Access, x: &mut [u64; 31]) {
    let register_of = |x: &[u64; 31]| x.get(rt as usize).copied().unwrap_or_default();
    if read {
        let value = match register {
            Register::Tval => mrs!("cntps_tval_el1"),
            Register::Ctl => mrs!("cntps_ctl_el1"),
            Register::Cval => mrs!("cntps_cval_el1"),
        };
        if let Some(to) = x.get_mut(rt as usize) {
            *to = value;
        }
    } else {
        match register {
            Register::Tval => msr!("cntps_tval_el1", register_of(x)),
            Register::Ctl => msr!("cntps_ctl_el1", register_of(x)),
            Register::Cval => msr!("cntps_cval_el1", register_of(x)),
        }
    }
}
