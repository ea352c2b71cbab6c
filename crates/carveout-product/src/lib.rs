//! Product configs and boards: YAML in, a checked [`Product`] out.

mod board;
mod board_file;
mod build;
mod check;
mod client;
pub mod errors;
mod file;
mod keys;
mod l4t;
mod locate;
mod mirror;
mod overrides;
mod product;
mod report;
mod rootfs;
pub mod workspace;
mod yaml;
mod yocto;

pub use board::{Board, L4tBoard, boards};
#[cfg(feature = "schema")]
pub use board_file::BoardFile;
pub use board_file::{Download, Module};
pub use build::Build;
pub use carveout_keys::pkcs11::PkcKey;
pub use check::load;
pub use client::{ClientApp, Deb};
#[cfg(feature = "schema")]
pub use file::ProductFile;
pub use file::{Eks, Monitor};
pub use l4t::L4t;
pub use mirror::{Mirror, SNAPSHOT};
pub use overrides::Overrides;
pub use product::{App, AppSource, Product};
pub use rootfs::{Rootfs, RootfsKind};
pub use yocto::Yocto;

#[cfg(test)]
mod tests;
