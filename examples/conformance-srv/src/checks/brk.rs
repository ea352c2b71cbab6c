//! The heap: as large as the manifest says.

use crate::say;
use crate::sys;
use crate::transcript::Transcript;
use trusty_abi::nr;

/// `min_heap` of Cargo.toml.
const HEAP: u32 = 16384;

fn brk(to: u32) -> u32 {
    sys::call(nr::BRK, to, 0, 0, 0).cast_unsigned()
}

/// Writes a byte and reads it back.
fn holds(address: u32) -> bool {
    let at = core::ptr::with_exposed_provenance_mut::<u8>(address as usize);
    if cfg!(not(target_os = "none")) {
        return false;
    }
    // SAFETY: the kernel maps the whole heap at the start, whatever the break is; nothing else of this TA uses it.
    unsafe {
        at.write_volatile(0x5a);
        at.read_volatile() == 0x5a
    }
}

/// A byte as it is.
fn byte(address: u32) -> u8 {
    let at = core::ptr::with_exposed_provenance::<u8>(address as usize);
    if cfg!(not(target_os = "none")) {
        return 0;
    }
    // SAFETY: as in `holds`.
    unsafe { at.read_volatile() }
}

pub fn check(t: &mut Transcript) {
    let start = brk(0);
    say!(t, "it starts on a page: {}", start.is_multiple_of(4096));
    let mut set = |what: &str, to: u32| {
        let got = brk(to).wrapping_sub(start).cast_signed();
        say!(t, "brk {what}: start + {got}, and then {}", brk(0).wrapping_sub(start));
    };
    set("0", 0);
    set("start - 1", start - 1);
    set("start", start);
    set("start + 1", start + 1);
    set("start + 4096", start + 4096);
    set("the whole heap", start + HEAP);
    set("a byte more", start + HEAP + 1);
    set("a page more", start + HEAP + 4096);
    set("0xffffffff", u32::MAX);
    set("a byte less than the whole", start + HEAP - 1);
    set("the whole heap", start + HEAP);
    say!(t, "the heap is zero: {}", (0..HEAP).step_by(512).all(|offset| byte(start + offset) == 0));
    say!(t, "first and last byte hold: {} {}", holds(start), holds(start + HEAP - 1));
    say!(t, "brk start: {}", brk(start) == start);
    say!(t, "what was written stays: 0x{:x} 0x{:x}", byte(start), byte(start + HEAP - 1));
    say!(t, "memory beyond the break holds: {}", holds(start + HEAP / 2));
    say!(t, "brk the whole heap: {}", brk(start + HEAP) == start + HEAP);
    say!(t, "and what was written is still there: 0x{:x}", byte(start + HEAP / 2));
    for offset in [0, HEAP / 2, HEAP - 1] {
        let at = core::ptr::with_exposed_provenance_mut::<u8>((start + offset) as usize);
        if cfg!(target_os = "none") {
            // SAFETY: as in `holds`: for the next run of this check.
            unsafe { at.write_volatile(0) };
        }
    }
    say!(t, "brk start: {}", brk(start) == start);
}
