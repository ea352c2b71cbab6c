//! Jetson boards with L4T R32.

mod board;
mod commands;
mod state;

pub use board::Jetson;
pub use commands::{confirm, install, rollback, status};
