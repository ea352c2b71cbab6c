//! Boards: `configs/boards/<name>.yaml`.

mod check;
mod files;
mod said;

use super::board_file::{Downloads, Module};
use super::rootfs::image_size;
use crate::errors::{BoardError, ConfigError};
use bundle::Recovery;
use carveout_host::error::{Error, Result};
use files::Files;
use said::{Placed, Said, known};
use stage_cache::Key;
use std::path::{Component, Path, PathBuf};
use trusty_image::Soc;

pub use said::boards;

/// Bytes of a module's name in update payloads, at most.
const MOST_SPEC: usize = 63;

/// A board.
#[derive(Clone, Debug)]
pub struct Board {
    /// Its name.
    pub name: String,
    /// Its file, and those of the boards that it extends.
    files: Files,
    /// Misc boot config of the cold boot. Of an L4T board these three are paths within the BSP.
    pub cold_boot: PathBuf,
    /// Misc boot config while flashing, the same one on boards that have only that.
    pub flash: PathBuf,
    /// Partition layout.
    pub layout: PathBuf,
    /// What a board with NVIDIA's L4T has besides.
    pub l4t: Option<L4tBoard>,
}

/// What a board with NVIDIA's L4T has besides.
#[derive(Clone, Debug)]
pub struct L4tBoard {
    /// Its SoC.
    pub soc: Soc,
    /// Name of the board for NVIDIA's scripts.
    pub flash_name: String,
    /// Its root device, likewise.
    pub root_device: String,
    /// meta-tegra's MACHINE.
    pub machine: String,
    /// NVIDIA's secure-os image in the BSP.
    pub secure_os: PathBuf,
    /// Bytes of the partition APP where the product has no root filesystem.
    pub app_size: u64,
    /// What it is in recovery mode.
    pub recovery: Recovery,
    /// The modules that may sit on it.
    pub modules: Vec<Module>,
    /// Pinned downloads.
    pub downloads: Downloads,
}

impl Board {
    /// Reads a board's file. The error is a text for whoever named the board.
    pub fn load(root: &Path, name: &str) -> Result<Result<Self, String>> {
        Ok(Self::find(root, name)?.map_err(|unknown| unknown.to_string()))
    }

    /// Reads a board's file. The inner error is told of whatever named the board.
    pub(crate) fn find(root: &Path, name: &str) -> Result<Result<Self, BoardError>> {
        if let Err(unknown) = known(root, name) {
            return Ok(Err(unknown));
        }
        Self::whole(Said::read(root, name)?, name).map(Ok)
    }

    /// The board, if nothing of it is missing.
    fn whole(said: Said, name: &str) -> Result<Self> {
        let Said { files, boot_config, layout, l4t } = said;
        let lacks = |key| files.at(key, BoardError::Lacks);
        let found = |key, placed: Placed| match l4t {
            Some(_) => in_bsp(&files, key, placed.path),
            None => beside(&files, key, placed),
        };
        let (cold_boot, flash) = boot_config.ok_or_else(|| lacks("boot_config"))?;
        let cold_boot = found("boot_config.cold_boot", cold_boot)?;
        let flash = flash.map(|flash| found("boot_config.flash", flash)).transpose()?;
        if flash.as_ref().is_some_and(|flash| flash.file_name() == cold_boot.file_name()) {
            return Err(files.at("boot_config.flash", BoardError::SameBootConfigs));
        }
        let flash = flash.unwrap_or_else(|| cold_boot.clone());
        let layout = found("layout", layout.ok_or_else(|| lacks("layout"))?)?;
        let secure_os = |path| in_bsp(&files, "l4t.secure_os", path);
        let app_size = |text: String| image_size(&text).map_err(|fault| files.at("l4t.app_size", fault));
        let l4t = l4t.clone().map(|l4t| -> Result<_> {
            Ok(L4tBoard {
                soc: l4t.soc.ok_or_else(|| lacks("l4t.soc"))?,
                recovery: l4t.recovery.ok_or_else(|| lacks("l4t.recovery"))?,
                flash_name: l4t.flash_name.ok_or_else(|| lacks("l4t.flash_name"))?,
                root_device: l4t.root_device.ok_or_else(|| lacks("l4t.root_device"))?,
                machine: l4t.machine.ok_or_else(|| lacks("l4t.machine"))?,
                secure_os: l4t.secure_os.ok_or_else(|| lacks("l4t.secure_os")).and_then(secure_os)?,
                app_size: l4t.app_size.ok_or_else(|| lacks("l4t.app_size")).and_then(app_size)?,
                modules: l4t.modules.ok_or_else(|| lacks("l4t.modules"))?,
                downloads: l4t.downloads.ok_or_else(|| lacks("l4t.downloads"))?,
            })
        });
        let l4t = l4t.transpose()?;
        if let Some(l4t) = &l4t {
            let mut specs = l4t.modules.iter().flat_map(|module| module.update_specs(l4t));
            if let Some(spec) = specs.find(|spec| spec.len() > MOST_SPEC) {
                return Err(files.at("l4t.flash_name", BoardError::LongSpec { spec, most: MOST_SPEC }));
            }
        }
        Ok(Self { name: name.into(), files, cold_boot, flash, layout, l4t })
    }

