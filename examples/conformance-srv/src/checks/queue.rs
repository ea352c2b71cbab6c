//! Messages: parts, offsets, numbers.

use super::Pair;
use crate::say;
use crate::sys;
use crate::transcript::Transcript;

pub fn check(t: &mut Transcript) {
    parts(t);
    offsets(t);
    numbers(t);
    leftovers(t);
}

/// Takes the next message, and retires it.
fn take(handle: i32, buffer: &mut [u8]) -> &str {
    let got = sys::get_msg(handle);
    let read = sys::read_msg(handle, got.1.id, 0, &mut [&mut *buffer]);
    sys::put_msg(handle, got.1.id);
    let text = usize::try_from(read).ok().and_then(|read| buffer.get(..read));
    text.and_then(|text| core::str::from_utf8(text).ok()).unwrap_or("(none)")
}

fn parts(t: &mut Transcript) {
    let Pair { client, server } = Pair::new(2, 8);
    let mut buffer = [0; 16];
    for (what, parts) in [
        ("no part", &[][..]),
        ("an empty part", &[b"".as_slice()][..]),
        ("one part", &[b"whole"]),
        ("three parts, one empty", &[b"ab", b"", b"cde"]),
        ("eight parts", &[b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"]),
        ("as long as the buffer", &[b"12345678"]),
        ("a byte more", &[b"123456789"]),
        ("cut in its second part", &[b"12345", b"67890", b"never"]),
        ("cut between parts", &[b"1234", b"5678", b"9"]),
    ] {
        let sent = sys::send_msg(client, parts);
        say!(t, "send_msg of {what}: {sent}, `{}` arrives", take(server, &mut buffer));
    }
    sys::send_msg(client, &[b"abcdefg"]);
    let got = sys::get_msg(server);
    let (mut one, mut two, mut three) = ([b'-'; 3], [b'-'; 2], [b'-'; 4]);
    let read = sys::read_msg(server, got.1.id, 0, &mut [&mut one, &mut [], &mut two, &mut three]);
    let text = |part| core::str::from_utf8(part).unwrap_or_default();
    say!(t, "read_msg into four parts: {read}, `{}` `{}` `{}`", text(&one), text(&two), text(&three));
    say!(t, "into none: {}", sys::read_msg(server, got.1.id, 0, &mut []));
    say!(t, "into an empty one: {}", sys::read_msg(server, got.1.id, 0, &mut [&mut []]));
    let mut small = [b'-'; 2];
    let read = sys::read_msg(server, got.1.id, 0, &mut [&mut small]);
    say!(t, "into one of 2 bytes: {read}, `{}`", text(&small));
    say!(t, "with a handle: {}", sys::read_raw(server, got.1.id, 0, &[], 1));
    say!(t, "with a handle, of a message that is not there: {}", sys::read_raw(server, 7, 0, &[], 1));
    say!(t, "send_msg with a handle: {}", sys::send_raw(client, &[], 1));
    say!(t, "nothing arrives: {}", sys::get_msg(server));
    Pair { client, server }.close();
}

fn offsets(t: &mut Transcript) {
    let Pair { client, server } = Pair::new(2, 16);
    sys::send_msg(client, &[b"offset"]);
    let got = sys::get_msg(server);
    for offset in [0, 1, 5, 6, 7, 16, 17, u32::MAX] {
        let mut buffer = [b'-'; 8];
        let read = sys::read_msg(server, got.1.id, offset, &mut [&mut buffer]);
        say!(t, "read_msg at {offset}: {read} `{}`", core::str::from_utf8(&buffer).unwrap_or_default());
    }
    sys::put_msg(server, got.1.id);
    say!(t, "retired: {}", sys::read_msg(server, got.1.id, 0, &mut []));
    Pair { client, server }.close();
}

fn numbers(t: &mut Transcript) {
    let Pair { client, server } = Pair::new(4, 16);
    say!(t, "get_msg, none there: {}", sys::get_msg(server));
    for text in [b"a", b"b", b"c"] {
        sys::send_msg(client, &[text]);
    }
    say!(t, "put_msg before get_msg: {}", sys::put_msg(server, 0));
    say!(t, "read_msg before get_msg: {}", sys::read_msg(server, 0, 0, &mut []));
    let (a, b) = (sys::get_msg(server), sys::get_msg(server));
    say!(t, "two are got: {a}; {b}");
    for id in [2, 3, 4, 5, 0x100, u32::MAX] {
        let read = sys::read_msg(server, id, 0, &mut []);
        say!(t, "id {id}: read_msg {read}, put_msg {}", sys::put_msg(server, id));
    }
    say!(t, "the sender has none of them: {}", sys::put_msg(client, a.1.id));
    let mut buffer = [0; 4];
    sys::read_msg(server, b.1.id, 0, &mut [&mut buffer]);
    say!(t, "the second is read first: `{}`", core::str::from_utf8(&buffer[..1]).unwrap_or_default());
    say!(
        t,
        "put_msg of the first: {}, again: {}",
        sys::put_msg(server, a.1.id),
        sys::put_msg(server, a.1.id)
    );
    for text in [b"d", b"e"] {
        say!(t, "send_msg: {}", sys::send_msg(client, &[text]));
    }
    say!(t, "send_msg: {}", sys::send_msg(client, &[b"f"]));
    say!(t, "put_msg of the second: {}", sys::put_msg(server, b.1.id));
    let (c, d, e) = (sys::get_msg(server), sys::get_msg(server), sys::get_msg(server));
    say!(t, "the others: {c}; {d}; {e}; {}", sys::get_msg(server));
    for id in [e.1.id, c.1.id, d.1.id] {
        sys::put_msg(server, id);
    }
    for text in [b"g", b"h", b"i"] {
        sys::send_msg(client, &[text]);
    }
    say!(t, "the last retired are used first: {}; {}; {}", got(server), got(server), got(server));
    Pair { client, server }.close();
}

fn got(handle: i32) -> sys::Got {
    sys::get_msg(handle)
}

/// What is left when a peer has closed.
fn leftovers(t: &mut Transcript) {
    let Pair { client, server } = Pair::new(4, 16);
    sys::send_msg(client, &[b"one"]);
    sys::send_msg(client, &[b"two"]);
    let mut buffer = [0; 16];
    let got = sys::get_msg(server);
    say!(t, "the sender closes: {}", sys::close(client));
    let read = sys::read_msg(server, got.1.id, 0, &mut [&mut buffer]);
    say!(t, "read_msg of what was got: {read}, put_msg {}", sys::put_msg(server, got.1.id));
    say!(t, "the rest: `{}`, then {}", take(server, &mut buffer), sys::get_msg(server));
    say!(t, "send_msg: {}, of nothing: {}", sys::send_msg(server, &[b"x"]), sys::send_msg(server, &[]));
    sys::close(server);
}
