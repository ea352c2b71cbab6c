//! Jetson boards with L4T R32.

mod board;
mod commands;
mod state;
mod text;

pub use board::Jetson;
pub use commands::{confirm, install, rollback, status};
pub use text::text;
