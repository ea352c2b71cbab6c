//! Clones of the layers at pinned commits, by kas.

use crate::error::{Error, Result};
use crate::host::{self, Need};
use crate::stages::home;
use crate::tools::pip::{self, Package};
use crate::tools::{run, shell};
use crate::ui::Ui;
use crate::yocto::user::User;
use std::path::{Path, PathBuf};

/// The tool, pinned.
pub const KAS: Package = Package {
    name: "kas",
    version: "5.5",
    others: &[
        "GitPython==3.2.1",
        "PyYAML==6.0.4",
        "attrs==26.1.0",
        "colorlog==6.12.0",
        "distro==1.9.0",
        "gitdb==4.0.12",
        "jsonschema==4.26.0",
        "jsonschema-specifications==2025.9.1",
        "referencing==0.37.0",
        "rpds-py==2026.9.1",
        "smmap==5.0.3",
        "typing_extensions==4.16.0",
    ],
};

/// Clones what a kas file names, as its lock file pins it, and returns the folder of the clones.
pub fn checkout(
    root: &Path,
    file: &Path,
    user: &User,
    offline: bool,
    log: &Path,
    ui: &Ui,
) -> Result<PathBuf> {
    if !file.is_file() {
        return Err(Error::usage(format!("{}: no kas file", file.display()))
            .remedy("configs/kas has one for each board; --layers DIR takes clones that are there"));
    }
    let file = std::path::absolute(file).unwrap_or_else(|_| file.into());
    let needs = [pip::NEED, Need { program: "git", package: "git", why: "clones the layers" }];
    host::ensure(&needs, offline, log, ui)?;
    let tool = pip::helper(&home(root).join("tools"), &KAS, log)?;
    let work = home(root).join("yocto/layers");
    std::fs::create_dir_all(&work).map_err(|e| Error::io(&work, &e))?;
    user.owns(&work, log)?;
    let running = ui.start("layers");
    running.building(&format!("cloning what {} names", file.display()));
    let sh = shell(&work)?;
    let words = ["-B", "-m", "kas", "checkout"];
    // GitPython's and git's own settings are the user's, who then owns the clones as well.
    let command = user
        .command(&sh, "python3")
        .args(words)
        .arg(&file)
        .env("PYTHONPATH", &tool)
        .env("KAS_WORK_DIR", &work);
    let result = run("kas", command, log);
    match result {
        Ok(()) => running.done(),
        Err(error) => {
            running.fail();
            return Err(error);
        }
    }
    Ok(work)
}
