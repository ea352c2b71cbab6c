//! A kernel for tests: obeys Trusty's boot contract, and answers QL-TIPC on a few ports of its own.
//!
//! | port | does |
//! |---|---|
//! | `test.echo` | sends each message back |
//! | `test.small` | the same, with one receive buffer of 16 bytes: longer messages are cut |
//! | `test.late` | answers 20 ms later, by the secure timer's interrupt |
//! | `test.never` | never accepts |
//! | `test.hang-up` | closes at the first message |
//! | `test.chatty` | sends the numbers 0 to 999 by itself, in messages of 4 bytes, as fast as it is let |
//! | `test.size` | sends the bytes of memory that the kernel was given |
//! | `test.device` | reads a device that is not there; sends what came |
//! | `test.bus` | a message of two words writes the second to the address in the first; of one word, reads there and sends what came |
//! | `test.beyond` | writes one byte behind its memory |
//! | `test.never-mind` | accepts, and fetches no message |
//! | `test.console` | writes each message on the console, as a trusted app does, and sends it back |
//! | `test.panic` | panics, as LK does |
//! | `com.carveout.…` | as `test.echo`, for bundles with trusted apps that this kernel does not run; `…unchecked-srv` panics |
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod channels;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod memory;
#[cfg(target_os = "none")]
mod monitor;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod timer;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("desk-test-kernel is firmware: the tests of xtask boot it");
}
