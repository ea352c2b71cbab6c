//! Linux on the desk: Debian's kernel boots a root filesystem in QEMU, with Trusty's device in it.
//!
//! [`guest`] is the machine, `crates/desk-guest` the program in it, [`relay`] leads its messages to what runs the trusted apps.

pub mod boot;
pub mod commands;
mod console;
pub mod disk;
pub mod guest;
pub mod initramfs;
pub mod input;
pub mod kernel;
mod qmp;
pub mod relay;
mod request;
pub mod snapshot;

pub use boot::{LinuxBoot, RUNNING};
pub use request::LinuxRequest;
