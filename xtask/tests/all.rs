//! All tests of the command line as a whole, in one binary: `cargo xtask test` runs them, each in a process of its own.
//!
//! `cargo nextest run -p xtask --test all hostile::` runs some of them.

#[path = "browser/main.rs"]
mod browser;
#[path = "builds/main.rs"]
mod builds;
mod cli;
#[path = "hostile/main.rs"]
mod hostile;
mod layer;
mod licences;
mod npm;
mod pages;
mod reference;
#[path = "report/main.rs"]
mod report;
mod restore;
mod rooms;
mod schema;
mod signing;
mod tidy;
mod token;
mod yocto;
