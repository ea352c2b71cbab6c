//! Ways in which a trusted app ends: what a client asks for at the second port.

use alloc::vec::Vec;

/// Bytes of the record that is cloned: one fits into the default heap, and two do not.
const RECORD: usize = 10_000;
/// Bytes that are asked for where failure is no end.
const TOO_MUCH: usize = 1 << 20;

/// `vec BYTES`, `clone`, `panic`, `null`, `put` with a length of two bytes and a text, or `handled` and then a panic. Anything else is nothing.
pub fn as_asked(what: &[u8]) {
    match what {
        b"clone" => clone(),
        b"panic" => check(what.len()),
        b"null" => null(),
        b"handled" => handled(),
        [b'p', b'u', b't', low, high, text @ ..] => put(u16::from_le_bytes([*low, *high]), text),
        _ => {
            let digits = what.strip_prefix(b"vec ").and_then(|digits| core::str::from_utf8(digits).ok());
            if let Some(bytes) = digits.and_then(|digits| digits.parse().ok()) {
                room(bytes);
            }
        }
    }
}

/// An ordinary allocation, which nobody checks.
#[inline(never)]
fn room(bytes: usize) {
    let room: Vec<u8> = Vec::with_capacity(bytes);
    core::hint::black_box(&room);
}

/// What serde does with a value that it keeps.
#[derive(Clone)]
struct Record {
    bytes: Vec<u8>,
}

#[inline(never)]
fn clone() {
    let record = Record { bytes: alloc::vec![7; RECORD] };
    let copy = record.clone();
    core::hint::black_box((&record.bytes, &copy.bytes));
}

#[inline(never)]
fn check(length: usize) {
    assert!(length == 0, "a message of {length} bytes was not expected");
}

#[inline(never)]
fn null() {
    let nothing = core::hint::black_box(core::ptr::null_mut::<u32>());
    // SAFETY: none: this is a mistake that is shown.
    unsafe { nothing.write_volatile(1) };
}

/// Keeps a text of so many bytes. The client says how many, and nobody looks whether that is true.
#[inline(never)]
fn put(length: u16, text: &[u8]) {
    let mut kept = [0; 64];
    // SAFETY: none: this is a mistake that is shown.
    unsafe { core::ptr::copy_nonoverlapping(text.as_ptr(), kept.as_mut_ptr(), length.into()) };
    core::hint::black_box(&kept);
}

/// An allocation that failed and was handled is not to blame for what comes later.
#[inline(never)]
fn handled() {
    let mut room: Vec<u8> = Vec::new();
    let refused = room.try_reserve_exact(TOO_MUCH).is_err();
    check(usize::from(refused));
}
