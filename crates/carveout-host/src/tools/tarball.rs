//! A tarball of a root filesystem, read in one pass, whatever compresses it.

use super::shell;
use crate::error::{At, Result};
use crate::errors::ArtifactError;
use crate::packages::Need;
use crate::process;
use crate::process::Streams;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use tar::EntryType;
use xshell::cmd;

/// Programs that unpack, by how what they have packed begins.
const COMPRESSIONS: [(&[u8], Need); 4] = [
    (b"BZh", need("bzip2", "bzip2")),
    (b"\xfd7zXZ\0", need("xz", "xz-utils")),
    (b"\x28\xb5\x2f\xfd", need("zstd", "zstd")),
    (b"\x1f\x8b", need("gzip", "gzip")),
];

const fn need(program: &'static str, package: &'static str) -> Need {
    Need { program, package, why: "unpacks the root filesystem's tarball" }
}

/// What the host needs for a tarball, tar's own calls of it included.
pub fn needs(tarball: &Path) -> Result<Option<Need>> {
    let mut head = Vec::new();
    bundle::open(tarball).and_then(|file| file.take(8).read_to_end(&mut head)).at(tarball)?;
    Ok(COMPRESSIONS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, need)| *need))
}

/// A member of a tarball.
pub struct Member<'a> {
    /// Its name, as it is written.
    pub name: String,
    /// What it is.
    pub kind: EntryType,
    /// Of a link: where it leads, as it is written.
    pub target: Option<String>,
    /// What it holds.
    pub reader: &'a mut dyn Read,
}

/// Gives `each` the members, and reads the tarball to its end: an error means that it is damaged.
pub fn read(tarball: &Path, log: &Path, each: &mut dyn FnMut(Member) -> io::Result<()>) -> Result<()> {
    let path = tarball.to_owned();
    let mut file = crate::files::open(tarball)?;
    let Some(need) = needs(tarball)? else {
        return members(&mut file, each)
            .map_err(|source| ArtifactError::TarballDamaged { path, source }.into());
    };
    file.seek(SeekFrom::Start(0)).at(tarball)?;
    let (sh, program) = (shell(Path::new("/"))?, need.program);
    let errors = crate::files::log(log)?;
    let streams = Streams { stdin: file.into(), stdout: Stdio::piped(), stderr: errors.into() };
    let mut running = process::start(cmd!(sh, "{program} -dc"), streams)
        .map_err(|unstarted| unstarted.of("unpacking the root filesystem's tarball"))?;
    let read = match running.stdout() {
        Some(mut stdout) => members(&mut stdout, each),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    let status = running.wait().at(Path::new(program))?;
    // What the program says comes first: its output ends early, too.
    match (read, status.success()) {
        (Ok(()), true) => Ok(()),
        (Err(source), true) => Err(ArtifactError::TarballDamaged { path, source }.into()),
        (_, false) => {
            let (status, output, log) = (status.to_string(), super::tail(log), log.into());
            Err(ArtifactError::TarballNotUnpacked { path, program, status, output, log }.into())
        }
    }
}

fn members(reader: &mut dyn Read, each: &mut dyn FnMut(Member) -> io::Result<()>) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
        each(Member { name, kind, target, reader: &mut entry })?;
    }
    // The program that unpacks checks its sums at the end.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(tarball: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        read(tarball, &tarball.with_extension("log"), &mut |member| {
            let mut text = String::new();
            member.reader.read_to_string(&mut text)?;
            names.push(format!("{}={text}", member.name));
            Ok(())
        })?;
        Ok(names)
    }

    #[test]
    fn members_are_read_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let sh = shell(dir.path()).unwrap();
        let long = format!("./{}", "n".repeat(150));
        fs::write(dir.path().join("file"), "x".repeat(100)).unwrap();
        fs::write(dir.path().join(&long), "").unwrap();
        let expected = [format!("./file={}", "x".repeat(100)), format!("{long}=")];
        for (name, option) in [("a.tar", "-c"), ("a.tgz", "-cz")] {
            let path = dir.path().join(name);
            cmd!(sh, "tar {option} -f {path} ./file {long}").quiet().run().unwrap();
            assert_eq!(names(&path).unwrap(), expected);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..if name == "a.tar" { 550 } else { bytes.len() - 9 }]).unwrap();
            let error = names(&path).unwrap_err();
            assert!(error.remedy.is_some_and(|remedy| remedy.contains("cut short")), "{}", error.message);
        }
        let path = dir.path().join("none");
        fs::write(&path, "no tarball at all, ".repeat(100)).unwrap();
        assert!(names(&path).is_err());
        fs::write(&path, "").unwrap();
        assert_eq!(names(&path).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn compressions_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let needed = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            needs(&path).unwrap().map(|need| need.package)
        };
        assert_eq!(needed(b"BZh91AY"), Some("bzip2"));
        assert_eq!(needed(b"\x28\xb5\x2f\xfd\x04"), Some("zstd"));
        assert_eq!(needed(b"\xfd7zXZ\0\0"), Some("xz-utils"));
        assert_eq!(needed(b""), None);
    }
}
