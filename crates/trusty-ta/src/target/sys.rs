//! System calls: number in r12, `svc #0`, arguments in r0-r3, result in r0 (negative = LK error code).

use crate::syscalls::{MAX_PARTS as PARTS, Syscalls};
use core::arch::asm;
use core::ffi::{CStr, c_void};
use trusty_abi::{CONSOLE, Error, Event, MessageInfo, Result, Uuid, nr};

/// The kernel that a TA runs on.
pub struct Kernel;

#[derive(Clone, Copy)]
#[repr(C)]
struct Iovec {
    base: *mut c_void,
    length: usize,
}

const NO_PART: Iovec = Iovec { base: core::ptr::null_mut(), length: 0 };

#[repr(C)]
struct Message {
    iovecs: u32,
    iovec: *const Iovec,
    handles: u32,
    handle: *const u32,
}

impl Message {
    fn new(iovecs: &[Iovec; PARTS], count: usize) -> Self {
        Self { iovecs: count as u32, iovec: iovecs.as_ptr(), handles: 0, handle: core::ptr::null() }
    }
}

/// One system call, with the kernel's own result.
///
/// # Safety
/// Pointers among the arguments must be valid for what the call reads and writes, or such that the kernel refuses them.
pub unsafe fn syscall(number: u32, [a, b, c, d]: [usize; 4]) -> i32 {
    let result: usize;
    // SAFETY: the kernel keeps r4-r11 and sp; all else is declared lost. Memory is what the caller answers for.
    unsafe {
        asm!("svc #0", inlateout("r12") number => _, inlateout("r0") a => result, inlateout("r1") b => _,
             inlateout("r2") c => _, inlateout("r3") d => _, lateout("lr") _, options(nostack));
    }
    result as i32
}

/// # Safety
/// As of [`syscall`].
unsafe fn svc(number: u32, a: usize, b: usize, c: usize, d: usize) -> Result<u32> {
    // SAFETY: as the caller answers for.
    Error::check(unsafe { syscall(number, [a, b, c, d]) })
}

fn address<T>(value: &mut T) -> usize {
    (&raw mut *value).expose_provenance()
}

/// Ends the TA.
pub fn exit_group() {
    // SAFETY: no pointers.
    let _ = unsafe { svc(nr::EXIT_GROUP, 0, 0, 0, 0) };
}

/// Moves the break up by `size` and returns where it was: the start of the new block.
pub fn grow_heap(size: usize) -> Result<*mut u8> {
    // SAFETY: brk takes addresses, and touches nothing at them.
    let start = unsafe { svc(nr::BRK, 0, 0, 0, 0) }? as usize;
    // SAFETY: as above; the new end is the kernel's to refuse.
    let end = unsafe { svc(nr::BRK, start + size, 0, 0, 0) }? as usize;
    if end == start + size { Ok(core::ptr::with_exposed_provenance_mut(start)) } else { Err(Error::NoMemory) }
}

impl Syscalls for Kernel {
    fn write(&self, text: &[u8]) {
        // SAFETY: the kernel reads the slice.
        let _ = unsafe { svc(nr::WRITE, CONSOLE as usize, text.as_ptr().expose_provenance(), text.len(), 0) };
    }

    fn nanosleep(&self, nanoseconds: u64) -> Result<()> {
        let (low, high) = (nanoseconds as usize, (nanoseconds >> 32) as usize);
        // SAFETY: no pointers.
        unsafe { svc(nr::NANOSLEEP, 0, 0, low, high) }.map(drop)
    }

    fn gettime(&self) -> Result<u64> {
        let mut time = 0u64;
        // SAFETY: the kernel writes 8 bytes.
        unsafe { svc(nr::GETTIME, 0, 0, address(&mut time), 0) }?;
        Ok(time)
    }

