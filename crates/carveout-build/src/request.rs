//! What a build is asked for.

use carveout_product::Overrides;
use std::path::PathBuf;

/// The product config that is meant where none is named.
pub const DEFAULT_CONFIG: &str = "configs/desk.yaml";

/// What is to be built.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The product config.
    pub config: PathBuf,
    /// What the command line says instead of it.
    pub overrides: Overrides,
    /// Use no network.
    pub offline: bool,
}

/// What is booted before a bundle gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boots {
    /// The secure-os image, where it has a kernel.
    pub kernel: bool,
    /// Linux, from the root filesystem.
    pub linux: bool,
}

impl Default for BuildRequest {
    fn default() -> Self {
        Self { config: DEFAULT_CONFIG.into(), overrides: Overrides::default(), offline: false }
    }
}

impl BuildRequest {
    /// The same without a root filesystem.
    pub fn without_rootfs(&self) -> Self {
        let overrides = Overrides { without_rootfs: true, ..self.overrides.clone() };
        Self { overrides, ..self.clone() }
    }
}
