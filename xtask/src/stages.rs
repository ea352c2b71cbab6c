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
use crate::error::{At, Result};
use crate::stage::Cache;
use crate::toolchain::Toolchains;
use crate::ui::Ui;
use crate::workspace::Workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Time that outputs bear, in seconds since 1970 (2025-01-01): no output tells when it was built.
pub const EPOCH: u64 = 1_735_689_600;

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
        let cache = Cache::new(&home(&workspace.root), ui);
        let toolchains = Toolchains::new(&workspace.root, offline, ui);
        Self { workspace, product, cache, toolchains, ui, offline, sources: OnceLock::new() }
    }

    /// cargo's folder for intermediate files of cross builds.
    fn cargo_dir(&self, name: &str) -> PathBuf {
        home(&self.workspace.root).join("cargo").join(name)
    }
}

/// Where all that a build makes lies.
pub fn home(root: &Path) -> PathBuf {
    root.join("target/carveout")
}

/// The folder of logs, which is there from then on.
pub fn logs(root: &Path) -> Result<PathBuf> {
    let logs = home(root).join("logs");
    fs::create_dir_all(&logs).at(&logs)?;
    Ok(logs)
}
