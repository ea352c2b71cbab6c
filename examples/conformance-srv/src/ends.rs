//! What ends the TA, or all of Trusty.

use crate::sys::{self, call};
use core::cell::UnsafeCell;
use trusty_abi::{connect as flag, nr};

/// Ends as it is told, if it is. What ends Trusty does not return; a kernel that lets it go on returns.
pub fn end(how: &[u8]) -> bool {
    match how {
        b"exit" => drop(call(nr::EXIT_GROUP, 0, 0, 0, 0)),
        b"fault-null" => write(0, 1),
        b"fault-text" => write(0x8000, 1),
        b"fault-stack" => drop(deep(0)),
        b"fault-run-stack" => {
            let code = RETURN;
            run(code.as_ptr());
        }
        b"fault-run-data" => run(DATA.0.get().cast()),
        b"fault-run-heap" => {
            let heap = call(nr::BRK, 0, 0, 0, 0).cast_unsigned() as usize;
            write(heap, RETURN[0]);
            run(core::ptr::with_exposed_provenance(heap));
        }
        b"fault-undefined" => run(UNDEFINED.as_ptr()),
        b"fault-unaligned" => unaligned(),
        b"panic-port" => {
            let path = c"com.carveout.conformance.check";
            sys::connect(path, flag::ASYNC | flag::WAIT_FOR_PORT);
            sys::port_create(path, 1, 1, 0);
        }
        b"panic-queue" => {
            let client = sys::connect(c"com.carveout.conformance.no", flag::ASYNC | flag::WAIT_FOR_PORT);
            sys::get_msg(client);
        }
        _ => return false,
    }
    true
}

/// `bx lr`
static RETURN: [u32; 1] = [0xe12f_ff1e];
/// `udf #0`
static UNDEFINED: [u32; 1] = [0xe7f0_00f0];

/// The same, in memory that may be written.
struct Data(UnsafeCell<[u32; 1]>);

// SAFETY: it is never written, and a TA has one thread.
unsafe impl Sync for Data {}

static DATA: Data = Data(UnsafeCell::new(RETURN));

/// Jumps to data.
fn run(code: *const u32) {
    if cfg!(target_os = "none") {
        // SAFETY: none: whether the kernel stops it is what is looked at.
        unsafe { core::mem::transmute::<*const u32, extern "C" fn()>(core::hint::black_box(code))() };
    }
}

/// Loads two words from where no word may be.
fn unaligned() {
    #[cfg(target_os = "none")]
    {
        let words = [0u32; 4];
        // SAFETY: it stays within the words; that the core stops it is what is looked at.
        unsafe {
            core::arch::asm!("ldm {at}, {{r2, r3}}", at = in(reg) words.as_ptr().byte_add(2), out("r2") _, out("r3") _);
        }
    }
}

fn write(address: usize, value: u32) {
    if cfg!(target_os = "none") {
        let at = core::ptr::with_exposed_provenance_mut::<u32>(address);
        // SAFETY: none: that the kernel stops it is what is looked at.
        unsafe { at.write_volatile(value) };
    }
}

/// Deeper and deeper, until the stack is used up.
#[inline(never)]
fn deep(depth: u32) -> u32 {
    let mut frame = [depth; 64];
    core::hint::black_box(&mut frame);
    if depth > 4096 {
        return depth;
    }
    deep(depth + 1) + core::hint::black_box(frame).iter().sum::<u32>()
}
