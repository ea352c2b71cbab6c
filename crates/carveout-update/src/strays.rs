//! What dpkg forgets: files of a package that it was unpacking, or removing, when the power went.
//!
//! Its list of a package's files is of what it had before or of what it has after, never of the half between.

use crate::error::UpdateError;
use crate::repack::Dpkg;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// Names under which dpkg puts a file beside its place for a while.
const BESIDE: [&str; 2] = [".dpkg-new", ".dpkg-tmp"];

/// Removes what is there of packages' files that no installed package has.
pub fn remove(dpkg: &Dpkg<'_>, debs: &[PathBuf], names: &[String]) -> Result<(), UpdateError> {
    let root = dpkg.root;
    let root = &root.canonicalize().map_err(|source| UpdateError::Io { path: root.into(), source })?;
    let mut paths = HashSet::new();
    for deb in debs {
        let read = contents(deb).map_err(|source| UpdateError::Io { path: deb.clone(), source })?;
        paths.extend(read);
    }
    let listed = names.iter().filter_map(|name| dpkg.query(&["-L", name]));
    let owned: HashSet<PathBuf> =
        listed.flat_map(|list| lines(&list)).filter_map(|path| place(root, &path)).collect();
    // What is in a folder goes before the folder.
    let mut paths: Vec<_> = paths.into_iter().collect();
    paths.sort_unstable_by(|a, b| b.cmp(a));
    for path in paths {
        let Some(place) = place(root, &path) else { continue };
        let failed = |source| UpdateError::Io { path: place.clone(), source };
        for ending in BESIDE {
            let beside: OsString = [place.as_os_str(), OsStr::new(ending)].into_iter().collect();
            unless_gone(fs::remove_file(beside)).map_err(failed)?;
        }
        let Ok(there) = place.symlink_metadata() else { continue };
        let full = there.is_dir() && fs::read_dir(&place).map_err(failed)?.next().is_some();
        if full || owned.contains(&place) || is_of_another(dpkg, root, &place) {
            continue;
        }
        let remove = if there.is_dir() { fs::remove_dir(&place) } else { fs::remove_file(&place) };
        unless_gone(remove).map_err(failed)?;
    }
    Ok(())
}

fn unless_gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Paths of a package's files and folders.
fn contents(deb: &Path) -> io::Result<Vec<PathBuf>> {
    let mut command = Command::new("dpkg-deb");
    command.arg("--fsys-tarfile").arg(deb).stdin(Stdio::null()).stderr(Stdio::null());
    // A package may be larger than the device's memory: what is in its files passes by.
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or_else(|| io::Error::other("dpkg-deb has no output"))?;
    let mut tar = tar::Archive::new(output);
    let paths = tar.entries()?.map(|entry| Ok(entry?.path()?.into_owned())).collect();
    // What lies behind the last entry is read, too, or dpkg-deb fails.
    let rest = io::copy(&mut tar.into_inner(), &mut io::sink());
    let status = child.wait()?;
    rest?;
    if status.success() { paths } else { Err(io::Error::other(format!("dpkg-deb --fsys-tarfile: {status}"))) }
}

/// Where a package's path leads, by folders that are links too (`/lib`). None of one that is no file's, whose folder is not there, or that
/// leads out of `root`, which is itself no link.
fn place(root: &Path, path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let folders = path.parent()?.components().filter(|part| matches!(part, Component::Normal(_)));
    let folder = root.join(folders.collect::<PathBuf>()).canonicalize().ok()?;
    folder.starts_with(root).then(|| folder.join(name))
}

/// Whether dpkg knows it of any package, by whatever path.
fn is_of_another(dpkg: &Dpkg<'_>, root: &Path, place: &Path) -> bool {
    let mut pattern = b"*/".to_vec();
    for &byte in place.file_name().unwrap_or_default().as_bytes() {
        if b"*?[\\".contains(&byte) {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    let found = dpkg.query(&[OsStr::new("-S"), OsStr::new("--"), &OsString::from_vec(pattern)]);
    lines(&found.unwrap_or_default()).into_iter().any(|line| {
        let line = line.as_os_str().as_bytes();
        let at = line.windows(3).position(|three| three == b": /").map_or(0, |at| at + 2);
        self::place(root, Path::new(OsStr::from_bytes(&line[at..]))).is_some_and(|of| of == place)
    })
}

fn lines(output: &[u8]) -> Vec<PathBuf> {
    let lines = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| OsStr::from_bytes(line).into()).collect()
}
