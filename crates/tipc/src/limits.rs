//! Limits of ports.

/// Longest port name.
pub const MAX_PORT: usize = trusty_abi::limit::PORT_PATH - 1;
