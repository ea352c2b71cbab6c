//! What a TA says of a port. Names as in AOSP Trusty's `tipc` crate.

use core::ffi::CStr;
use trusty_abi::port;

/// Most ports of one TA.
pub const MAX_PORTS: usize = 8;

/// A port and who may connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortCfg {
    /// Path, shorter than 64 bytes.
    pub path: &'static CStr,
    /// Flags of `port_create`.
    pub flags: u32,
    /// Receive buffers of each end of a connection.
    pub buffers: u32,
    /// Bytes of a receive buffer, and so of the longest message.
    pub buffer_size: u32,
}

impl PortCfg {
    /// A port to which nobody may connect yet, with buffers for bulk transfers: 16 of 4080 bytes. Both ends of each
    /// connection have so many, in the carve-out. The path has been checked by trusty-ta-build.
    pub const fn declared(path: &'static CStr) -> Self {
        Self { path, flags: 0, buffers: tipc_bulk::BUFFERS, buffer_size: tipc_bulk::MAX_MESSAGE as u32 }
    }

    /// Lets TAs connect.
    pub const fn allow_ta_connect(self) -> Self {
        Self { flags: self.flags | port::ALLOW_TA_CONNECT, ..self }
    }

    /// Lets Linux connect.
    pub const fn allow_ns_connect(self) -> Self {
        Self { flags: self.flags | port::ALLOW_NS_CONNECT, ..self }
    }

    /// Receive buffers of each end of a connection: 1 to 32.
    pub const fn msg_queue_len(self, buffers: u32) -> Self {
        Self { buffers, ..self }
    }

    /// Bytes of a receive buffer: 1 to 4096; from and to Linux 4080 can be used.
    pub const fn msg_max_size(self, buffer_size: u32) -> Self {
        Self { buffer_size, ..self }
    }
}
