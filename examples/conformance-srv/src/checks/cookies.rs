//! The value that a handle's events bear.

use super::{Pair, client, listen};
use crate::say;
use crate::sys;
use crate::transcript::Transcript;

pub fn check(t: &mut Transcript) {
    let port = listen(1, 16);
    let waiting = client();
    say!(t, "a port's at first: 0x{:x}", sys::wait(port, 0).1.cookie);
    for cookie in [1, 0x8000_0000, u32::MAX, 0] {
        let set = sys::set_cookie(port, cookie);
        say!(t, "set_cookie 0x{cookie:x}: {set}, the event bears 0x{:x}", sys::wait(port, 0).1.cookie);
    }
    say!(t, "set_cookie 0x77: {}", sys::set_cookie(port, 0x77));
    let any = sys::wait_any(0);
    say!(t, "wait_any: 0x{:x}, its handle: {}", any.1.cookie, any.1.handle == port.cast_unsigned());
    say!(t, "a client's before it is accepted: {}", sys::set_cookie(waiting, 0x11));
    let (server, _) = sys::accept(port);
    say!(t, "accepted: client 0x{:x}", sys::wait(waiting, 0).1.cookie);
    sys::send_msg(waiting, &[b"x"]);
    say!(t, "neither the port's nor the client's is the server's: 0x{:x}", sys::wait(server, 0).1.cookie);
    let event = sys::wait(server, 0).1;
    say!(t, "wait names its handle: {}", event.handle == server.cast_unsigned());
    say!(t, "set_cookie 0x22: {}", sys::set_cookie(server, 0x22));
    say!(t, "close: {}", sys::close(server));
    let end = sys::wait(waiting, 0);
    say!(t, "the client's stays: 0x{:x} {end}", end.1.cookie);
    sys::close(waiting);
    sys::close(port);
    let pair = Pair::new(1, 16);
    sys::send_msg(pair.client, &[b"x"]);
    sys::send_msg(pair.server, &[b"x"]);
    let (client, server) = (sys::wait(pair.client, 0).1.cookie, sys::wait(pair.server, 0).1.cookie);
    say!(t, "the same numbers again, and no cookies: 0x{client:x} 0x{server:x}");
    pair.close();
    let missed = sys::wait(pair.client, 0);
    say!(t, "an error bears nothing: {missed}, 0x{:x}, handle {}", missed.1.cookie, missed.1.handle);
}
