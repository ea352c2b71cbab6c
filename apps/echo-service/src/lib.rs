//! Echo by bulk transfers: what `echo-srv` and `small-echo-srv` do.
//!
//! A client opens a transfer and gets its bytes back by another. The transfer's tag says how:
//!
//! * [`HOLD`]: f32 values that the TA takes whole, into memory that it asked for when it started, and then sends back.
//!   A request for more than there is room for is refused with both sizes, and the TA goes on serving. One client at a
//!   time has the room.
//! * [`STREAM`]: any number of bytes, sent back as they come. The TA needs one message of memory, whatever their number.
#![no_std]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod service;
#[cfg(test)]
mod tests;

pub use service::EchoService;

/// Tag of a transfer of f32 values, little endian, that is held whole.
pub const HOLD: u32 = 1;
/// Tag of a transfer that is sent back as it comes.
pub const STREAM: u32 = 2;
/// Bytes of a value.
pub const VALUE: usize = 4;
