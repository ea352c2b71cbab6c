//! Calls that do not exist, and addresses that are not the TA's.

use super::{PORT, Pair, client, listen};
use crate::say;
use crate::sys::{self, New, call};
use crate::transcript::Transcript;
use trusty_abi::nr;

/// Addresses that hold nothing of the TA: null, between heap and stack, the end of its address space, and a kernel's.
const NOWHERE: [u32; 5] = [0, 0x00f0_0000, 0x01ff_fff8, 0x8000_0000, 0xffff_fff8];
/// The TA's code, which may be read.
const TEXT: u32 = 0x8000;
/// The stack's last word: what is longer leaves the TA's memory.
const EDGE: u32 = 0x0100_0000 - 4;

pub fn check(t: &mut Transcript) {
    for number in [0, 0xc, 0xf, 0x15, 0x17, 0x1a, 0x1f, 0x24, 0x7f, 0xa0, 0xff, 0xffff, 0x7fff_ffff, u32::MAX]
    {
        say!(t, "system call 0x{number:x}: {}", call(number, 0, 0, 0, 0));
    }
    for address in NOWHERE {
        nowhere(t, address);
    }
    written(t, "text", TEXT);
    written(t, "the stack's last word", EDGE);
    paths(t);
    messages(t);
    console(t);
    devices(t);
}

fn nowhere(t: &mut Transcript, at: u32) {
    say!(t, "0x{at:x}: port_create {}", call(nr::PORT_CREATE, at, 1, 1, 1));
    say!(
        t,
        "0x{at:x}: connect {}, bad flags {}",
        call(nr::CONNECT, at, 2, 0, 0),
        call(nr::CONNECT, at, 8, 0, 0)
    );
    say!(t, "0x{at:x}: send_msg on no handle {}", call(nr::SEND_MSG, 127, at, 0, 0));
    say!(t, "0x{at:x}: read_msg on no handle {}", call(nr::READ_MSG, 127, 0, 0, at));
    say!(t, "0x{at:x}: accept on no handle {}", call(nr::ACCEPT, 127, at, 0, 0));
    say!(t, "0x{at:x}: wait on no handle {}", call(nr::WAIT, 127, at, 0, 0));
    say!(t, "0x{at:x}: get_msg on no handle {}", call(nr::GET_MSG, 127, at, 0, 0));
    written(t, "it", at);
}

/// Calls that write where the TA says, on handles that have something to tell.
fn written(t: &mut Transcript, what: &str, at: u32) {
    let port = listen(1, 16);
    let client = client();
    say!(t, "{what}: gettime {}", call(nr::GETTIME, 0, 0, at, 0));
    say!(t, "{what}: wait {}", call(nr::WAIT, port.cast_unsigned(), at, 0, 0));
    say!(t, "{what}: accept {}", call(nr::ACCEPT, port.cast_unsigned(), at, 0, 0));
    say!(t, "{what}: its client {}, the port {}", sys::wait(client, 0), sys::wait(port, 0));
    sys::close(client);
    sys::close(port);
    let pair = Pair::new(1, 16);
    say!(t, "{what}: wait for nothing {}", call(nr::WAIT, pair.server.cast_unsigned(), at, 0, 0));
    sys::send_msg(pair.client, &[b"123456789"]);
    say!(t, "{what}: wait_any {}", call(nr::WAIT_ANY, at, 0, 0, 0));
    say!(t, "{what}: get_msg {}", call(nr::GET_MSG, pair.server.cast_unsigned(), at, 0, 0));
    let got = sys::get_msg(pair.server);
    say!(t, "{what}: the message stays: {got}");
    say!(t, "{what}: read_msg {}", sys::read_raw(pair.server, got.1.id, 0, &[[at, 9]], 0));
    say!(t, "{what}: read_msg of 0 bytes {}", sys::read_raw(pair.server, got.1.id, 9, &[[at, 9]], 0));
    say!(t, "{what}: read_msg into 0 bytes {}", sys::read_raw(pair.server, got.1.id, 0, &[[at, 0]], 0));
    let mut some = [b'-'; 4];
    let parts = [[sys::address(some.as_mut_ptr()), 4], [at, 5]];
    let read = sys::read_raw(pair.server, got.1.id, 0, &parts, 0);
    say!(t, "{what}: read_msg in its second part {read}, the first is read: {}", some == *b"1234");
    pair.close();
}

fn paths(t: &mut Transcript) {
    let kept = edge(u32::from_le_bytes(*b"path"));
    say!(t, "a path without an end: port_create {}", call(nr::PORT_CREATE, EDGE, 1, 1, 1));
    say!(t, "a path without an end: connect {}", call(nr::CONNECT, EDGE, 2, 0, 0));
    edge(kept);
    say!(t, "nothing was made: {}", sys::connect(PORT, 2));
}

/// Sets the stack's last word, and says what it was.
fn edge(word: u32) -> u32 {
    if cfg!(not(target_os = "none")) {
        return 0;
    }
    let edge = core::ptr::with_exposed_provenance_mut::<u32>(EDGE as usize);
    // SAFETY: it is this TA's: where to return from `_start`, which never does.
    unsafe {
        let before = edge.read_volatile();
        edge.write_volatile(word);
        before
    }
}

