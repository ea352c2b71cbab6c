//! EL3 monitor and secure stage 2: boots Trusty as a board's firmware does, and stands in for Tegra194's devices.
//!
//! Contract with Trusty (as MB2 and ATF keep it on a board): it starts at its load address at S-EL1 with the MMU off, x0 =
//! bytes of memory from there on, x1 = boot parameters in non-secure memory, x2 = their size, x3 = 0. It returns to the
//! non-secure side by `smc` `NS_RETURN` with the result in x1, and is entered again with the next call's x0 to x7.
//!
//! Privileged code, and nothing checks it but this page and the tests: all tables and contexts lie in secure RAM, which
//! neither world can reach through stage 2; the non-secure side sees non-secure DRAM and devices; Trusty sees its carve-out,
//! byte for byte, non-secure DRAM as non-secure, and the devices that `map` names.
//!
//! Every line on serial port 1 is for the host, which knows the first words: `fatal:`, `device:`, `timer:`, `panic:`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod context;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod gic;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod secure_timer;
#[cfg(target_os = "none")]
mod security_engine;
#[cfg(target_os = "none")]
mod stage2;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod worlds;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("desk-monitor is firmware: cargo xtask emulate boots it");
}
