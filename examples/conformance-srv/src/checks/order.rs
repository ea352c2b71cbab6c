//! `wait_any`: whose turn it is.

use super::{Pair, client, listen};
use crate::say;
use crate::sys::{self, Waited};
use crate::transcript::Transcript;
use core::fmt;

/// Who it was, by cookie, and what.
struct Who(Waited);

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.0.0 == 0 { write!(f, "{} {}", self.0.1.cookie, self.0) } else { write!(f, "{}", self.0) }
    }
}

fn any() -> Who {
    Who(sys::wait_any(0))
}

pub fn check(t: &mut Transcript) {
    say!(t, "nothing has happened: {}", any());
    let pairs = [1, 2, 3].map(|cookie| {
        let pair = Pair::new(2, 16);
        sys::set_cookie(pair.server, cookie);
        sys::set_cookie(pair.client, 10 + cookie);
        pair
    });
    say!(t, "three channels: {}", any());
    let [one, two, three] = &pairs;
    for pair in [three, one, two] {
        sys::send_msg(pair.client, &[b"x"]);
    }
    say!(t, "a message for each: {}, {}, {}, {}, {}", any(), any(), any(), any(), any());
    let got = sys::get_msg(one.server);
    sys::put_msg(one.server, got.1.id);
    say!(t, "the first has read: {}, {}, {}", any(), any(), any());
    let pair = Pair::new(2, 16);
    sys::set_cookie(pair.server, 4);
    sys::send_msg(pair.client, &[b"x"]);
    say!(t, "a fourth: {}, {}, {}, {}", any(), any(), any(), any());
    say!(t, "wait on one does not change it: {}", sys::wait(two.server, 0));
    say!(t, "it is the turn of: {}, {}", any(), any());
    sys::close(three.server);
    say!(t, "the third has closed: {}, {}, {}, {}", any(), any(), any(), any());
    sys::close(three.client);
    let port = listen(1, 16);
    sys::set_cookie(port, 5);
    let late = client();
    say!(t, "a port: {}, {}, {}, {}", any(), any(), any(), any());
    let (accepted, _) = sys::accept(port);
    sys::set_cookie(late, 6);
    say!(t, "its client is told once: {}, {}, {}, {}", any(), any(), any(), any());
    for handle in [port, late, accepted] {
        sys::close(handle);
    }
    for pair in [one, two, &pair] {
        pair.close();
    }
    say!(t, "all is closed: {}", any());
}
