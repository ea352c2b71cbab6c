//! Calls between the worlds: Trusty's secure-monitor interface (`lib/sm` of its sources), as far as it is used.

/// From Trusty: back to the non-secure side, with a result in x1. The monitor's own.
pub const NS_RETURN: u32 = 0x3c00_0000;
/// To Trusty: go on with the standard call that was interrupted.
pub const RESTART_LAST: u32 = 0x3c00_0000;
/// To Trusty: go on after a FIQ.
pub const RESTART_FIQ: u32 = 0x3c00_0002;
/// To Trusty: run whatever can run.
pub const NOP: u32 = 0x3c00_0003;
/// To Trusty: agree on a version of this interface.
pub const API_VERSION: u32 = 0xbc00_000b;
/// The version that is asked for: the first with CPU_IDLE and NOP results.
pub const API_VERSION_SMP: u32 = 3;
/// To Trusty: share a buffer for QL-TIPC.
pub const QL_CREATE: u32 = 0x3200_001e;
/// To Trusty: do the command in the shared buffer.
pub const QL_COMMAND: u32 = 0x3200_0020;

/// What Trusty returns (`sm_err.h`).
pub mod result {
    /// No such call.
    pub const UNDEFINED: i32 = -1;
    /// An argument that must not be.
    pub const INVALID_PARAMETERS: i32 = -2;
    /// Interrupted: restart.
    pub const INTERRUPTED: i32 = -3;
    /// What a command refuses, whatever LK's own reason is: Trusty does not pass it on.
    pub const INTERNAL_FAILURE: i32 = -7;
    /// Another call is under way: again.
    pub const BUSY: i32 = -5;
    /// Trusty is dead.
    pub const PANIC: i32 = -11;
    /// Interrupted by a FIQ: restart.
    pub const FIQ_INTERRUPTED: i32 = -12;
    /// The call waits for something: let Trusty run, then restart.
    pub const CPU_IDLE: i32 = -13;
    /// A NOP was interrupted.
    pub const NOP_INTERRUPTED: i32 = -14;
    /// A NOP is done: nothing is left to run.
    pub const NOP_DONE: i32 = -15;
}

/// QL-TIPC (`tipc_dev_ql.c`): a header and a payload in the shared buffer.
pub mod ql {
    /// Connect to a port; payload: u64 cookie, u64 0, the name with its NUL.
    pub const CONNECT: u16 = 1;
    /// Ask for an event of one channel; payload: 8 bytes. With handle 0 and nothing pending Trusty panics: never ask so.
    pub const GET_EVENT: u16 = 2;
    /// Send a message.
    pub const SEND: u16 = 3;
    /// Fetch a message.
    pub const RECV: u16 = 4;
    /// Close a channel.
    pub const DISCONNECT: u16 = 5;
    /// Set in the opcode when the command is done.
    pub const RESPONSE: u16 = 0x8000;
    /// Bytes of the header: u16 opcode, u16 flags, u32 status, u32 handle, u32 payload length.
    pub const HEADER: usize = 16;
    /// Bytes of the shared buffer: a message of 4096 bytes and its header.
    pub const BUFFER: usize = 8192;
    /// Channels that one device has.
    pub const CHANNELS: usize = 32;
    /// How the buffer is mapped, beside its address: write-back, inner shareable, accessible from EL1.
    pub const ATTRIBUTES: u64 = 0xff << 48 | 3 << 8;
}
