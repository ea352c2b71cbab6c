//! Checks by name, and what they share.

mod brk;
mod connect;
mod cookies;
mod errors;
mod events;
mod handles;
mod memory;
mod order;
mod ports;
mod processor;
mod queue;
mod queue_limits;
mod random;
mod stream;
mod timeouts;

use crate::sys;
use crate::transcript::Transcript;
use core::ffi::CStr;
use trusty_abi::{connect as flag, port};

pub use random::errors as random_errors;
pub use stream::stream;

/// The port that checks make and connect to.
const PORT: &CStr = c"com.carveout.conformance.check";

/// Carries out a check, if there is one of that name.
pub fn run(name: &[u8], t: &mut Transcript) -> Option<()> {
    let check = match name {
        b"brk" => brk::check,
        b"connect" => connect::check,
        b"cookies" => cookies::check,
        b"errors" => errors::check,
        b"events" => events::check,
        b"handles" => handles::check,
        b"memory" => memory::check,
        b"order" => order::check,
        b"ports" => ports::check,
        b"processor" => processor::check,
        b"queue" => queue::check,
        b"queue-limits" => queue_limits::check,
        b"random" => random::check,
        b"timeouts" => timeouts::check,
        b"nap" => timeouts::nap,
        b"spin" => timeouts::spin,
        _ => return None,
    };
    check(t);
    Some(())
}

/// A port with so many receive buffers, open to TAs.
fn listen(buffers: u32, size: u32) -> i32 {
    sys::port_create(PORT, buffers, size, port::ALLOW_TA_CONNECT)
}

/// A client of [`PORT`] that does not wait.
fn client() -> i32 {
    sys::connect(PORT, flag::ASYNC)
}

/// Both ends of a channel between this TA and itself.
struct Pair {
    client: i32,
    server: i32,
}

impl Pair {
    /// A connected pair; its port is gone, and the client has been told that it is ready.
    fn new(buffers: u32, size: u32) -> Self {
        let port = listen(buffers, size);
        let client = client();
        let (server, _) = sys::accept(port);
        sys::wait(client, 0);
        sys::close(port);
        Self { client, server }
    }

    fn close(&self) {
        sys::close(self.client);
        sys::close(self.server);
    }
}
