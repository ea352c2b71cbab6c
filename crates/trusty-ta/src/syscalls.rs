//! The system calls, behind a trait: the kernel's own on Trusty, the model's in unit tests.

use core::ffi::CStr;
use trusty_abi::{Event, MessageInfo, Result, Uuid};

/// Most parts of a message.
pub const MAX_PARTS: usize = 4;

/// What the run-time asks of a kernel. Timeouts are in milliseconds.
pub trait Syscalls {
    /// Writes text on the console.
    fn write(&self, text: &[u8]);
    /// Sleeps for some nanoseconds; the kernel rounds up to milliseconds.
    fn nanosleep(&self, nanoseconds: u64) -> Result<()>;
    /// Nanoseconds since the kernel has started.
    fn gettime(&self) -> Result<u64>;
    /// Publishes a port.
    fn port_create(&self, path: &CStr, buffers: u32, buffer_size: u32, flags: u32) -> Result<u32>;
    /// Connects to a port.
    fn connect(&self, path: &CStr, flags: u32) -> Result<u32>;
    /// Accepts a client.
    fn accept(&self, port: u32) -> Result<(u32, Uuid)>;
    /// Closes a handle.
    fn close(&self, handle: u32) -> Result<()>;
    /// Gives a handle a value that its events bear.
    fn set_cookie(&self, handle: u32, cookie: u32) -> Result<()>;
    /// Waits for an event of a handle.
    fn wait(&self, handle: u32, timeout: u32) -> Result<Event>;
    /// Waits for an event of any handle.
    fn wait_any(&self, timeout: u32) -> Result<Event>;
    /// Takes the next message of a channel into reading.
    fn get_msg(&self, handle: u32) -> Result<MessageInfo>;
    /// Reads a message from an offset into parts, as far as they reach. Returns the bytes read.
    fn read_msg(&self, handle: u32, id: u32, offset: u32, parts: &mut [&mut [u8]]) -> Result<usize>;
    /// Retires a message.
    fn put_msg(&self, handle: u32, id: u32) -> Result<()>;
    /// Sends parts as one message. Returns the bytes that the peer's receive buffer has taken.
    fn send_msg(&self, handle: u32, parts: &[&[u8]]) -> Result<usize>;
}
