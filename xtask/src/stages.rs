//! The stages of a build, one module each, and what they share.

pub mod boot_config;
pub mod bsp;
pub mod bundle;
pub mod client_apps;
pub mod flash_package;
pub mod kernel;
pub mod plan;
pub mod rootfs;
pub mod secure_os;
pub mod sources;
pub mod trusted_apps;

use crate::config::Product;
use crate::dirs::Dirs;
use crate::stage::Cache;
use crate::toolchain::Toolchains;
use crate::ui::Ui;
use crate::workspace::Workspace;
use std::path::PathBuf;
use std::sync::OnceLock;

pub use crate::stage::EPOCH;

/// Everything a stage may use.
pub struct Build<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// What to build.
    pub product: &'a Product,
    /// Results.
    pub cache: Cache<'a>,
    /// Compilers.
    pub toolchains: Toolchains<'a>,
    /// Progress.
    pub ui: &'a Ui,
    /// Whether the network is forbidden.
    pub offline: bool,
    /// The digest of NVIDIA's sources, when a stage has read them.
    pub sources: OnceLock<String>,
}

impl<'a> Build<'a> {
    /// A build in the workspace's target folder.
    pub fn new(workspace: &'a Workspace, product: &'a Product, offline: bool, ui: &'a Ui) -> Self {
        let cache = Cache::new(&Dirs::of(&workspace.root).home(), ui);
        let toolchains = Toolchains::new(&workspace.root, offline, ui);
        Self { workspace, product, cache, toolchains, ui, offline, sources: OnceLock::new() }
    }

    /// Where things lie.
    pub fn dirs(&self) -> Dirs {
        Dirs::of(&self.workspace.root)
    }

    /// cargo's folder for intermediate files of cross builds.
    fn cargo_dir(&self, name: &str) -> PathBuf {
        self.dirs().home().join("cargo").join(name)
    }
}
