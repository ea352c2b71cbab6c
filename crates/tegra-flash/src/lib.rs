//! Partition layouts of NVIDIA's Tegra flash tools, and what a change needs to be flashed. No I/O.
//!
//! * [`layout`]: the `flash_t194_*.xml` partition layout.
//! * [`scope`]: which change needs which flash: app, secure-os, full.
#![warn(clippy::indexing_slicing)]

pub mod layout;
pub mod scope;

pub use layout::{Device, Layout, LayoutError, Partition, Size};
pub use scope::Scope;
