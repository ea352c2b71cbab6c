//! The kernel's memory, which is what the carve-out has left: receive buffers use it up. How many do is not told.

use super::{PORT, listen};
use crate::say;
use crate::sys::{self, New};
use crate::transcript::Transcript;
use trusty_abi::connect as flag;

const SMALL: &core::ffi::CStr = c"com.carveout.conformance.small";

pub fn check(t: &mut Transcript) {
    let (first, second) = (fill(t), fill(t));
    say!(t, "as many the second time: {}", first == second);
}

fn fill(t: &mut Transcript) -> usize {
    let (port, other) = (listen(32, 4096), sys::port_create(SMALL, 1, 16, 1));
    let mut clients = [-1; 128];
    let mut error = 0;
    for slot in &mut clients {
        *slot = sys::connect(PORT, flag::ASYNC);
        if *slot < 0 {
            error = *slot;
            break;
        }
    }
    say!(t, "connections with 32 buffers of 4096 bytes at each end, and then: {error}");
    let small = sys::connect(SMALL, flag::ASYNC);
    say!(t, "one with small ones: {}", New(small));
    let (server, _) = sys::accept(port);
    let [first, ..] = clients;
    say!(t, "those that are there go on: {}, {}", New(server), sys::send_msg(first, &[b"on"]));
    say!(t, "it arrives: {}", sys::get_msg(server));
    let open = || clients.iter().copied().filter(|client| *client >= 0);
    for handle in open().chain([small, server, other, port]) {
        sys::close(handle);
    }
    open().count()
}
