//! Back to the non-secure side, until it calls again.

use core::arch::asm;
use desk_firmware::smc;

/// Returns a result; comes back with the next call's x0 to x3.
pub fn return_to_non_secure(result: i32) -> [u64; 4] {
    let (mut x0, mut x1) = (u64::from(smc::NS_RETURN), i64::from(result).cast_unsigned());
    let (x2, x3): (u64, u64);
    // SAFETY: the monitor comes back here with the next call's x0 to x7 and all other registers as they are.
    unsafe {
        asm!(
            "smc #0",
            inout("x0") x0, inout("x1") x1, out("x2") x2, out("x3") x3,
            out("x4") _, out("x5") _, out("x6") _, out("x7") _,
            options(nostack)
        );
    }
    [x0, x1, x2, x3]
}
