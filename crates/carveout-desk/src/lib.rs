//! The very secure-os image on the desk: QEMU boots its kernel in the bundle's carve-out, and clients reach its trusted apps.
//!
//! [`crate::qemu`] starts the machine with the firmware of crates/desk-firmware; `link` speaks with the agent in it;
//! [`run`] serves clients on the socket that the unicorn emulator has, too.

pub mod console;
pub mod device_keys;
pub mod emulate;
pub mod emulator;
mod ends;
pub mod errors;
pub mod fault;
mod firmware;
mod image;
mod link;
pub mod linux;
pub mod machine;
pub mod qemu;
pub mod results;
pub mod run;
pub mod symbols;
mod workshop;

pub use firmware::{AGENT, MONITOR, PACKAGE, TEST_KERNEL};
pub use image::{BootImage, has_kernel};
pub use machine::{Desk, Fate, Setup};
pub use workshop::Workshop;