    fn port_create(&self, path: &CStr, buffers: u32, buffer_size: u32, flags: u32) -> Result<u32> {
        let path = path.as_ptr().expose_provenance();
        // SAFETY: the kernel reads the path up to its NUL.
        unsafe { svc(nr::PORT_CREATE, path, buffers as usize, buffer_size as usize, flags as usize) }
    }

    fn connect(&self, path: &CStr, flags: u32) -> Result<u32> {
        // SAFETY: the kernel reads the path up to its NUL.
        unsafe { svc(nr::CONNECT, path.as_ptr().expose_provenance(), flags as usize, 0, 0) }
    }

    fn accept(&self, port: u32) -> Result<(u32, Uuid)> {
        let mut peer = Uuid::default();
        // SAFETY: the kernel writes 16 bytes to `peer`.
        let channel = unsafe { svc(nr::ACCEPT, port as usize, address(&mut peer), 0, 0) }?;
        Ok((channel, peer))
    }

    fn close(&self, handle: u32) -> Result<()> {
        // SAFETY: no pointers.
        unsafe { svc(nr::CLOSE, handle as usize, 0, 0, 0) }.map(drop)
    }

    fn set_cookie(&self, handle: u32, cookie: u32) -> Result<()> {
        // SAFETY: the kernel takes the cookie as a number.
        unsafe { svc(nr::SET_COOKIE, handle as usize, cookie as usize, 0, 0) }.map(drop)
    }

    fn wait(&self, handle: u32, timeout: u32) -> Result<Event> {
        let mut event = Event::default();
        // SAFETY: the kernel writes one event.
        unsafe { svc(nr::WAIT, handle as usize, address(&mut event), timeout as usize, 0) }?;
        Ok(event)
    }

    fn wait_any(&self, timeout: u32) -> Result<Event> {
        let mut event = Event::default();
        // SAFETY: the kernel writes one event.
        unsafe { svc(nr::WAIT_ANY, address(&mut event), timeout as usize, 0, 0) }?;
        Ok(event)
    }

    fn get_msg(&self, handle: u32) -> Result<MessageInfo> {
        let mut info = MessageInfo::default();
        // SAFETY: the kernel writes one info.
        unsafe { svc(nr::GET_MSG, handle as usize, address(&mut info), 0, 0) }?;
        Ok(info)
    }

    fn read_msg(&self, handle: u32, id: u32, offset: u32, parts: &mut [&mut [u8]]) -> Result<usize> {
        let mut iovecs = [NO_PART; PARTS];
        if parts.len() > PARTS {
            return Err(Error::InvalidArguments);
        }
        for (iovec, part) in iovecs.iter_mut().zip(parts.iter_mut()) {
            *iovec = Iovec { base: part.as_mut_ptr().cast(), length: part.len() };
        }
        let mut message = Message::new(&iovecs, parts.len());
        let (handle, id) = (handle as usize, id as usize);
        // SAFETY: the kernel writes at most each part's length into it.
        let read = unsafe { svc(nr::READ_MSG, handle, id, offset as usize, address(&mut message)) }?;
        Ok(read as usize)
    }

    fn put_msg(&self, handle: u32, id: u32) -> Result<()> {
        // SAFETY: no pointers.
        unsafe { svc(nr::PUT_MSG, handle as usize, id as usize, 0, 0) }.map(drop)
    }

    fn send_msg(&self, handle: u32, parts: &[&[u8]]) -> Result<usize> {
        let mut iovecs = [NO_PART; PARTS];
        if parts.len() > PARTS {
            return Err(Error::InvalidArguments);
        }
        for (iovec, part) in iovecs.iter_mut().zip(parts) {
            *iovec = Iovec { base: part.as_ptr().cast_mut().cast(), length: part.len() };
        }
        let mut message = Message::new(&iovecs, parts.len());
        // SAFETY: the kernel only reads the parts.
        let sent = unsafe { svc(nr::SEND_MSG, handle as usize, address(&mut message), 0, 0) }?;
        Ok(sent as usize)
    }
}
