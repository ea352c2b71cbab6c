//! The attacks that carveout was given, each with its right answer: one module for each kind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod emulate;
mod flash;
mod kit;
mod limits;
mod mutated;
mod new;
mod process;
mod rootfs;

mod download;
mod files;
mod release;
mod terminal;
