//! Where things of ours lie: found once, by who reads the command line, and handed on.

use crate::error::{At, Result};
use crate::errors::CargoError;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate that each xtask of carveout is linked with, here or in a team's own repository.
const MARK: &str = "\nname = \"trusty-image\"\n";
/// Below a workspace: all that a build makes, but for bundles and releases.
const HOME: &str = "target/carveout";

/// The folders of one caller.
#[derive(Clone, Debug)]
pub struct Dirs {
    workspace: Option<PathBuf>,
    state: PathBuf,
}

impl Dirs {
    /// Those of whoever calls. The workspace is that of the caller, never the one that this program was compiled in: what
    /// `cargo xtask` was called for, or the one that the current folder is in.
    pub fn find() -> Self {
        let called = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let called = called.as_deref().and_then(Path::parent).map(Path::to_owned);
        let workspace = called.filter(|root| is_ours(root)).or_else(|| above(&std::env::current_dir().ok()?));
        Self { workspace, state: state() }
    }

    /// Those of a workspace.
    pub fn of(workspace: &Path) -> Self {
        Self { workspace: Some(workspace.into()), state: state() }
    }

    /// The workspace, if there is one.
    pub fn workspace(&self) -> Option<&Path> {
        self.workspace.as_deref()
    }

    /// The workspace.
    ///
    /// # Errors
    /// There is none.
    pub fn root(&self) -> Result<&Path> {
        self.workspace().ok_or_else(|| {
            let folder = std::env::current_dir().unwrap_or_default();
            CargoError::NoWorkspace { folder }.into()
        })
    }

    /// Where all lies that commands make and use again: in the workspace's target folder, or where there is no workspace, in
    /// the user's folder for such.
    pub fn home(&self) -> PathBuf {
        self.workspace().map_or_else(|| self.state.clone(), |root| root.join(HOME))
    }

    /// Helper programs that were built or fetched.
    pub fn tools(&self) -> PathBuf {
        self.home().join("tools")
    }

    /// The folder of logs, which is there from then on.
    pub fn logs(&self) -> Result<PathBuf> {
        let logs = self.home().join("logs");
        fs::create_dir_all(&logs).at(&logs)?;
        Ok(logs)
    }

    /// What belongs to a person, not to a workspace.
    pub fn state(&self) -> &Path {
        &self.state
    }
}

fn state() -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    // Without HOME, as services are started, that of the user's account.
    let home =
        || std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".local/state"));
    state.or_else(home).unwrap_or_else(|| "/nonexistent".into()).join("carveout")
}

fn above(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| is_ours(folder)).map(Path::to_owned)
}

fn is_ours(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file()
        && folder.join("xtask/Cargo.toml").is_file()
        && fs::read_to_string(folder.join("Cargo.lock")).is_ok_and(|lock| lock.contains(MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_that_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("team/Cargo.toml", "[workspace]");
        write("team/xtask/Cargo.toml", "");
        write("team/apps/a/src/x", "");
        assert_eq!(above(&dir.path().join("team/apps/a")), None, "any project may have an xtask");
        write("team/Cargo.lock", "[[package]]\nname = \"trusty-image\"\nversion = \"0.1.0\"\n");
        assert_eq!(above(&dir.path().join("team/apps/a")), Some(dir.path().join("team")));
        assert_eq!(above(dir.path()), None);
        assert!(is_ours(Dirs::find().root().unwrap()));
    }
}
