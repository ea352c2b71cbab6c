//! Run-time of a Rust trusted app (TA) for NVIDIA's Trusty on Tegra194 (L4T R32).
//!
//! A TA implements [`Service`] and hands it to [`trusted_app!`]; ports, heap and stack come from its
//! `[package.metadata.trusty]` through the build script of trusty-ta-build. [`Service`] knows no system calls, so its
//! logic is tested on the host like any other code; the rest exists only on the target without an OS.
//!
//! Limits: a message has at most [`MAX_MESSAGE`] bytes; a TA has at most [`MAX_PORTS`] ports; the heap has exactly the bytes
//! that the manifest asks for, and an allocation past them fails. Use `try_reserve`: a failed allocation that is not
//! handled ends the TA.
#![no_std]

mod manifest;
mod service;
#[cfg(target_os = "none")]
mod target;

pub use service::{ConnectResult, MAX_MESSAGE, MAX_PORTS, MessageResult, PortCfg, Service, Uuid};
#[cfg(target_os = "none")]
pub use target::{console, run};

/// Makes a program of a [`Service`]: `trusted_app!("echo-srv", expression)`.
///
/// The expression is evaluated once, when the heap is ready. The first argument is the name that console lines bear.
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

/// Prints a line on Trusty's console, with the TA's name in front. Does nothing on a host.
#[macro_export]
macro_rules! log {
    ($($arg:tt)*) => {{
        #[cfg(target_os = "none")]
        $crate::console(format_args!($($arg)*));
        #[cfg(not(target_os = "none"))]
        let _ = format_args!($($arg)*);
    }};
}
