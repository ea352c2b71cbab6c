//! Gives a bundle its name: folder and archive are written beside it, verified, and then renamed.

use super::frames;
use crate::errors::{BundleError, StageError};
use bundle::{Frames, Manifest};
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use stage_cache::EPOCH;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;

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

/// Lets `fill` write a bundle, verifies it as folder and as archive, and gives both their names. `home`: where results of stages are
/// kept, and with them compressed frames; none are kept without.
pub fn publish(
    folder: &Path,
    home: Option<&Path>,
    fill: impl FnOnce(&Path) -> Result<Manifest>,
) -> Result<()> {
    let out = folder.parent().unwrap_or(Path::new("."));
    let temporary = files::beside(out, TEMPORARY).at(out)?;
    let new_folder = temporary.path().join("folder");
    let new_archive = temporary.path().join("archive.tar.zst");
    fs::create_dir(&new_folder).at(&new_folder)?;
    let manifest = fill(&new_folder)?;
    thread::scope(|scope| {
        // Side by side: it reads each file once, and packing reads them, too.
        let checked = scope.spawn(|| carveout_field::verify::check(&new_folder));
        let packed = pack(&new_folder, &manifest, home, &new_archive);
        checked.join().unwrap_or_else(|_| Err(StageError::Panicked.into()))?;
        packed
    })?;
    put(&new_archive, &archive(folder))?;
    put(&new_folder, folder)
}

fn pack(folder: &Path, manifest: &Manifest, home: Option<&Path>, archive: &Path) -> Result<()> {
    let (frames, _held) = match home {
        Some(home) => frames::of(folder, &manifest.files, home)?,
        None => (Frames::default(), Vec::new()),
    };
    bundle::write_archive(folder, &manifest.bundle_name(), manifest, EPOCH, &frames, archive).at(archive)?;
    carveout_field::verify::check(archive).map(drop)
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
