//! The system calls with their own results: a value, or an error code, which is negative.

use core::ffi::CStr;
use core::fmt;
use trusty_abi::{Event, MessageInfo, Uuid, event, nr};
use trusty_ta::raw;

/// Most parts of a message here; the kernel has no limit.
const PARTS: usize = 8;

/// Any call, with plain numbers. Addresses among them are such that the kernel refuses them, or touches nothing at them.
pub fn call(number: u32, a: u32, b: u32, c: u32, d: u32) -> i32 {
    // SAFETY: as the callers of this function, all of them in checks, answer for.
    unsafe { raw::syscall(number, [a, b, c, d].map(|word| word as usize)) }
}

/// A number of 32 bits for an address; a TA has no others.
pub fn address<T>(value: *const T) -> u32 {
    value.expose_provenance() as u32
}

pub fn port_create(path: &CStr, buffers: u32, size: u32, flags: u32) -> i32 {
    call(nr::PORT_CREATE, address(path.as_ptr()), buffers, size, flags)
}

pub fn connect(path: &CStr, flags: u32) -> i32 {
    call(nr::CONNECT, address(path.as_ptr()), flags, 0, 0)
}

/// The channel, and who the client is.
pub fn accept(port: i32) -> (i32, Uuid) {
    let mut peer = Uuid([0xaa; 16]);
    (call(nr::ACCEPT, port.cast_unsigned(), address(&raw mut peer), 0, 0), peer)
}

pub fn close(handle: i32) -> i32 {
    call(nr::CLOSE, handle.cast_unsigned(), 0, 0, 0)
}

pub fn set_cookie(handle: i32, cookie: u32) -> i32 {
    call(nr::SET_COOKIE, handle.cast_unsigned(), cookie, 0, 0)
}

/// What a wait has brought.
pub struct Waited(pub i32, pub Event);

pub fn wait(handle: i32, milliseconds: u32) -> Waited {
    let mut event = Event::default();
    Waited(call(nr::WAIT, handle.cast_unsigned(), address(&raw mut event), milliseconds, 0), event)
}

pub fn wait_any(milliseconds: u32) -> Waited {
    let mut event = Event::default();
    Waited(call(nr::WAIT_ANY, address(&raw mut event), milliseconds, 0, 0), event)
}

/// The result, and what there is.
pub fn get_msg(handle: i32) -> Got {
    let mut info = MessageInfo::default();
    Got(call(nr::GET_MSG, handle.cast_unsigned(), address(&raw mut info), 0, 0), info)
}

/// What `get_msg` has brought.
pub struct Got(pub i32, pub MessageInfo);

pub fn put_msg(handle: i32, id: u32) -> i32 {
    call(nr::PUT_MSG, handle.cast_unsigned(), id, 0, 0)
}

#[repr(C)]
struct Message {
    iovecs: u32,
    iovec: u32,
    handles: u32,
    handle: u32,
}

/// A message of parts, each an address and a length, with so many handles.
fn message(number: u32, arguments: [u32; 3], parts: &[[u32; 2]], handles: u32) -> i32 {
    let mut iovecs = [[0u32; 2]; PARTS];
    for (iovec, part) in iovecs.iter_mut().zip(parts) {
        *iovec = *part;
    }
    let iovec = address(iovecs.as_ptr());
    let count = parts.len().min(PARTS) as u32;
    let message = Message { iovecs: count, iovec, handles, handle: iovec };
    let [handle, id, offset] = arguments;
    let at = address(&raw const message);
    if number == nr::READ_MSG { call(number, handle, id, offset, at) } else { call(number, handle, at, 0, 0) }
}

/// A part of a message.
fn part(bytes: &[u8]) -> [u32; 2] {
    [address(bytes.as_ptr()), bytes.len() as u32]
}

fn parts<'a>(of: impl Iterator<Item = &'a [u8]>) -> ([[u32; 2]; PARTS], usize) {
    let mut parts = [[0; 2]; PARTS];
    let count = parts.iter_mut().zip(of).map(|(to, from)| *to = part(from)).count();
    (parts, count)
}

pub fn send_msg(handle: i32, bytes: &[&[u8]]) -> i32 {
    let (parts, count) = parts(bytes.iter().copied());
    send_raw(handle, parts.get(..count).unwrap_or_default(), 0)
}

pub fn read_msg(handle: i32, id: u32, offset: u32, to: &mut [&mut [u8]]) -> i32 {
    let (parts, count) = parts(to.iter().map(|part| &**part));
    read_raw(handle, id, offset, parts.get(..count).unwrap_or_default(), 0)
}

pub fn send_raw(handle: i32, parts: &[[u32; 2]], handles: u32) -> i32 {
    message(nr::SEND_MSG, [handle.cast_unsigned(), 0, 0], parts, handles)
}

pub fn read_raw(handle: i32, id: u32, offset: u32, parts: &[[u32; 2]], handles: u32) -> i32 {
    message(nr::READ_MSG, [handle.cast_unsigned(), id, offset], parts, handles)
}

/// Nanoseconds since the kernel has started.
pub fn now() -> u64 {
    let mut time = 0u64;
    call(nr::GETTIME, 0, 0, address(&raw mut time), 0);
    // The kernel has written it behind the compiler's back.
    core::hint::black_box(time)
}

pub fn nanosleep(nanoseconds: u64) -> i32 {
    call(nr::NANOSLEEP, 0, 0, nanoseconds as u32, (nanoseconds >> 32) as u32)
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.0 != 0 {
            return write!(f, "{}", self.0);
        }
        let known = [
            (event::READY, "ready"),
            (event::ERROR, "error"),
            (event::MSG, "msg"),
            (event::HUP, "hup"),
            (event::SEND_UNBLOCKED, "send-unblocked"),
        ];
        let mut between = "";
        for (_, name) in known.into_iter().filter(|(bit, _)| self.1.event & bit != 0) {
            write!(f, "{between}{name}")?;
            between = " ";
        }
        let rest = self.1.event & !known.iter().fold(0, |all, (bit, _)| all | bit);
        if rest != 0 { write!(f, "{between}0x{rest:x}") } else { Ok(()) }
    }
}

impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self(0, info) => write!(f, "id {}, {} bytes", info.id, info.length),
            Self(error, _) => write!(f, "{error}"),
        }
    }
}

/// A new handle, whatever its number, or an error.
pub struct New(pub i32);

impl fmt::Display for New {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.0 < 0 { write!(f, "{}", self.0) } else { f.write_str("made") }
    }
}
