//! The command line of carveout, as a library so that tests reach everything.

pub mod config;
pub mod error;
pub mod size;
pub mod stage;
pub mod tools;
pub mod ui;
pub mod workspace;
pub fn main() -> std::process::ExitCode {
    0.into()
}
