//! What the files of a board say: its own, and what those of the boards that it extends have besides.

use super::check::check;
use super::files::Files;
use crate::board_file::{BoardFile, BootConfigFile, L4tBoardFile};
use crate::errors::BoardError;
use crate::locate::Step::Key as At;
use crate::report::Reporter;
use crate::yaml::{self, MAX_CONFIG};
use carveout_host::error::{Result, nearest};
use carveout_host::tools::{cargo, read_limited};
use std::fs;
use std::path::{Path, PathBuf};

/// A board may extend one that extends another, so often.
const MOST_FILES: usize = 8;

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

/// Refuses a board that no folder has.
pub fn known(root: &Path, name: &str) -> std::result::Result<(), BoardError> {
    let known = boards(root);
    if known.iter().any(|board| board == name) {
        return Ok(());
    }
    let meant = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(BoardError::UnknownBoard { name: name.into(), known, meant })
}

/// What a board's file says, or those that it extends.
#[derive(Default)]
pub struct Said {
    pub files: Files,
    pub boot_config: Option<(Placed, Option<Placed>)>,
    pub layout: Option<Placed>,
    pub l4t: Option<L4tBoardFile>,
}

/// A path, and the folder of the file that says it: only all files together tell whether paths are the BSP's.
pub struct Placed {
    pub folder: PathBuf,
    pub path: PathBuf,
}

impl Said {
    /// Reads the file of a board, and those of the boards that it extends.
    pub fn read(root: &Path, name: &str) -> Result<Self> {
        let mut said = Self::default();
        let mut next = Some(name.to_owned());
        while let Some(name) = next {
            next = said.add(root, &name)?;
        }
        Ok(said)
    }

    /// Adds what a board's file says and no other has said before. Returns the board that it extends.
    fn add(&mut self, root: &Path, name: &str) -> Result<Option<String>> {
        let paths: Vec<PathBuf> =
            folders(root).into_iter().map(|folder| folder.join(format!("{name}.yaml"))).collect();
        // A link that leads nowhere is a file that cannot be read.
        let path = paths.into_iter().find(|path| path.symlink_metadata().is_ok()).unwrap_or_default();
        let bytes = read_limited(&path, MAX_CONFIG)
            .map_err(|error| BoardError::Unreadable { source: error.message.into() })?;
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
            if self.files.paths().count() + 1 == MOST_FILES {
                return Err(reporter.at(&[At("extends")], BoardError::ExtendsTooMany { most: MOST_FILES }));
            }
        }
        let folder = path.parent().unwrap_or(root).to_owned();
        self.files.add(path, text);
        let placed = |path: PathBuf| Placed { folder: folder.clone(), path };
        if let Some(BootConfigFile { cold_boot, flash }) =
            file.boot_config.filter(|_| self.boot_config.is_none())
        {
            self.boot_config = Some((placed(cold_boot), flash.map(placed)));
            ["boot_config", "boot_config.cold_boot", "boot_config.flash"]
                .into_iter()
                .for_each(|key| self.files.says(key));
        }
        let files = &mut self.files;
        take(files, "layout", &mut self.layout, file.layout.map(placed));
        if let Some(more) = file.l4t {
            let l4t = self.l4t.get_or_insert_default();
            take(files, "l4t.soc", &mut l4t.soc, more.soc);
            take(files, "l4t.flash_name", &mut l4t.flash_name, more.flash_name);
            take(files, "l4t.root_device", &mut l4t.root_device, more.root_device);
            take(files, "l4t.machine", &mut l4t.machine, more.machine);
            take(files, "l4t.secure_os", &mut l4t.secure_os, more.secure_os);
            take(files, "l4t.app_size", &mut l4t.app_size, more.app_size);
            take(files, "l4t.recovery", &mut l4t.recovery, more.recovery);
            take(files, "l4t.modules", &mut l4t.modules, more.modules);
            take(files, "l4t.downloads", &mut l4t.downloads, more.downloads);
        }
        Ok(file.extends)
    }
}

/// Takes what the file that was added last says of a key, if none before it said anything.
fn take<T>(files: &mut Files, key: &'static str, said: &mut Option<T>, more: Option<T>) {
    if said.is_none() && more.is_some() {
        *said = more;
        files.says(key);
    }
}
