//! tar: what a tarball of a root filesystem holds, whatever compresses it.

use super::{run, shell};
use crate::error::{At, Error, Result};
use crate::host::Need;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use xshell::cmd;

/// Programs that tar calls, by how their files begin. gzip is on every host.
const COMPRESSIONS: [(&[u8], Need); 3] = [
    (b"BZh", need("bzip2", "bzip2")),
    (b"\xfd7zXZ\0", need("xz", "xz-utils")),
    (b"\x28\xb5\x2f\xfd", need("zstd", "zstd")),
];

const fn need(program: &'static str, package: &'static str) -> Need {
    Need { program, package, why: "unpacks the root filesystem's tarball" }
}

/// What the host needs for a tarball.
pub fn needs(tarball: &Path) -> Result<Vec<Need>> {
    let mut head = Vec::new();
    File::open(tarball).and_then(|file| file.take(8).read_to_end(&mut head)).at(tarball)?;
    let compression = COMPRESSIONS.iter().find(|(magic, _)| head.starts_with(magic));
    Ok(compression.map(|(_, need)| *need).into_iter().collect())
}

/// Reads all of a tarball and returns the names of its members, as they are written.
pub fn names(tarball: &Path, log: &Path) -> Result<Vec<String>> {
    let scratch = super::scratch("tarball")?;
    let list = scratch.path().join("names");
    let sh = shell(scratch.path())?;
    let script = "tar --quoting-style=literal -tf \"$1\" > \"$2\"";
    let cmd = cmd!(sh, "sh -c {script} sh {tarball} {list}");
    run(&format!("reading {}", tarball.display()), cmd, log).map_err(unreadable)?;
    let text = fs::read(&list).at(&list)?;
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

/// Unpacks members of these names.
pub fn extract(tarball: &Path, names: &[String], into: &Path, log: &Path) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let sh = shell(into)?;
    let cmd = cmd!(sh, "tar --no-same-owner --no-same-permissions -xf {tarball} -- {names...}");
    run(&format!("reading {}", tarball.display()), cmd, log).map_err(unreadable)
}

fn unreadable(error: Error) -> Error {
    match error.remedy {
        Some(_) => error,
        None => Error::usage(error.message)
            .remedy("the file may be cut short or be no tarball: make or fetch it again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let needed = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            needs(&path).unwrap().first().map(|need| need.package)
        };
        assert_eq!(needed(b"BZh91AY"), Some("bzip2"));
        assert_eq!(needed(b"\x28\xb5\x2f\xfd\x04"), Some("zstd"));
        assert_eq!(needed(b"\x1f\x8b\x08"), None);
        assert_eq!(needed(b""), None);
    }

    #[test]
    fn members_are_listed_and_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let (tar, log) = (dir.path().join("a.tar"), dir.path().join("log"));
        let sh = shell(dir.path()).unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        cmd!(sh, "tar -cf {tar} ./file").quiet().run().unwrap();
        assert_eq!(names(&tar, &log).unwrap(), ["./file"]);
        let into = dir.path().join("into");
        fs::create_dir(&into).unwrap();
        extract(&tar, &["./file".into()], &into, &log).unwrap();
        assert_eq!(fs::read_to_string(into.join("file")).unwrap(), "x");
        fs::write(&tar, "no tarball at all").unwrap();
        let error = names(&tar, &log).unwrap_err();
        assert!(error.remedy.is_some_and(|remedy| remedy.contains("no tarball")), "{}", error.message);
    }
}
