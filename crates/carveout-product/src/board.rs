//! Boards: `configs/boards/<name>.yaml`.

use super::board_file::{BoardFile, BootConfigFile, Downloads, L4tBoardFile, Module};
use super::locate::Step::{Index, Key as At};
use super::report::Reporter;
use super::yaml::{self, MAX_CONFIG};
use crate::errors::{BoardError, ConfigError};
use bundle::Recovery;
use carveout_host::error::{Error, Result, nearest};
use carveout_host::tools::{cargo, read_limited};
use stage_cache::Key;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use tegra_flash::BoardId;
use trusty_image::Soc;

/// A board may extend one that extends another, so often.
const MOST_FILES: usize = 8;
/// What names for NVIDIA's scripts and BitBake may hold besides letters and digits.
const WORD: &str = "-_.+";
/// Bytes of a module's name in update payloads, at most.
const MOST_SPEC: usize = 63;

/// A board.
#[derive(Clone, Debug)]
pub struct Board {
    /// Its name.
    pub name: String,
    /// Its file, and those of the boards that it extends.
    pub paths: Vec<PathBuf>,
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

/// Where boards lie: the workspace's own, then those of carveout.
fn folders(root: &Path) -> Vec<PathBuf> {
    let mut roots = vec![root.to_owned()];
    roots.extend(cargo::carveout(root).ok().filter(|ours| ours != root));
    roots.iter().map(|root| root.join("configs/boards")).collect()
}

/// Names of all boards that a workspace knows, sorted.
pub fn boards(root: &Path) -> Vec<String> {
    let folders = folders(root);
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let name = |path: PathBuf| {
        let yaml = path.extension().is_some_and(|e| e == "yaml");
        yaml.then(|| path.file_stem().map(|s| s.to_string_lossy().into_owned()))?
    };
    let mut names: Vec<String> = entries.filter_map(|e| name(e.path())).collect();
    names.sort();
    names.dedup();
    names
}

/// What a board's file says, or those that it extends.
#[derive(Default)]
struct Said {
    paths: Vec<PathBuf>,
    boot_config: Option<(Placed, Option<Placed>)>,
    layout: Option<Placed>,
    l4t: Option<L4tBoardFile>,
}

/// A path, and the folder of the file that says it: only all files together tell whether paths are the BSP's.
struct Placed {
    folder: PathBuf,
    path: PathBuf,
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
        let mut said = Said::default();
        let mut next = Some(name.to_owned());
        while let Some(name) = next {
            next = said.read(root, &name)?;
        }
        said.whole(name).map(Ok)
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
        for path in &self.paths {
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

fn known(root: &Path, name: &str) -> std::result::Result<(), BoardError> {
    let known = boards(root);
    if known.iter().any(|board| board == name) {
        return Ok(());
    }
    let meant = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(BoardError::UnknownBoard { name: name.into(), known, meant })
}

impl Said {
    /// Adds what a board's file says and no other has said before. Returns the board that it extends.
    fn read(&mut self, root: &Path, name: &str) -> Result<Option<String>> {
        let paths = folders(root).into_iter().map(|folder| folder.join(format!("{name}.yaml")));
        let path = paths.into_iter().find(|path| path.exists()).unwrap_or_default();
        let bytes = read_limited(&path, MAX_CONFIG)?;
        let text = yaml::text(&path, bytes)?;
        let reporter = Reporter { path: &path, text: &text };
        let file: BoardFile = yaml::parse(&reporter)?;
        if file.name != name {
            return Err(
                reporter.at(&[At("name")], BoardError::OtherName { name: file.name, expected: name.into() })
            );
        }
        check(&reporter, &file)?;
        if let Some(extended) = &file.extends {
            known(root, extended).map_err(|unknown| reporter.at(&[At("extends")], unknown))?;
            if self.paths.len() + 1 == MOST_FILES {
                return Err(reporter.at(&[At("extends")], BoardError::ExtendsTooMany { most: MOST_FILES }));
            }
        }
        let folder = path.parent().unwrap_or(root).to_owned();
        let placed = |path: PathBuf| Placed { folder: folder.clone(), path };
        if let Some(boot_config) = file.boot_config {
            let BootConfigFile { cold_boot, flash } = boot_config;
            self.boot_config.get_or_insert((placed(cold_boot), flash.map(placed)));
        }
        if let Some(layout) = file.layout {
            self.layout.get_or_insert_with(|| placed(layout));
        }
        if let Some(more) = file.l4t {
            let l4t = self.l4t.take().unwrap_or_default();
            self.l4t = Some(L4tBoardFile {
                soc: l4t.soc.or(more.soc),
                flash_name: l4t.flash_name.or(more.flash_name),
                root_device: l4t.root_device.or(more.root_device),
                machine: l4t.machine.or(more.machine),
                secure_os: l4t.secure_os.or(more.secure_os),
                app_size: l4t.app_size.or(more.app_size),
                recovery: l4t.recovery.or(more.recovery),
                modules: l4t.modules.or(more.modules),
                downloads: l4t.downloads.or(more.downloads),
            });
        }
        self.paths.push(path);
        Ok(file.extends)
    }

    /// The board, if nothing of it is missing.
    fn whole(self, name: &str) -> Result<Board> {
        let path = self.paths.first().cloned().unwrap_or_default();
        let lacks = |key: &'static str| BoardError::Lacks { path: path.clone(), key };
        let of_bsp = self.l4t.is_some();
        let full = |placed: Placed| if of_bsp { placed.path } else { placed.folder.join(placed.path) };
        let (cold_boot, flash) = self.boot_config.ok_or_else(|| lacks("boot_config"))?;
        let (cold_boot, flash) = (full(cold_boot), flash.map(full));
        if flash.as_ref().is_some_and(|flash| flash.file_name() == cold_boot.file_name()) {
            return Err(BoardError::SameBootConfigs { path }.into());
        }
        let flash = flash.unwrap_or_else(|| cold_boot.clone());
        let layout = full(self.layout.ok_or_else(|| lacks("layout"))?);
        let l4t = self.l4t.map(|l4t| -> Result<_> {
            Ok(L4tBoard {
                soc: l4t.soc.ok_or_else(|| lacks("l4t.soc"))?,
                recovery: l4t.recovery.ok_or_else(|| lacks("l4t.recovery"))?,
                flash_name: l4t.flash_name.ok_or_else(|| lacks("l4t.flash_name"))?,
                root_device: l4t.root_device.ok_or_else(|| lacks("l4t.root_device"))?,
                machine: l4t.machine.ok_or_else(|| lacks("l4t.machine"))?,
                secure_os: l4t.secure_os.ok_or_else(|| lacks("l4t.secure_os"))?,
                app_size: l4t.app_size.ok_or_else(|| lacks("l4t.app_size"))?.0,
                modules: l4t.modules.ok_or_else(|| lacks("l4t.modules"))?,
                downloads: l4t.downloads.ok_or_else(|| lacks("l4t.downloads"))?,
            })
        });
        let l4t = l4t.transpose()?;
        if let Some(l4t) = &l4t {
            let mut specs = l4t.modules.iter().flat_map(|module| module.update_specs(l4t));
            if let Some(spec) = specs.find(|spec| spec.len() > MOST_SPEC) {
                return Err(BoardError::LongSpec { path, spec, most: MOST_SPEC }.into());
            }
        }
        Ok(Board { name: name.into(), paths: self.paths, cold_boot, flash, layout, l4t })
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

/// Values that are read as texts.
fn check(reporter: &Reporter, file: &BoardFile) -> Result<()> {
    let Some(l4t) = &file.l4t else { return Ok(()) };
    let words =
        [("flash_name", &l4t.flash_name), ("root_device", &l4t.root_device), ("machine", &l4t.machine)];
    for (key, value) in words {
        if let Some(value) = value.clone().filter(|value| !bundle::is_plain(value, WORD)) {
            return Err(reporter.at(&[At("l4t"), At(key)], ConfigError::NotAName { value, allowed: WORD }));
        }
    }
    let hexadecimal = |text: &str| {
        text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if let Some(recovery) = l4t.recovery.as_ref().filter(|recovery| !hexadecimal(&recovery.usb_product)) {
        let value = recovery.usb_product.clone();
        return Err(reporter
            .at(&[At("l4t"), At("recovery"), At("usb_product")], BoardError::NotAUsbProduct { value }));
    }
    let mut told =
        l4t.recovery.iter().flat_map(|recovery| [("name", &recovery.name), ("how", &recovery.how)]);
    let is_no_line = |text: &str| text.is_empty() || text.contains(char::is_control);
    if let Some((key, text)) = told.find(|(_, text)| is_no_line(text)) {
        let value = text.escape_debug().to_string();
        return Err(reporter.at(&[At("l4t"), At("recovery"), At(key)], BoardError::NotALine { value }));
    }
    for (index, module) in l4t.modules.iter().flatten().enumerate() {
        let place = [At("l4t"), At("modules"), Index(index)];
        if let Err(error) = module.id.check() {
            return Err(reporter.at(
                &[&place[..], &[At("id")]].concat(),
                BoardError::WrongModule { module: module.name.clone(), source: error.into() },
            ));
        }
        if let Some((at, spec)) = module.update.iter().enumerate().find(|(_, spec)| !is_of(spec, module)) {
            return Err(reporter.at(
                &[&place[..], &[At("update"), Index(at)]].concat(),
                BoardError::OtherSpec { spec: spec.clone() },
            ));
        }
    }
    let mut names = HashSet::new();
    if let Some(module) = l4t.modules.iter().flatten().find(|module| !names.insert(&module.name)) {
        let name = module.name.clone();
        return Err(reporter.at(&[At("l4t"), At("modules")], BoardError::ModuleTwice { name }));
    }
    Ok(())
}

/// Whether a name in update payloads is of a module. One without SKU is of all.
fn is_of(spec: &str, module: &Module) -> bool {
    let fields: Vec<&str> = spec.split('-').collect();
    let [board, fab, sku, revision] = fields[..] else { return false };
    let sku = if sku.is_empty() { &module.id.sku } else { sku };
    let [board, fab, sku, revision] = [board, fab, sku, revision].map(str::to_owned);
    let id = BoardId { board, fab, sku, revision };
    id.check().is_ok() && (&id.board, &id.sku) == (&module.id.board, &module.id.sku)
}

#[cfg(test)]
mod tests;
