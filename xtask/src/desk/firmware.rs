//! The firmware, built when it is first used.

use crate::error::{At, Error, Result};
use crate::stages::{home, logs};
use crate::toolchain::{Target, Toolchains};
use crate::tools::cargo::CrossBuild;
use crate::ui::Ui;
use std::fs;
use std::path::{Path, PathBuf};

/// The package.
pub const PACKAGE: &str = "desk-firmware";
/// The programs of it.
pub const MONITOR: &str = "desk-monitor";
/// See [`MONITOR`].
pub const AGENT: &str = "desk-agent";
/// The kernel for tests.
pub const TEST_KERNEL: &str = "desk-test-kernel";

/// The folder with the firmware's programs, up to date.
pub fn build(root: &Path, offline: bool, ui: &Ui) -> Result<PathBuf> {
    let toolchain = Toolchains::new(root, offline, ui).get(Target::Firmware)?;
    let build = CrossBuild {
        root,
        package: PACKAGE,
        profile: "firmware",
        target_dir: &home(root).join("cargo/firmware"),
        toolchain: &toolchain,
        offline,
        ui,
    };
    let log = logs(root)?.join(format!("{PACKAGE}.log"));
    let _ = fs::remove_file(&log);
    build.folder(&log)
}

/// One of the programs.
pub fn program(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    let bytes = fs::read(&path).at(&path)?;
    if bytes.is_empty() { Err(Error::check(format!("{}: is empty", path.display()))) } else { Ok(bytes) }
}
