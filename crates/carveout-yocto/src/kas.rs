//! Clones of the layers at pinned commits, by kas.

use crate::errors::YoctoError;
use crate::pip;
use crate::pip::Package;
use crate::user::User;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::tools::{run, shell};
use carveout_host::ui::Ui;
use std::fs;
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

/// What kas needs of the host.
pub const NEEDS: [Need; 2] = [pip::NEED, Need { program: "git", package: "git", why: "clones the layers" }];

/// What kas has made.
pub struct Clones {
    /// The folder of the clones.
    pub folder: PathBuf,
    /// The layers that the file names, wherever they lie.
    pub layers: Vec<PathBuf>,
}

/// Clones what a kas file names, as its lock file pins it.
pub fn checkout(root: &Path, file: &Path, user: &User, offline: bool, log: &Path, ui: &Ui) -> Result<Clones> {
    if !file.is_file() {
        return Err(YoctoError::NoKasFile { path: file.into() }.into());
    }
    let file = std::path::absolute(file).unwrap_or_else(|_| file.into());
    packages::ensure(&NEEDS, offline, log, ui)?;
    let tool = pip::helper(&Dirs::of(root).home().join("tools"), &KAS, log)?;
    let work = Dirs::of(root).home().join("yocto/layers");
    fs::create_dir_all(&work).map_err(|e| Error::io(&work, &e))?;
    user.owns(&work, log)?;
    // kas writes this one itself, with the layers that its file names.
    let conf = work.join("build/conf/bblayers.conf");
    let _ = fs::remove_file(&conf);
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
    let text = fs::read_to_string(&conf).at(&conf)?;
    Ok(Clones { layers: layers(&text, &work.join("build")), folder: work })
}

/// The layers in a bblayers.conf of kas, which lie relative to its build folder.
fn layers(text: &str, build: &Path) -> Vec<PathBuf> {
    let words = super::layers::words(text, "BBLAYERS");
    let paths =
        words.iter().map(|word| PathBuf::from(word.replace("${TOPDIR}", &build.display().to_string())));
    paths.map(|path| fs::canonicalize(&path).unwrap_or(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kas 5.5 writes it (libcmds.py, WriteBBConfig).
    #[test]
    fn layers_of_a_kas_file() {
        let text = "# comment\nPOKY_BBLAYERS_CONF_VERSION = \"2\"\nBBLAYERS ?= \" \\\n    ${TOPDIR}/../meta-acme \\\n    \
                    ${TOPDIR}/../oe-core/meta\"\nBBPATH ?= \"${TOPDIR}\"\nBBFILES ??= \"\"\n";
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        for folder in ["build", "meta-acme", "oe-core/meta"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        assert_eq!(layers(text, &top.join("build")), [top.join("meta-acme"), top.join("oe-core/meta")]);
    }
}
