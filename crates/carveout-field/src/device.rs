//! Devices: files of the virt board; and Jetson boards in recovery mode, driven with NVIDIA's tools out of a bundle.
//!
//! The steps are those of NVIDIA's own `nvaflash.sh`, one call of a tool each. What NVIDIA's scripts take for success is not
//! enough here: exit code and words must both be good, and what was written is read back.

pub mod card;
pub mod disk;
pub mod package;
pub mod record;
pub mod seen;
pub mod session;
pub mod tool;
pub mod usb;

/// What only root may do.
pub const USB_REMEDY: &str = "run the command with sudo: only root reaches boards over USB";
