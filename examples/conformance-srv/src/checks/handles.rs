//! Numbers of handles, what each kind is for, and how many there are.

use super::{PORT, Pair, client, listen};
use crate::say;
use crate::sys::{self, New};
use crate::transcript::Transcript;

/// More handles than any task has.
const MANY: usize = 256;

pub fn check(t: &mut Transcript) {
    for handle in [127, 128, 129, 0x7fff_ffff, i32::MIN, -1] {
        let (accept, _) = sys::accept(handle);
        let (send, read) = (sys::send_msg(handle, &[b"x"]), sys::read_msg(handle, 0, 0, &mut []));
        let (get, put) = (sys::get_msg(handle), sys::put_msg(handle, 0));
        let (close, cookie) = (sys::close(handle), sys::set_cookie(handle, 1));
        let wait = sys::wait(handle, 0);
        say!(
            t,
            "handle {handle}: accept {accept}, close {close}, set_cookie {cookie}, wait {wait}, get_msg {get}, read_msg \
             {read}, put_msg {put}, send_msg {send}"
        );
    }
    kinds(t);
    numbers(t);
    exhaustion(t);
    exhaustion(t);
}

fn kinds(t: &mut Transcript) {
    let port = listen(1, 16);
    say!(t, "a port: send_msg {}", sys::send_msg(port, &[b"x"]));
    say!(t, "a port: get_msg {}, put_msg {}", sys::get_msg(port), sys::put_msg(port, 0));
    say!(t, "a port: read_msg {}", sys::read_msg(port, 0, 0, &mut []));
    let pair = Pair { client: client(), server: sys::accept(port).0 };
    say!(t, "a channel: accept {} {}", sys::accept(pair.client).0, sys::accept(pair.server).0);
    pair.close();
    say!(t, "close: {}", sys::close(port));
    say!(t, "close again: {}", sys::close(port));
    say!(t, "wait on what is closed: {}", sys::wait(port, 0));
}

fn numbers(t: &mut Transcript) {
    let port = listen(1, 16);
    let [a, b, c] = [0, 1, 2].map(|_| client());
    say!(t, "numbers follow each other: {} {} {}", a == port + 1, b == port + 2, c == port + 3);
    sys::close(b);
    sys::close(a);
    let (d, e, f) = (client(), client(), client());
    say!(t, "the lowest free ones are next: {} {} {}", d == a, e == b, f == c + 1);
    for handle in [c, d, e, f, port] {
        sys::close(handle);
    }
}

fn exhaustion(t: &mut Transcript) {
    let port = listen(1, 1);
    let mut clients = [-1; MANY];
    let mut error = 0;
    let mut last = -1;
    for slot in &mut clients {
        let handle = client();
        if handle < 0 {
            error = handle;
            break;
        }
        (*slot, last) = (handle, handle);
    }
    say!(t, "as many clients as there are handles: the last is {last}, then {error}");
    say!(t, "port_create: {}", sys::port_create(c"com.carveout.conformance.more", 1, 1, 1));
    say!(t, "port_create of one that is there: {}", listen(1, 1));
    say!(t, "connect to a missing port: {}", sys::connect(c"com.carveout.conformance.no", 2));
    say!(t, "connect to another TA: {}", sys::connect(c"com.carveout.conformance.peer", 0));
    say!(t, "connect and wait for a port: {}", sys::connect(c"com.carveout.conformance.no", 3));
    say!(t, "accept: {}", sys::accept(port).0);
    let [first, second, ..] = clients;
    say!(t, "its client: {}, and then {}", sys::wait(first, 0), sys::wait(first, 0));
    say!(t, "the next: {}", sys::wait(second, 0));
    say!(t, "close one: {}", sys::close(first));
    let (server, _) = sys::accept(port);
    say!(t, "accept: {}, its number: {}", New(server), server == first);
    say!(t, "its client: {}, send_msg {}", sys::wait(second, 0), sys::send_msg(second, &[b"x"]));
    sys::close(server);
    for client in clients.into_iter().filter(|client| *client >= 0 && *client != first) {
        if sys::close(client) != 0 {
            say!(t, "close of {client} fails");
        }
    }
    say!(t, "close the port: {}", sys::close(port));
    let again = sys::port_create(PORT, 1, 1, 1);
    say!(t, "they are back: {}", again == port);
    sys::close(again);
}
