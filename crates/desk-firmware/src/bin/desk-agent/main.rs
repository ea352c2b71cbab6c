//! The non-secure agent: stands in for Linux and its TIPC driver.
//!
//! It takes frames from the host (`desk_firmware::link`), speaks QL-TIPC with Trusty, and lets Trusty run whenever there is
//! something to run. It sleeps (`wfi`) when neither has anything: a frame or Trusty's own timer wakes it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod connections;
#[cfg(target_os = "none")]
mod host;
#[cfg(target_os = "none")]
mod interrupts;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod trusty;
#[cfg(target_os = "none")]
mod virtio;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("desk-agent is firmware: cargo xtask emulate boots it");
}
