//! What a stage may use.

use crate::product::Product;
use crate::workspace::Workspace;
use carveout_host::dirs::Dirs;
use carveout_host::toolchain::Toolchains;
use carveout_host::ui::Ui;
use stage_cache::Cache;
use std::path::PathBuf;
use std::sync::OnceLock;

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
    pub fn cargo_dir(&self, name: &str) -> PathBuf {
        self.dirs().home().join("cargo").join(name)
    }
}
