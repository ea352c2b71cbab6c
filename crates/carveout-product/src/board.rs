//! Boards: `configs/boards/<name>.yaml`.

use super::file::{BoardFile, L4tBoard};
use super::report::Reporter;
use super::yaml::{self, MAX_CONFIG};
use crate::errors::BoardError;
use carveout_host::error::{Error, Result, nearest};
use carveout_host::tools::{cargo, read_limited};
use stage_cache::Key;
use std::fs;
use std::path::{Path, PathBuf};

/// A board.
#[derive(Clone, Debug)]
pub struct Board {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Misc boot config of the cold boot. Of an L4T board these three are paths within the BSP.
    pub cold_boot: PathBuf,
    /// Misc boot config while flashing.
    pub flash: PathBuf,
    /// Partition layout.
    pub layout: PathBuf,
    /// What a board with NVIDIA's L4T has besides.
    pub l4t: Option<L4tBoard>,
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

impl Board {
    /// Reads a board's file. The error is a text for whoever named the board.
    pub fn load(root: &Path, name: &str) -> Result<Result<Self, String>> {
        Ok(Self::find(root, name)?.map_err(|unknown| unknown.to_string()))
    }

    /// Reads a board's file. The inner error is told of whatever named the board.
    pub(crate) fn find(root: &Path, name: &str) -> Result<Result<Self, BoardError>> {
        let known = boards(root);
        if !known.iter().any(|board| board == name) {
            let meant = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
            return Ok(Err(BoardError::UnknownBoard { name: name.into(), known, meant }));
        }
        let paths = folders(root).into_iter().map(|folder| folder.join(format!("{name}.yaml")));
        let path = paths.into_iter().find(|path| path.exists()).unwrap_or_default();
        let bytes = read_limited(&path, MAX_CONFIG)?;
        let text = yaml::text(&path, bytes)?;
        let reporter = Reporter { path: &path, text: &text };
        let file: BoardFile = yaml::parse(&reporter)?;
        if file.name != name {
            return Err(BoardError::OtherName { path, name: file.name, expected: name.into() }.into());
        }
        if let Some((module, error)) =
            file.l4t.iter().flat_map(|l4t| &l4t.modules).find_map(|m| Some((m, m.id.check().err()?)))
        {
            let module = module.name.clone();
            return Err(BoardError::WrongModule { path, module, source: error.into() }.into());
        }
        let dir = if file.l4t.is_some() { Path::new("") } else { path.parent().unwrap_or(root) };
        let (cold_boot, flash) = (dir.join(file.boot_config.cold_boot), dir.join(file.boot_config.flash));
        if cold_boot.file_name() == flash.file_name() {
            return Err(BoardError::SameBootConfigs { path }.into());
        }
        let layout = dir.join(file.layout);
        Ok(Ok(Self { name: file.name, path, cold_boot, flash, layout, l4t: file.l4t }))
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
    pub fn digest_into(&self, key: Key) -> Result<Key> {
        let key = key.with_file("board file", &self.path)?;
        if self.l4t.is_some() {
            return Ok(key);
        }
        key.with_file("cold boot", &self.cold_boot)?
            .with_file("flash", &self.flash)?
            .with_file("layout", &self.layout)
    }
}
