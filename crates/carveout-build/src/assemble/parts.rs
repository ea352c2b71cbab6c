//! The parts of a bundle that another build system has made: a JSON file.

use crate::errors::AssembleError;
use bundle::{NAME, VERSION, is_plain};
use carveout_host::error::Result;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trusty_image::{Tzdram, TzdramText, TzdramTextError};

/// What a bundle is made of. Paths are absolute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssembledParts {
    /// The product's name.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// Devices that have had a larger one refuse it.
    pub security_version: u32,
    /// The board it is for.
    pub board: String,
    /// The carve-out, as people write sizes.
    pub tzdram: TzdramText,
    /// TAs, in the order of the image.
    pub trusted_apps: Vec<AppPart>,
    /// The secure-os image.
    pub secure_os: PathBuf,
    /// Its kernel as an ELF file without debug information.
    pub kernel_symbols: Option<PathBuf>,
    /// Misc boot configs: of the cold boot and of flashing.
    pub boot_config: Vec<PathBuf>,
    /// The partition layout.
    pub layout: PathBuf,
    /// Packages of the client apps.
    pub client_apps: Vec<PathBuf>,
    /// Bytes of the partition APP.
    pub app_size: u64,
    /// The root filesystem and meta-tegra's flash package; none of a bundle of parts.
    pub image: Option<ImagePart>,
    /// What the parts were built from.
    pub inputs: InputsPart,
}

/// A TA.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppPart {
    /// Its name.
    pub name: String,
    /// Its ELF file.
    pub elf: PathBuf,
    /// The Cargo.toml that declares it; none of a finished ELF file.
    pub declared: Option<PathBuf>,
}

/// An image that BitBake has made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePart {
    /// The root filesystem as an ext4 image.
    pub rootfs: PathBuf,
    /// The packages in it, a line each.
    pub packages: PathBuf,
    /// meta-tegra's flash package, a tarball.
    pub flash_package: PathBuf,
    /// What the root filesystem is called in the flash package: it is left out there.
    pub rootfs_name: String,
    /// meta-tegra's bootloader update payload, for all modules; none if it has made none.
    #[serde(default)]
    pub update_payload: Option<PathBuf>,
}

/// What the parts were built from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputsPart {
    /// SHA-256 of the config.
    pub config: String,
    /// Git commit of the workspace.
    pub git_revision: Option<String>,
    /// Tools and layers with their versions.
    pub toolchains: BTreeMap<String, String>,
    /// L4T release.
    pub bsp: Option<String>,
}

impl AssembledParts {
    /// Refuses what cannot become a bundle. `path` is the file's own. Returns the carve-out.
    pub fn check(&self, path: &Path) -> Result<Tzdram> {
        let path = path.to_owned();
        for (key, value, allowed) in
            [("name", &self.name, NAME), ("version", &self.version, VERSION), ("board", &self.board, NAME)]
        {
            if !is_plain(value, allowed) {
                return Err(AssembleError::BadName { path, key, value: value.clone(), allowed }.into());
            }
        }
        if let Some(app) = self.trusted_apps.iter().find(|app| !is_plain(&app.name, NAME)) {
            return Err(AssembleError::BadAppName { path, name: app.name.clone() }.into());
        }
        if self.inputs.config.len() != 64 || !self.inputs.config.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(AssembleError::ConfigDigest { path }.into());
        }
        match self.boot_config.as_slice() {
            [a, b] if a.file_name() != b.file_name() => {}
            _ => return Err(AssembleError::BootConfig { path }.into()),
        }
        self.tzdram.read(None).map_err(|error| match error {
            TzdramTextError::NotASize { why, .. } => AssembleError::BadSize { path, why }.into(),
            TzdramTextError::Impossible(error) => {
                AssembleError::CarveOut { path, source: error.into() }.into()
            }
        })
    }
}
