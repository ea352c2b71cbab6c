//! What a TA is, without system calls. Names as in AOSP Trusty's `tipc` crate.

use core::ffi::CStr;

pub use tipc_bulk::MAX_MESSAGE;

/// Most ports of one TA.
pub const MAX_PORTS: usize = 8;

/// A peer's identity, as the kernel gives it: `u32`, `u16`, `u16` little endian, `u8[8]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(4))]
pub struct Uuid(pub [u8; 16]);

/// A port and who may connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortCfg {
    /// Path, shorter than 64 bytes.
    pub path: &'static CStr,
    /// Flags of `port_create`: 1 = TAs, 2 = Linux.
    pub flags: u32,
}

impl PortCfg {
    /// A port to which nobody may connect yet. The path has been checked by trusty-ta-build.
    pub const fn declared(path: &'static CStr) -> Self {
        Self { path, flags: 0 }
    }

    /// Lets TAs connect.
    pub const fn allow_ta_connect(self) -> Self {
        Self { flags: self.flags | 1, ..self }
    }

    /// Lets Linux connect.
    pub const fn allow_ns_connect(self) -> Self {
        Self { flags: self.flags | 2, ..self }
    }
}

/// Answer to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectResult<C> {
    /// Serve it, with this state.
    Accept(C),
    /// Close it.
    CloseConnection,
}

/// Answer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageResult {
    /// Send the first so many bytes of the reply buffer.
    Reply(usize),
    /// Send nothing.
    MaintainConnection,
    /// Close the connection.
    CloseConnection,
}

/// The logic of a TA.
pub trait Service {
    /// State of one connection.
    type Connection;

    /// A peer has connected to a port.
    fn on_connect(&mut self, port: &PortCfg, peer: &Uuid) -> ConnectResult<Self::Connection>;

    /// A peer has sent a message. `reply` is as large as the largest message.
    fn on_message(
        &mut self,
        connection: &mut Self::Connection,
        message: &[u8],
        reply: &mut [u8; MAX_MESSAGE],
    ) -> MessageResult;

    /// A connection has ended, from either side.
    fn on_disconnect(&mut self, connection: Self::Connection);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_flags_are_the_kernels() {
        let port = PortCfg::declared(c"a");
        assert_eq!(port.flags, 0);
        assert_eq!(port.allow_ta_connect().flags, 1);
        assert_eq!(port.allow_ta_connect().allow_ns_connect().flags, 3);
    }
}
