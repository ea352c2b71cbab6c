//! System calls: number in r12, `svc #0`, arguments in r0-r3, result in r0 (negative = LK error code).

use crate::{PortCfg, Uuid};
use core::arch::asm;
use core::ffi::c_void;

const NR_WRITE: u32 = 0x1;
const NR_BRK: u32 = 0x2;
const NR_EXIT_GROUP: u32 = 0x3;
const NR_PORT_CREATE: u32 = 0x10;
const NR_ACCEPT: u32 = 0x12;
const NR_CLOSE: u32 = 0x13;
const NR_WAIT_ANY: u32 = 0x19;
const NR_GET_MSG: u32 = 0x20;
const NR_READ_MSG: u32 = 0x21;
const NR_PUT_MSG: u32 = 0x22;
const NR_SEND_MSG: u32 = 0x23;

/// Client waits to be accepted.
pub const EVENT_READY: u32 = 1;
/// Peer closed.
pub const EVENT_HUP: u32 = 4;
/// Something is wrong with the handle.
pub const EVENT_ERROR: u32 = 2;
/// Message waits.
pub const EVENT_MSG: u32 = 8;
/// No message waits.
pub const ERR_NO_MSG: i32 = -4;
/// No memory.
pub const ERR_NO_MEMORY: i32 = -5;

const CONSOLE: usize = 2;
const FOREVER: usize = usize::MAX;

/// What `wait_any` reports.
#[derive(Default)]
#[repr(C)]
pub struct Event {
    /// Whose event it is.
    pub handle: u32,
    /// Which events.
    pub event: u32,
    cookie: u32,
}

#[derive(Default)]
#[repr(C)]
struct MessageInfo {
    length: u32,
    id: u32,
}

#[repr(C)]
struct Iovec {
    base: *mut c_void,
    length: usize,
}

#[repr(C)]
struct Message {
    iovecs: u32,
    iovec: *const Iovec,
    handles: u32,
    handle: *const u32,
}

impl Message {
    fn new(iovec: &Iovec) -> Self {
        Self { iovecs: 1, iovec, handles: 0, handle: core::ptr::null() }
    }
}

/// One system call.
///
/// # Safety
/// Pointers among the arguments must be valid for what the call reads and writes.
unsafe fn svc(number: u32, a: usize, b: usize, c: usize, d: usize) -> i32 {
    let result: usize;
    // SAFETY: the kernel keeps r4-r11 and sp; all else is declared lost. Memory is what the caller answers for.
    unsafe {
        asm!("svc #0", inlateout("r12") number => _, inlateout("r0") a => result, inlateout("r1") b => _,
             inlateout("r2") c => _, inlateout("r3") d => _, lateout("lr") _, options(nostack));
    }
    result as i32
}

fn address<T>(value: &mut T) -> usize {
    (&raw mut *value).expose_provenance()
}

fn checked(code: i32) -> Result<u32, i32> {
    u32::try_from(code).map_err(|_| code)
}

/// Writes text on the console.
pub fn write(text: &[u8]) {
    // SAFETY: the kernel reads the slice.
    unsafe { svc(NR_WRITE, CONSOLE, text.as_ptr().expose_provenance(), text.len(), 0) };
}

/// Ends the TA.
pub fn exit_group() {
    // SAFETY: no pointers.
    unsafe { svc(NR_EXIT_GROUP, 0, 0, 0, 0) };
}

/// Moves the break up by `size` and returns where it was: the start of the new block.
pub fn grow_heap(size: usize) -> Result<*mut u8, i32> {
    // SAFETY: brk takes addresses, and touches nothing at them.
    let start = unsafe { svc(NR_BRK, 0, 0, 0, 0) } as usize;
    // SAFETY: as above; the new end is the kernel's to refuse.
    let end = unsafe { svc(NR_BRK, start + size, 0, 0, 0) } as usize;
    if end == start + size { Ok(core::ptr::with_exposed_provenance_mut(start)) } else { Err(ERR_NO_MEMORY) }
}

/// Publishes a port.
pub fn port_create(port: &PortCfg, buffers: u32, buffer_size: usize) -> Result<u32, i32> {
    let path = port.path.as_ptr().expose_provenance();
    // SAFETY: the kernel reads the path up to its NUL.
    checked(unsafe { svc(NR_PORT_CREATE, path, buffers as usize, buffer_size, port.flags as usize) })
}

/// Accepts a waiting client.
pub fn accept(port: u32) -> Result<(u32, Uuid), i32> {
    let mut peer = Uuid::default();
    // SAFETY: the kernel writes 16 bytes to `peer`.
    let channel = checked(unsafe { svc(NR_ACCEPT, port as usize, address(&mut peer), 0, 0) })?;
    Ok((channel, peer))
}

/// Closes a handle.
pub fn close(handle: u32) {
    // SAFETY: no pointers.
    unsafe { svc(NR_CLOSE, handle as usize, 0, 0, 0) };
}

/// Waits for an event of any handle.
pub fn wait_any() -> Result<Event, i32> {
    let mut event = Event::default();
    // SAFETY: the kernel writes one event.
    checked(unsafe { svc(NR_WAIT_ANY, address(&mut event), FOREVER, 0, 0) })?;
    Ok(event)
}

/// Takes the next message of a channel. `Ok(None)` if none waits. A message longer than `buffer` is an error.
pub fn receive(channel: u32, buffer: &mut [u8]) -> Result<Option<usize>, i32> {
    let mut info = MessageInfo::default();
    // SAFETY: the kernel writes one info.
    match checked(unsafe { svc(NR_GET_MSG, channel as usize, address(&mut info), 0, 0) }) {
        Err(ERR_NO_MSG) => return Ok(None),
        other => other?,
    };
    let iovec = Iovec { base: buffer.as_mut_ptr().cast(), length: buffer.len() };
    let mut message = Message::new(&iovec);
    let (channel, id) = (channel as usize, info.id as usize);
    // SAFETY: the kernel writes at most the buffer's length into the buffer.
    let read = checked(unsafe { svc(NR_READ_MSG, channel, id, 0, address(&mut message)) });
    // SAFETY: no pointers.
    unsafe { svc(NR_PUT_MSG, channel, id, 0, 0) };
    read.map(|length| Some(length as usize))
}

/// Sends a message, whole or not at all.
pub fn send(channel: u32, data: &[u8]) -> Result<(), i32> {
    let iovec = Iovec { base: data.as_ptr().cast_mut().cast(), length: data.len() };
    let mut message = Message::new(&iovec);
    // SAFETY: the kernel only reads the data.
    checked(unsafe { svc(NR_SEND_MSG, channel as usize, address(&mut message), 0, 0) })?;
    Ok(())
}
