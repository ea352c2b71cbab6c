//! Formats of NVIDIA's Trusty for Tegra194 and Tegra186 (L4T R32), without any I/O.
//!
//! * [`container`]: the `NVTOSP` secure-os image that the boot loader reads.
//! * [`elf`], [`rules`]: what the kernel's loader demands of a trusted app (TA).
//! * [`manifest`]: the words of `.trusty_app.manifest`, read and patched in place.
//! * [`tasks`]: TAs one behind the other, as the kernel build concatenates them.
//! * [`size`], [`tzdram`]: sizes as people write them, and the carve-out.
//! * [`budget`]: what a set of TAs takes of the TZDRAM carve-out.
//! * [`plan`]: the whole of it, with findings and advice.
//! * [`soc`], [`monitor`]: the SoCs, and of which one a monitor is.
//! * [`stock`]: NVIDIA's own TAs.
//! * [`strip`]: a TA without its debug information.
//! * [`limits`]: every figure the others rest on, with its source.
//!
//! Nothing here panics on any input: all reads are bounds-checked.
#![warn(clippy::indexing_slicing)]

pub mod budget;
pub mod bytes;
pub mod container;
pub mod elf;
pub mod limits;
pub mod manifest;
pub mod monitor;
pub mod plan;
pub mod rules;
pub mod size;
pub mod soc;
pub mod stock;
pub mod strip;
pub mod tasks;
#[cfg(any(test, feature = "test-elf"))]
pub mod test_elf;
pub mod tzdram;

pub use budget::{AppMemory, Budget};
pub use container::{Container, ContainerError, TosType};
pub use manifest::{Manifest, ManifestError};
pub use plan::Plan;
pub use rules::{Finding, Rule, TrustedApp, check, inspect};
pub use soc::Soc;
pub use strip::strip_debug;
pub use tzdram::{Tzdram, TzdramError, TzdramText, TzdramTextError};
