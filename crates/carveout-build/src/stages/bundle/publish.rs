//! Gives a bundle its name: folder and archive are written beside it, verified, and then renamed.

use crate::errors::BundleError;
use bundle::Manifest;
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use stage_cache::EPOCH;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How names of unfinished bundles begin.
const TEMPORARY: &str = ".carveout-bundle-";

/// The output folder, which is there from then on.
pub fn folder(out: &Path) -> Result<PathBuf> {
    fs::create_dir_all(out).map_err(|e| match e.kind() {
        ErrorKind::StorageFull | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::io(out, &e)
        }
        _ => BundleError::OutputFolder { path: out.into(), source: e }.into(),
    })?;
    fs::canonicalize(out).at(out)
}

/// The archive of a bundle's folder, beside it.
pub fn archive(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".tar.zst");
    name.into()
}

/// Lets `fill` write a bundle, verifies it as folder and as archive, and gives both their names.
pub fn publish(folder: &Path, fill: impl FnOnce(&Path) -> Result<Manifest>) -> Result<()> {
    let out = folder.parent().unwrap_or(Path::new("."));
    let temporary = files::beside(out, TEMPORARY).at(out)?;
    let new_folder = temporary.path().join("folder");
    let new_archive = temporary.path().join("archive.tar.zst");
    fs::create_dir(&new_folder).at(&new_folder)?;
    let manifest = fill(&new_folder)?;
    bundle::write_archive(&new_folder, &manifest.bundle_name(), &manifest, EPOCH, &new_archive)
        .at(&new_archive)?;
    for path in [&new_folder, &new_archive] {
        carveout_field::verify::check(path)?;
    }
    put(&new_archive, &archive(folder))?;
    put(&new_folder, folder)
}

/// Gives a new bundle its name. An older one of that name is there until the new one is.
fn put(new: &Path, name: &Path) -> Result<()> {
    let flags = if name.exists() { RenameFlags::EXCHANGE } else { RenameFlags::empty() };
    match renameat_with(CWD, new, CWD, name, flags) {
        // Not every filesystem can exchange names: then the old one steps aside first.
        Err(Errno::INVAL | Errno::NOSYS) if name.exists() => {
            let aside = new.with_extension("old");
            fs::rename(name, &aside).at(name)?;
            fs::rename(new, name).at(name)
        }
        result => result.map_err(|errno| Error::io(name, &errno.into())),
    }
}
