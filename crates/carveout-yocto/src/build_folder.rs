//! Where BitBake builds a product.

use crate::layers::Layers;
use crate::user::User;
use std::path::PathBuf;

/// A product's build folder.
pub struct Setup {
    /// The folder.
    pub build: PathBuf,
    /// The layers.
    pub layers: Layers,
    /// Who runs BitBake.
    pub user: User,
    /// meta-tegra's MACHINE.
    pub machine: String,
}

impl Setup {
    /// Where the recipe of the bundle puts it.
    pub fn bundles(&self) -> PathBuf {
        self.build.join("tmp/deploy/images").join(&self.machine).join("carveout")
    }
}
