//! What a trusted app (TA) did that stops all of Trusty, in plain words, without any I/O.
//!
//! * [`Symbols`]: names of functions, of a 32-bit TA or of the 64-bit kernel.
//! * [`Program`]: a TA's code: names, files and lines of its addresses, and who called whom.
//! * [`Scene`]: what is known of a TA when it faults, as one sentence or as a report.
//! * [`Listener`], [`Ending`]: a TA that ends by itself, by what it says on the console.
//! * [`core_file`]: registers and memory at a fault, for gdb.
//!
//! Whoever runs a TA fills in a [`Scene`]: the emulator knows all of it, the console of the real kernel tells the registers
//! and the address alone.
#![warn(clippy::indexing_slicing)]

mod core_file;
mod ending;
mod lines;
mod program;
mod scene;
mod symbols;
mod unwind;

pub use core_file::{CoreSignal, core_file};
pub use ending::{Ending, Listener, Reason};
pub use lines::Place;
pub use program::Program;
pub use scene::{Access, HeapUse, Scene};
pub use symbols::Symbols;
