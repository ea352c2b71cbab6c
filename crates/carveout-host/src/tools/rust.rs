//! Rust's compilers and linkers, and cargo's folder.

use super::{capture, shell};
use crate::error::Result;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// What a compiler or linker says of itself, and where its libraries are.
pub fn ask(program: &Path, library_path: Option<&Path>, arguments: &[&str]) -> Result<String> {
    let sh = shell(Path::new("/"))?;
    if let Some(path) = library_path {
        sh.set_var("LD_LIBRARY_PATH", path);
    }
    capture(&program.display().to_string(), cmd!(sh, "{program} {arguments...}"))
}

/// Where cargo keeps what it has fetched, and a config of the user's.
pub fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}
