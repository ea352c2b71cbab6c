//! What a trusted app (TA) did that stops all of Trusty, in plain words, without any I/O.
//!
//! * [`Symbols`]: names of functions, of a 32-bit TA or of the 64-bit kernel.
//! * [`Scene`]: what is known of a TA when it faults, as one sentence or as a report.
//!
//! Whoever runs a TA fills in a [`Scene`]: the emulator knows all of it, the console of the real kernel tells the registers
//! and the address alone.
#![warn(clippy::indexing_slicing)]

mod scene;
mod symbols;

pub use scene::{Access, HeapUse, Scene};
pub use symbols::Symbols;
