//! What the host and its program in the guest say to each other, on two virtio-serial ports.
//!
//! The program itself is `src/main.rs`: the first program of the initramfs, then a process beside the system's own init. It makes
//! `/dev/trusty-ipc-dev0` and runs the host's commands. Nothing of it is in the root filesystem.

pub mod link;
