//! Whole builds, as a user runs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bundle;
mod c_app;
mod conformance;
mod contained;
mod debug;
mod desk;
mod elsewhere;
mod emulate;
mod entries;
mod errors;
mod field;
mod fuzz;
mod guides;
mod jetson;
mod linux;
mod manual;
mod pinned;
mod program;
mod recipes;
mod reproducible;
mod rootfs;
pub mod team;
pub mod util;
pub mod vault;
mod yocto;
