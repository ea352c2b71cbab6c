//! Releases in the field: signed, flashed, cut off, gone back from.

mod attestations;
#[path = "../browser/browser.rs"]
mod browser;
mod devices;
mod pipeline;
mod story;

use crate::util::{root, run, small};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;
use virt_device::Device;

/// A clone whose work tree is clean. Tools and results of stages are named by what they are made of: they serve every clone.
pub fn clone_to(workspace: &Path) {
    run("git", ["clone", "--quiet", root().to_str().unwrap(), workspace.to_str().unwrap()]).ok();
    fs::create_dir(workspace.join("target")).unwrap();
    std::os::unix::fs::symlink(xtask::stages::home(&root()), workspace.join("target/carveout")).unwrap();
}

pub fn open(path: &Path) -> Device<File> {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    Device::open(file, size).unwrap()
}

/// The bundle that a device has, each part of it read and compared.
pub fn active(path: &Path) -> String {
    let mut device = open(path);
    let active = device.state().active.clone().unwrap();
    for (part, placed) in &active.parts {
        device.verify(*part, placed).unwrap();
    }
    active.bundle
}

/// Bundles that are told apart by their boot config.
pub fn bundles() -> &'static [(PathBuf, String); 2] {
    static BUNDLES: OnceLock<(TempDir, [(PathBuf, String); 2])> = OnceLock::new();
    let build = || {
        let dir = tempfile::tempdir().unwrap();
        let of = |tzdram: &str| {
            let folder = small(dir.path(), &["--tzdram", tzdram]);
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            (folder, name)
        };
        let both = [of("32MiB"), of("64MiB")];
        (dir, both)
    };
    &BUNDLES.get_or_init(build).1
}