fn messages(t: &mut Transcript) {
    let pair = Pair::new(2, 16);
    let (client, server) = (pair.client.cast_unsigned(), pair.server.cast_unsigned());
    for at in NOWHERE {
        say!(t, "send_msg of a message at 0x{at:x}: {}", call(nr::SEND_MSG, client, at, 0, 0));
        say!(t, "send_msg of a part at 0x{at:x}: {}", sys::send_raw(pair.client, &[[at, 1]], 0));
        say!(t, "send_msg of an empty part at 0x{at:x}: {}", sys::send_raw(pair.client, &[[at, 0]], 0));
        let got = sys::get_msg(pair.server);
        sys::put_msg(pair.server, got.1.id);
        say!(t, "it arrives: {got}; {}", sys::get_msg(pair.server));
        let message = [1, at, 0, 0];
        let list = sys::address(message.as_ptr());
        say!(t, "send_msg of a list at 0x{at:x}: {}", call(nr::SEND_MSG, client, list, 0, 0));
        sys::send_msg(pair.client, &[b"x"]);
        let id = sys::get_msg(pair.server).1.id;
        say!(t, "read_msg by a list at 0x{at:x}: {}", call(nr::READ_MSG, server, id, 0, list));
        say!(t, "read_msg by a message at 0x{at:x}: {}", call(nr::READ_MSG, server, id, 0, at));
        sys::put_msg(pair.server, id);
    }
    say!(t, "send_msg of text: {}", sys::send_raw(pair.client, &[[TEXT, 16]], 0));
    say!(t, "send_msg of more than there is: {}", sys::send_raw(pair.client, &[[EDGE, 16]], 0));
    say!(t, "send_msg of as much as there is: {}", sys::send_raw(pair.client, &[[EDGE, 4]], 0));
    say!(t, "two have arrived: {}; {}", sys::get_msg(pair.server), sys::get_msg(pair.server));
    pair.close();
}

fn console(t: &mut Transcript) {
    let text = b"";
    let at = sys::address(text.as_ptr()).max(TEXT);
    for fd in [0, 4, 9, 10, u32::MAX] {
        say!(t, "write to {fd}: {}", call(nr::WRITE, fd, TEXT, 0, 0));
    }
    for fd in [1, 2, 3] {
        say!(t, "write of nothing to {fd}: {}", call(nr::WRITE, fd, at, 0, 0));
        for at in NOWHERE {
            let (some, none) = (call(nr::WRITE, fd, at, 1, 0), call(nr::WRITE, fd, at, 0, 0));
            say!(t, "write to {fd} from 0x{at:x}: {some}, of nothing: {none}");
        }
        say!(t, "write to {fd} of more than there is: {}", call(nr::WRITE, fd, EDGE, 5, 0));
        say!(t, "write to {fd} of more than there can be: {}", call(nr::WRITE, fd, TEXT, u32::MAX, 0));
    }
    // INFO level: not shown.
    say!(t, "write to 1: {}", call(nr::WRITE, 1, TEXT, 4, 0));
    for fd in [0, 1, 2, 3, 4, 10] {
        say!(t, "read from {fd}: {}", call(nr::READ, fd, 0, 0, 0));
    }
    for fd in [0, 1, 2, 3, 4, 10] {
        say!(t, "ioctl of {fd}: {}", call(nr::IOCTL, fd, 0, 0, 0));
    }
}

fn devices(t: &mut Transcript) {
    say!(t, "mmap of no region: {}", call(nr::MMAP, 0, 4096, 1, 0));
    say!(t, "mmap at an address: {}", call(nr::MMAP, 0x0010_0000, 4096, 1, 0));
    say!(t, "mmap without flags: {}", call(nr::MMAP, 0, 4096, 0, 0));
    for size in [0, 1, 4096, 8192] {
        let at = call(nr::MMAP, 0, size, 2, 0);
        say!(t, "mmap of {size} bytes for a device: {}", New(at));
        if at > 0 {
            let unmapped = call(nr::MUNMAP, at.cast_unsigned(), size, 0, 0);
            say!(t, "munmap: {unmapped}, again: {}", call(nr::MUNMAP, at.cast_unsigned(), size, 0, 0));
        }
    }
    let blocks = [0u32; 16];
    let to = sys::address(blocks.as_ptr());
    for at in NOWHERE {
        say!(t, "munmap 0x{at:x}: {}", call(nr::MUNMAP, at, 4096, 0, 0));
        say!(t, "finish_dma 0x{at:x}: {}", call(nr::FINISH_DMA, at, 1, 0, 0));
        say!(t, "prepare_dma 0x{at:x}: {}", call(nr::PREPARE_DMA, at, 1, 0, to));
        say!(t, "prepare_dma told at 0x{at:x}: {}", call(nr::PREPARE_DMA, to, 1, 0, at));
    }
    say!(t, "prepare_dma of nothing: {}", call(nr::PREPARE_DMA, EDGE, 0, 0, to));
    say!(t, "prepare_dma of more than there is: {}", call(nr::PREPARE_DMA, EDGE, 5, 0, to));
    // Behind what is used of the heap, and across its first page's end.
    let heap = call(nr::BRK, 0, 0, 0, 0).cast_unsigned() + 4000;
    for (size, flags) in [(96, 0), (97, 0), (97, 4), (97, 8), (5000, 4), (5000, 4 | 8 | 3)] {
        let prepared = call(nr::PREPARE_DMA, heap, size, flags, to);
        // The kernel has written them behind the compiler's back.
        let blocks = core::hint::black_box(blocks);
        let sizes = [blocks[2], blocks[6], blocks[10]];
        say!(t, "prepare_dma {size}, flags {flags}: {prepared}, sizes so far {sizes:?}");
        say!(t, "finish_dma: {}", call(nr::FINISH_DMA, heap, size, flags, 0));
    }
}
