//! What a command stands on: errors, what it prints, processes, files, folders, programs and packages of the host.

pub mod dirs;
pub mod error;
pub mod errors;
pub mod files;
pub mod interrupt;
pub mod loader;
pub mod outcome;
pub mod packages;
pub mod process;
pub mod sparse;
pub mod text;
pub mod toolchain;
pub mod tools;
pub mod ui;

pub use trusty_image::size;
