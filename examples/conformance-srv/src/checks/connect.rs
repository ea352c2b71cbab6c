//! Connecting: refusals, waiting for who accepts, waiting for a port.

use super::{PORT, client, listen};
use crate::say;
use crate::sys::{self, New};
use crate::transcript::Transcript;
use trusty_abi::{Uuid, connect as flag, nr};

const PEER: &core::ffi::CStr = c"com.carveout.conformance.peer";
/// `uuid` of Cargo.toml, as the kernel has it.
const SELF: Uuid = Uuid(*b"\xe2\xa9\xa1\xc5\x5f\x5d\x0e\x4f\x9a\x52\x0f\x1e\xc4\xe0\xc0\x10");

pub fn check(t: &mut Transcript) {
    refusals(t);
    accepting(t);
    peer(t);
    waiting_for_port(t);
}

fn refusals(t: &mut Transcript) {
    for flags in [0, 2, 4, 7, 8, 0x8000_0000] {
        say!(t, "connect to a missing port, flags 0x{flags:x}: {}", sys::connect(PORT, flags));
    }
    let mut name = [b'p'; 256];
    for length in [0, 1, 63, 64, 200] {
        if let Some(end) = name.get_mut(length) {
            *end = 0;
        }
        let connected = sys::call(nr::CONNECT, sys::address(name.as_ptr()), flag::ASYNC, 0, 0);
        say!(t, "connect path of {length} bytes: {connected}");
        name = [b'p'; 256];
    }
    for flags in [0, 1, 2, 3] {
        let closed = sys::connect(c"com.carveout.conformance", flags);
        say!(t, "connect to a port that is not for TAs, flags 0x{flags:x}: {closed}");
    }
    say!(t, "and to one of another TA: {}", sys::connect(c"com.carveout.conformance.ns-only", 0));
    let nobodys = sys::port_create(PORT, 1, 1, 0);
    say!(t, "connect to a port that is for nobody: {}", client());
    say!(t, "its events: {}", sys::wait(nobodys, 0));
    sys::close(nobodys);
}

fn accepting(t: &mut Transcript) {
    let port = listen(2, 16);
    say!(t, "accept, nobody waits: {}", sys::accept(port).0);
    let early = client();
    say!(t, "connect: {}", New(early));
    say!(t, "before it is accepted: events {}", sys::wait(early, 0));
    say!(t, "send_msg: {}", sys::send_msg(early, &[b"early"]));
    say!(t, "get_msg: {}", sys::get_msg(early));
    say!(t, "put_msg: {}", sys::put_msg(early, 0));
    say!(t, "read_msg: {}", sys::read_msg(early, 0, 0, &mut []));
    let (server, uuid) = sys::accept(port);
    say!(t, "accept: {}, the peer is this TA: {}", New(server), uuid == SELF);
    say!(t, "its events: server {}, client {}", sys::wait(server, 0), sys::wait(early, 0));
    say!(t, "and then: server {}, client {}", sys::wait(server, 0), sys::wait(early, 0));
    say!(t, "close the port: {}", sys::close(port));
    say!(t, "send_msg all the same: {}", sys::send_msg(early, &[b"late"]));
    say!(t, "it arrives: {}", sys::get_msg(server));
    say!(t, "close both: {} {}", sys::close(early), sys::close(server));

    let port = listen(2, 16);
    let (first, second) = (client(), client());
    say!(t, "two clients, the first leaves: {}", sys::close(first));
    say!(t, "the port's events: {}", sys::wait(port, 0));
    say!(t, "accept: {}", New(sys::accept(port).0));
    let (server, _) = sys::accept(port);
    say!(t, "accept: {}", New(server));
    say!(t, "accept: {}", New(sys::accept(port).0));
    say!(t, "the second client: {}", sys::wait(second, 0));
    for handle in [second, server, port] {
        sys::close(handle);
    }
}

/// Another TA, so the connection may wait.
fn peer(t: &mut Transcript) {
    for flags in [0, flag::WAIT_FOR_PORT] {
        let channel = sys::connect(PEER, flags);
        say!(t, "connect to another TA, flags 0x{flags:x}: {}", New(channel));
        say!(t, "ready has been told: {}", sys::wait(channel, 0));
        say!(t, "send_msg: {}", sys::send_msg(channel, &[b"to and fro"]));
        say!(t, "events: {}", sys::wait(channel, 5000));
        let got = sys::get_msg(channel);
        let mut answer = [0; 16];
        let read = sys::read_msg(channel, got.1.id, 0, &mut [&mut answer]);
        say!(t, "answer: {got}, read_msg {read}, the same: {}", answer.starts_with(b"to and fro\0"));
        say!(t, "it is told to close: {}", sys::send_msg(channel, &[b"bye"]));
        say!(t, "events: {}", sys::wait(channel, 5000));
        say!(t, "send_msg: {}", sys::send_msg(channel, &[b"too late"]));
        say!(t, "get_msg: {}", sys::get_msg(channel));
        say!(t, "put_msg: {}", sys::put_msg(channel, got.1.id));
        say!(t, "close: {}", sys::close(channel));
    }
}

fn waiting_for_port(t: &mut Transcript) {
    let flags = flag::ASYNC | flag::WAIT_FOR_PORT;
    let clients = [0, 1, 2].map(|_| sys::connect(PORT, flags));
    let [first, second, third] = clients;
    say!(t, "three wait for a port: {} {} {}", New(first), New(second), New(third));
    say!(t, "events: {}", sys::wait(first, 0));
    say!(t, "send_msg: {}", sys::send_msg(first, &[b"early"]));
    say!(t, "the second leaves: {}", sys::close(second));
    let port = listen(1, 16);
    say!(t, "port_create: {}, events {}", New(port), sys::wait(port, 0));
    let ((one, uuid), (two, _)) = (sys::accept(port), sys::accept(port));
    say!(t, "accept: {} {} {}", New(one), New(two), New(sys::accept(port).0));
    say!(t, "the peer is this TA: {}", uuid == SELF);
    say!(t, "events: {} {}", sys::wait(first, 0), sys::wait(third, 0));
    say!(t, "the first sends: {}", sys::send_msg(first, &[b"first"]));
    say!(t, "who has it: {}, {}", sys::get_msg(one), sys::get_msg(two));
    for handle in [first, third, one, two, port] {
        sys::close(handle);
    }
    let alone = sys::connect(PORT, flags);
    say!(t, "one waits and leaves: {} {}", New(alone), sys::close(alone));
    let port = listen(1, 16);
    say!(t, "port_create: {}, events {}", New(port), sys::wait(port, 0));
    sys::close(port);
}
