//! Who called: return addresses, out of the frames that `-C force-frame-pointers=yes` makes (r11, and behind it the link register).

use core::arch::asm;
use core::ptr::with_exposed_provenance;
use trusty_abi::last_words::CHAIN;

/// Where a TA's text starts.
const TEXT: usize = 0x8000;
/// Where its stack ends.
const STACK_TOP: usize = 16 << 20;

unsafe extern "C" {
    /// End of the text, by the linker script of trusty-ta-build.
    static __ta_text_end: u8;
}

/// Return addresses, the innermost first.
#[derive(Clone, Copy)]
pub struct Chain {
    addresses: [u32; CHAIN],
    count: usize,
}

impl Chain {
    /// No addresses.
    pub const NONE: Self = Self { addresses: [0; CHAIN], count: 0 };

    /// The addresses.
    pub fn addresses(&self) -> &[u32] {
        self.addresses.get(..self.count).unwrap_or_default()
    }
}

/// The callers of whoever calls this, itself first. What is no return address, or does not lie where a frame lies, ends them.
#[inline(never)]
pub fn chain() -> Chain {
    let (mut frame, mut least): (usize, usize);
    // SAFETY: reads two registers.
    unsafe { asm!("mov {}, r11", "mov {}, sp", out(reg) frame, out(reg) least, options(nomem, nostack)) };
    let (mut addresses, mut count) = ([0; CHAIN], 0);
    for place in &mut addresses {
        if frame < least || frame > STACK_TOP - 8 || !frame.is_multiple_of(4) {
            break;
        }
        let (next, back) = (word(frame), word(frame + 4));
        if !is_behind_a_call(back) {
            break;
        }
        *place = back as u32;
        count += 1;
        (frame, least) = (next, frame + 8);
    }
    Chain { addresses, count }
}

/// Whether an address of the text stands behind `bl` or `blx`.
fn is_behind_a_call(address: usize) -> bool {
    let end = (&raw const __ta_text_end).addr();
    if !(TEXT + 4..=end).contains(&address) || !address.is_multiple_of(4) {
        return false;
    }
    trusty_abi::last_words::is_call(word(address - 4) as u32)
}

/// A word of the text, or of the stack above the stack pointer.
fn word(address: usize) -> usize {
    // SAFETY: the callers have looked: it is mapped and aligned. Nothing else writes there meanwhile.
    unsafe { core::ptr::read_volatile(with_exposed_provenance(address)) }
}
