//! Releases in the field: signed, flashed, cut off, gone back from.

mod attestations;
#[path = "../browser/browser.rs"]
mod browser;
mod devices;
mod pipeline;
mod story;

use crate::util::small;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;
use virt_device::Device;

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
