//! Run-time of a Rust trusted app (TA) for NVIDIA's Trusty on Tegra194 (L4T R32).
//!
//! A TA implements [`Service`] and hands it to [`trusted_app!`]; ports, heap and stack come from its
//! `[package.metadata.trusty]` through the build script of trusty-ta-build. Names are those of AOSP Trusty's `tipc` crate
//! where it has the same thing, so that a TA moves between the two with little change.
//!
//! * [`Handle`], [`Port`], [`Message`]: channels, ports and messages, closed or retired on drop.
//! * [`Manager`]: serves all ports and connections, one state each.
//! * [`bulk`]: transfers of up to 4 GiB - 1 over messages of 4080 bytes, into place and out of place.
//! * [`hwkey`], [`sealed`]: keys of the device from NVIDIA's hwkey-agent, and what is sealed with them.
//! * [`rng`]: random numbers, and the hooks of getrandom 0.2, 0.3 and 0.4.
//! * [`heap`]: what is used of the heap, and what is free.
//! * [`log!`], [`time`]: console and clock.
//! * [`raw`]: any system call.
//! * [`testing`]: the kernel in memory. The same code, [`Service`] and event loop, runs in unit tests on a host.
//!
//! Limits: a message from or to Linux has at most [`MAX_MESSAGE`] bytes; a TA has at most [`MAX_PORTS`] ports,
//! [`CONNECTIONS`] connections and 128 handles in all; the heap has exactly the bytes that the manifest asks for, and an
//! allocation past them fails. Use `try_reserve`: a failed allocation that is not handled ends the TA.
//!
//! A panic prints its message on the console, or the state of the heap if an allocation failed, and who called
//! ([`trusty_abi::last_words`]); closes all handles (the kernel does not, and clients would hang), and ends the TA.
#![no_std]
#![warn(clippy::indexing_slicing)]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;

pub mod bulk;
mod console;
mod event_loop;
#[cfg(any(test, target_os = "none"))]
mod growing;
mod handle;
pub mod heap;
pub mod hwkey;
mod kernel;
mod manifest;
mod port;
pub mod raw;
pub mod rng;
pub mod sealed;
mod service;
pub mod storage;
mod syscalls;
#[cfg(target_os = "none")]
mod target;
#[cfg(not(target_os = "none"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod time;
pub mod whole;

pub use console::console;
pub use event_loop::{CONNECTIONS, Manager};
pub use handle::{Handle, Message, Port};
pub use port::{MAX_PORTS, PortCfg};
pub use service::{ConnectResult, MessageResult, Service};
pub use syscalls::Syscalls;
#[cfg(target_os = "none")]
pub use target::run;
pub use tipc_bulk::MAX_MESSAGE;
pub use trusty_abi::{Error as TipcError, Event, Result, Uuid, event};

/// Makes a program of a [`Service`]: `trusted_app!("echo-srv", expression)`.
///
/// The expression is evaluated once, when the heap is ready. The first argument is the name that console lines bear.
/// `crate::UUID` is the identity of the Cargo.toml.
/// On a host the program only says what it is, so that the workspace builds and its tests run there.
#[macro_export]
macro_rules! trusted_app {
    ($name:literal, $service:expr) => {
        include!(concat!(env!("OUT_DIR"), "/trusted_app.rs"));

        /// Where the kernel starts the TA.
        #[cfg(target_os = "none")]
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".text._start")]
        extern "C" fn _start() -> ! {
            $crate::run($name, &TRUSTY_MANIFEST, PORTS, || $service)
        }

        #[cfg(not(target_os = "none"))]
        fn main() -> std::process::ExitCode {
            let _ = (PORTS, || $service);
            eprintln!("{} is a trusted app: build it with `cargo xtask trusted-apps`", $name);
            std::process::ExitCode::from(2)
        }
    };
}

/// Prints a line on Trusty's console, with the TA's name in front. In unit tests it goes to [`testing::World::console`].
#[macro_export]
macro_rules! log {
    ($($arg:tt)*) => {
        $crate::console(format_args!($($arg)*))
    };
}
