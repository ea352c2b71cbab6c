//! The version of the format.

/// Version of the format.
pub const VERSION: u8 = 1;
