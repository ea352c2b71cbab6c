//! Calls to Trusty: fast, standard, and the QL-TIPC commands.

use crate::host::Host;
use core::arch::asm;
use core::cell::UnsafeCell;
use core::fmt;
use desk_firmware::smc::{self, ql, result};

/// Calls that Trusty may answer with BUSY before it is taken for dead.
const PATIENCE: u32 = 10_000;

/// Why nothing goes on.
pub enum Dead {
    /// Trusty says so.
    Panicked,
    /// It refuses what it must not.
    Refused(&'static str, i32),
    /// The loop has ended, which it never does.
    Ended,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked => write!(f, "panicked"),
            Self::Refused(call, code) => write!(f, "refused {call}: {code}"),
            Self::Ended => write!(f, "the agent has ended"),
        }
    }
}

/// What is shared with Trusty.
#[repr(C, align(4096))]
struct Buffer(UnsafeCell<[u8; ql::BUFFER]>);

// SAFETY: one CPU runs this code, and Trusty touches the buffer only during a call.
unsafe impl Sync for Buffer {}

static BUFFER: Buffer = Buffer(UnsafeCell::new([0; ql::BUFFER]));

/// What a command has brought.
pub struct Answer {
    /// The call's result: not negative, or of [`result`].
    pub result: i32,
    /// The handle in the header.
    pub handle: u32,
    /// Bytes of the payload.
    pub length: usize,
}

/// Trusty, and the buffer that is shared with it.
pub struct Trusty(());

/// One `smc`; arguments beyond the fourth are zero.
fn call(number: u32, [a, b, c]: [u64; 3]) -> i32 {
    let result: u64;
    // SAFETY: enters Trusty through the monitor, which gives all registers but x0 back as they were; Trusty writes to the
    // shared buffer, which is only accessed through pointers, and asm! is taken to change memory.
    unsafe {
        asm!(
            "dsb sy", "smc #0", "dsb sy",
            inout("x0") u64::from(number) => result,
            inout("x1") a => _, inout("x2") b => _, inout("x3") c => _,
            inout("x4") 0u64 => _, inout("x5") 0u64 => _, inout("x6") 0u64 => _, inout("x7") 0u64 => _,
            options(nostack)
        );
    }
    result as i32
}

impl Trusty {
    /// Before anything was said.
    pub fn new() -> Self {
        Self(())
    }

    fn buffer(&self) -> *mut u8 {
        BUFFER.0.get().cast()
    }

    /// Address and attributes of the buffer, as two 32-bit arguments.
    fn descriptor(&self) -> [u64; 2] {
        let descriptor = self.buffer() as u64 | ql::ATTRIBUTES;
        [descriptor & 0xffff_ffff, descriptor >> 32]
    }

    /// Agrees on the interface and shares the buffer.
    pub fn start(&mut self, host: &Host) -> Result<(), Dead> {
        let version = call(smc::API_VERSION, [smc::API_VERSION_SMP.into(), 0, 0]);
        if version == result::PANIC {
            return Err(Dead::Panicked);
        }
        if version != smc::API_VERSION_SMP.cast_signed() {
            return Err(Dead::Refused("version 3 of its interface", version));
        }
        let [low, high] = self.descriptor();
        let create = self.standard(smc::QL_CREATE, [low, high, ql::BUFFER as u64], host)?;
        if create == 0 { Ok(()) } else { Err(Dead::Refused("to create a QL-TIPC device", create)) }
    }

    /// Lets Trusty run until nothing of it can, or the host has something. Whether it could go on.
    pub fn run(&mut self, host: &Host) -> Result<bool, Dead> {
        match call(smc::NOP, [0; 3]) {
            result::NOP_DONE => Ok(false),
            result::NOP_INTERRUPTED | result::INTERRUPTED => {
                host.acknowledge();
                Ok(true)
            }
            result::PANIC => Err(Dead::Panicked),
            other => Err(Dead::Refused("to run", other)),
        }
    }

    /// Lets Trusty run until nothing of it can.
    pub fn run_all(&mut self, host: &Host) -> Result<(), Dead> {
        while self.run(host)? {}
        Ok(())
    }

    /// A standard call, to its end.
    fn standard(&mut self, number: u32, arguments: [u64; 3], host: &Host) -> Result<i32, Dead> {
        let mut busy = 0;
        let mut result = call(number, arguments);
        loop {
            result = match result {
                result::INTERRUPTED => {
                    host.acknowledge();
                    call(smc::RESTART_LAST, [0; 3])
                }
                result::FIQ_INTERRUPTED => call(smc::RESTART_FIQ, [0; 3]),
                result::CPU_IDLE => {
                    self.run(host)?;
                    call(smc::RESTART_LAST, [0; 3])
                }
                result::BUSY if busy < PATIENCE => {
                    busy += 1;
                    call(number, arguments)
                }
                result::PANIC => return Err(Dead::Panicked),
                other => return Ok(other),
            };
        }
    }

    /// A command: a header and a payload in, an answer out.
    pub fn command(&mut self, opcode: u16, handle: u32, payload: &[u8], host: &Host) -> Result<Answer, Dead> {
        let length = payload.len().min(ql::BUFFER - ql::HEADER);
        let [a, b] = opcode.to_le_bytes();
        let [i, j, k, l] = handle.to_le_bytes();
        let [m, n, o, p] = (length as u32).to_le_bytes();
        let header: [u8; ql::HEADER] = [a, b, 0, 0, 0, 0, 0, 0, i, j, k, l, m, n, o, p];
        // SAFETY: header and payload fit into the buffer, and nothing else refers to it.
        unsafe {
            core::ptr::copy_nonoverlapping(header.as_ptr(), self.buffer(), ql::HEADER);
            core::ptr::copy_nonoverlapping(payload.as_ptr(), self.buffer().add(ql::HEADER), length);
        }
        let [low, high] = self.descriptor();
        let size = (ql::HEADER + length) as u64;
        let result = self.standard(smc::QL_COMMAND, [low, high, size], host)?;
        if self.word(0) & u32::from(ql::RESPONSE) == 0 {
            return Err(Dead::Refused("a QL-TIPC command", result));
        }
        Ok(Answer {
            result,
            handle: self.word(8),
            length: (self.word(12) as usize).min(ql::BUFFER - ql::HEADER),
        })
    }

    /// A word of the buffer.
    fn word(&self, offset: usize) -> u32 {
        // SAFETY: offsets are constants within the buffer, and multiples of 4.
        unsafe { self.buffer().add(offset).cast::<u32>().read_volatile() }
    }

    /// Copies an answer's payload out, as much as fits. Returns how much.
    pub fn payload(&self, answer: &Answer, to: &mut [u8]) -> usize {
        let length = answer.length.min(to.len());
        // SAFETY: `length` bytes are within the buffer and within `to`.
        unsafe { core::ptr::copy_nonoverlapping(self.buffer().add(ql::HEADER), to.as_mut_ptr(), length) };
        length
    }
}