    /// Its file, and those of the boards that it extends.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.paths()
    }

    /// An error about what its file, or that of a board that it extends, says of a key, such as `l4t.flash_name`.
    pub fn at(&self, key: &str, fault: impl Into<Error>) -> Error {
        self.files.at(key, fault)
    }

    /// The file and line that say a key.
    pub fn place(&self, key: &str) -> String {
        self.files.place(key)
    }

    /// Its SoC; the virt board's files are those of t194.
    pub fn soc(&self) -> Soc {
        self.l4t.as_ref().map_or_else(Soc::default, |l4t| l4t.soc)
    }

    /// Its misc boot configs, each once.
    pub fn boot_configs(&self) -> Vec<&PathBuf> {
        let mut all = vec![&self.cold_boot, &self.flash];
        all.dedup();
        all
    }

    /// What only a board with NVIDIA's L4T has.
    pub fn l4t(&self) -> Result<&L4tBoard> {
        self.l4t.as_ref().ok_or_else(|| self.has_no_l4t())
    }

    /// The error of asking a board without L4T for what only L4T has.
    pub fn has_no_l4t(&self) -> Error {
        BoardError::NoL4t { board: self.name.clone() }.into()
    }

    /// The digest of its own files. Those of an L4T board are the BSP's, which is recorded by itself.
    pub fn digest_into(&self, mut key: Key) -> Result<Key> {
        for path in self.paths() {
            key = key.with_file("board file", path)?;
        }
        if self.l4t.is_some() {
            return Ok(key);
        }
        key.with_file("cold boot", &self.cold_boot)?
            .with_file("flash", &self.flash)?
            .with_file("layout", &self.layout)
    }
}

/// A path of a board with L4T, which leads into the BSP.
fn in_bsp(files: &Files, key: &str, path: PathBuf) -> Result<PathBuf> {
    if path.file_name().is_some() && path.components().all(|c| matches!(c, Component::Normal(_))) {
        return Ok(path);
    }
    Err(files.at(key, BoardError::NotInBsp { value: path.display().to_string().escape_debug().to_string() }))
}

/// A file beside that of a board without L4T.
fn beside(files: &Files, key: &str, placed: Placed) -> Result<PathBuf> {
    let path = placed.folder.join(placed.path);
    match carveout_host::files::open(&path) {
        Ok(_) => Ok(path),
        Err(e) => Err(files.at(key, ConfigError::FileUnreadable { source: e.message.into() })),
    }
}

impl Module {
    /// What update payloads call it (TNSPEC): as it is sold (fuse level 1), with a chip of the usual revision.
    pub fn update_specs(&self, board: &L4tBoard) -> Vec<String> {
        let L4tBoard { soc, flash_name, root_device, .. } = board;
        let revision = soc.revision();
        self.update.iter().map(|module| format!("{module}-1-{revision}-{flash_name}-{root_device}")).collect()
    }
}

#[cfg(test)]
mod tests;
