//! Clones of the layers at pinned commits, by kas.

use crate::error::{Error, Result};
use crate::stages::home;
use crate::tools::{pip, run, shell};
use crate::ui::Ui;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// The tool, pinned.
pub const KAS: (&str, &str) = ("kas", "5.0");

/// Clones what a kas file names, as its lock file pins it, and returns the folder of the clones.
pub fn checkout(root: &Path, file: &Path, log: &Path, ui: &Ui) -> Result<PathBuf> {
    if !file.is_file() {
        return Err(Error::usage(format!("{}: no kas file", file.display()))
            .remedy("configs/kas has one for each board; --layers DIR takes clones that are there"));
    }
    let file = std::path::absolute(file).unwrap_or_else(|_| file.into());
    let tool = pip::tool(&home(root).join("tools"), &KAS, log)?;
    let work = home(root).join("yocto/layers");
    std::fs::create_dir_all(&work).map_err(|e| Error::io(&work, &e))?;
    let running = ui.start("layers");
    running.building(&format!("cloning what {} names", file.display()));
    let sh = shell(&work)?;
    let result = run("kas", cmd!(sh, "{tool} checkout {file}").env("KAS_WORK_DIR", &work), log);
    match result {
        Ok(()) => running.done(),
        Err(error) => {
            running.fail();
            return Err(error);
        }
    }
    Ok(work)
}
