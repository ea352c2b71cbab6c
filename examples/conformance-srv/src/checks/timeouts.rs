//! Waits that end, and the clock. Times are not told, only what holds for them.

use super::{PORT, Pair, listen};
use crate::say;
use crate::sys::{self, now};
use crate::transcript::Transcript;
use trusty_abi::nr;

const MILLISECOND: u64 = 1_000_000;
/// No wait of this check takes so long, however busy the host is.
const LONG: u64 = 10_000 * MILLISECOND;

/// Whether a wait took its time, and not for ever. The kernel counts in whole milliseconds: one may be a part only.
fn took(start: u64, least: u64) -> bool {
    let time = now().wrapping_sub(start);
    least <= time + MILLISECOND && time < LONG
}

pub fn check(t: &mut Transcript) {
    let port = listen(1, 16);
    for milliseconds in [0, 5, 20, 50] {
        let start = now();
        let waited = sys::wait(port, milliseconds);
        let least = u64::from(milliseconds) * MILLISECOND;
        say!(t, "wait {milliseconds} ms: {waited}, took as long: {}", took(start, least));
        let start = now();
        let waited = sys::wait_any(milliseconds);
        say!(t, "wait_any {milliseconds} ms: {waited}, took as long: {}", took(start, least));
    }
    sys::close(port);
    let pair = Pair::new(1, 16);
    sys::send_msg(pair.client, &[b"x"]);
    for milliseconds in [0, 60_000, u32::MAX] {
        let start = now();
        let waited = sys::wait(pair.server, milliseconds);
        say!(t, "an event is there, wait {milliseconds} ms: {waited}, at once: {}", took(start, 0));
        let waited = sys::wait_any(milliseconds);
        say!(t, "wait_any: {waited}, at once: {}", took(start, 0));
    }
    pair.close();
    say!(t, "wait on no handle, 60000 ms: {}", sys::wait(pair.server, 60_000));
    for nanoseconds in [0, 1, MILLISECOND, 5 * MILLISECOND + 1, 20 * MILLISECOND] {
        let start = now();
        let slept = sys::nanosleep(nanoseconds);
        say!(t, "nanosleep {nanoseconds}: {slept}, took as long: {}", took(start, nanoseconds));
    }
    clock(t);
    say!(t, "connect to a missing port: {}", sys::connect(PORT, 0));
}

/// Serves nobody for a second.
pub fn nap(t: &mut Transcript) {
    say!(t, "nanosleep: {}", sys::nanosleep(1000 * MILLISECOND));
}

/// Runs for two seconds, without a pause.
pub fn spin(t: &mut Transcript) {
    let start = now();
    while now().wrapping_sub(start) < 2000 * MILLISECOND {}
    say!(t, "two seconds have passed");
}

fn clock(t: &mut Transcript) {
    let mut before = now();
    let (mut back, mut parts) = (0, 0);
    for _ in 0..1000 {
        let time = now();
        back += u32::from(time < before);
        parts += u32::from(!time.is_multiple_of(1000));
        before = time;
    }
    say!(t, "1000 looks at the clock: {back} went back, {parts} were not whole microseconds");
    let mut time = 0u64;
    let got = sys::call(nr::GETTIME, 77, 99, sys::address(&raw mut time), 0);
    say!(t, "gettime of another clock, with flags: {got}, later: {}", core::hint::black_box(time) >= before);
}
