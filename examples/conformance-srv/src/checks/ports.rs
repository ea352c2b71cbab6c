//! Names, buffers, flags and duplicates of ports.

use super::{PORT, client, listen};
use crate::say;
use crate::sys::{self, New};
use crate::transcript::Transcript;
use core::ffi::CStr;
use trusty_abi::nr;

fn made(t: &mut Transcript, what: core::fmt::Arguments, port: i32) {
    say!(t, "{what}: {}", New(port));
    if port >= 0 {
        sys::close(port);
    }
}

pub fn check(t: &mut Transcript) {
    let mut name = [b'p'; 256];
    for length in [0, 1, 62, 63, 64, 65, 200] {
        if let Some(end) = name.get_mut(length) {
            *end = 0;
        }
        let port = sys::call(nr::PORT_CREATE, sys::address(name.as_ptr()), 1, 1, 1);
        made(t, format_args!("port_create path of {length} bytes"), port);
        name = [b'p'; 256];
    }
    made(t, format_args!("port_create path not of text"), sys::port_create(c"\x01\xff", 1, 1, 1));
    for buffers in [0, 1, 2, 32, 33, u32::MAX] {
        made(t, format_args!("port_create {buffers} buffers of 1"), listen(buffers, 1));
    }
    for size in [0, 1, 4080, 4096, 4097, u32::MAX] {
        made(t, format_args!("port_create 1 buffer of {size}"), listen(1, size));
    }
    made(t, format_args!("port_create 32 buffers of 4096"), listen(32, 4096));
    for flags in [0, 1, 2, 3, 4, 0xffff_ffff] {
        made(t, format_args!("port_create flags 0x{flags:x}"), sys::port_create(PORT, 1, 1, flags));
    }
    duplicates(t);
}

fn duplicates(t: &mut Transcript) {
    let first = listen(1, 1);
    say!(t, "port_create: {}", New(first));
    say!(t, "port_create again: {}", listen(1, 1));
    say!(t, "port_create again, other buffers and flags: {}", sys::port_create(PORT, 2, 2, 3));
    say!(t, "port_create again, 0 buffers: {}", listen(0, 1));
    let others: [&CStr; 2] = [c"com.carveout.conformance", c"com.carveout.conformance.peer"];
    for other in others {
        let name = other.to_str().unwrap_or_default();
        say!(t, "port_create {name}, which is taken: {}", sys::port_create(other, 1, 1, 1));
    }
    let other = sys::port_create(c"com.carveout.Conformance.check", 1, 1, 1);
    say!(t, "port_create in other case: {}, the next number: {}", New(other), other == first + 1);
    let waiting = client();
    say!(t, "connect: {}", New(waiting));
    say!(t, "close: {}", sys::close(first));
    say!(t, "the client that was waiting: {}", sys::wait(waiting, 0));
    say!(t, "connect to the closed port: {}", client());
    let second = listen(1, 1);
    say!(t, "port_create once more: {}, the same number: {}", New(second), second == first);
    say!(t, "its events: {}", sys::wait(second, 0));
    for handle in [other, waiting, second] {
        say!(t, "close: {}", sys::close(handle));
    }
}
