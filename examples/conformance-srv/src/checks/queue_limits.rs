//! How many messages find room, and how they go on.

use super::Pair;
use crate::say;
use crate::sys;
use crate::transcript::Transcript;

pub fn check(t: &mut Transcript) {
    for (buffers, size) in [(1, 1), (4, 16), (10, 4080), (32, 4096)] {
        fill(t, buffers, size);
    }
    circle(t);
}

/// So many sends until one is refused.
fn sends(handle: i32, message: &[u8]) -> (u32, i32) {
    let mut count = 0;
    loop {
        let sent = sys::send_msg(handle, &[message]);
        if sent < 0 || count > 100 {
            return (count, sent);
        }
        count += 1;
    }
}

fn fill(t: &mut Transcript, buffers: u32, size: u32) {
    static LONG: [u8; 5000] = [b'x'; 5000];
    let Pair { client, server } = Pair::new(buffers, size);
    let message = LONG.get(..size as usize).unwrap_or_default();
    let (count, error) = sends(client, message);
    say!(t, "{buffers} buffers of {size}: {count} messages, then {error}");
    say!(t, "an empty one: {}", sys::send_msg(client, &[]));
    let (back, error) = sends(server, message);
    say!(t, "the other way: {back} messages, then {error}");
    let got = sys::get_msg(server);
    say!(t, "get_msg: {got}; send_msg: {}", sys::send_msg(client, &[b"x"]));
    say!(t, "put_msg: {}; event {}", sys::put_msg(server, got.1.id), sys::wait(client, 0));
    let sent = sys::send_msg(client, &[&LONG]);
    say!(t, "send_msg of 5000 bytes: {sent}, then {}", sys::send_msg(client, &[b"x"]));
    let mut drained = 0;
    let mut bytes = 0;
    loop {
        let got = sys::get_msg(server);
        if got.0 < 0 {
            say!(t, "{drained} messages of {bytes} bytes are read, then {}", got.0);
            break;
        }
        drained += 1;
        bytes += got.1.length;
        sys::put_msg(server, got.1.id);
    }
    say!(t, "event {}, then {}", sys::wait(client, 0), sys::wait(client, 0));
    let (count, error) = sends(client, message);
    say!(t, "{count} messages more, then {error}");
    Pair { client, server }.close();
}

/// Many more messages than buffers, in order.
fn circle(t: &mut Transcript) {
    let Pair { client, server } = Pair::new(3, 4);
    let mut wrong = 0;
    for round in 0..1000u32 {
        let sent = sys::send_msg(client, &[&round.to_le_bytes()]);
        let got = sys::get_msg(server);
        let mut bytes = [0; 4];
        let read = sys::read_msg(server, got.1.id, 0, &mut [&mut bytes]);
        let put = sys::put_msg(server, got.1.id);
        let right = (sent, got.0, read, put) == (4, 0, 4, 0) && u32::from_le_bytes(bytes) == round;
        wrong += u32::from(!right);
    }
    say!(t, "1000 messages through 3 buffers, wrong: {wrong}");
    Pair { client, server }.close();
}
