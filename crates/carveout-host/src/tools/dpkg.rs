//! dpkg: what packages say of themselves, in files and in lists, and what they hold.

use super::{capture, shell};
use crate::error::{At, Result};
use crate::errors::PackageError;
use crate::interrupt;
use crate::process;
use crate::process::Streams;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::process::Stdio;
use tar::EntryType;
use xshell::cmd;

/// Bytes and files that an unpacked package may have.
const MAX_UNPACKED: u64 = 512 << 20;
const MAX_FILES: usize = 100_000;

/// What a package says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its name.
    pub name: String,
    /// Name, version and architecture, by tabs.
    pub identity: String,
    /// What must be there for it: for each relation the names of the packages that would do.
    pub depends: Vec<Vec<String>>,
}

impl Control {
    /// Reads a package file.
    pub fn read(deb: &Path) -> Result<Self> {
        let sh = shell(Path::new("/"))?;
        let format = "${Package}\t${Version}\t${Architecture}\t${Pre-Depends}, ${Depends}";
        let text = cmd!(sh, "dpkg-deb --showformat={format} -W {deb}");
        let text = capture("dpkg-deb", text).map_err(|_| PackageError::NotAPackage { path: deb.into() })?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut fields = text.splitn(4, '\t');
        let mut field = || fields.next().unwrap_or_default();
        let [name, version, architecture, relations] = [field(), field(), field(), field()];
        let names = |relation: &str| -> Vec<String> {
            let end = |c: char| c.is_whitespace() || "(:[".contains(c);
            let names = relation.split('|').filter_map(|one| one.trim().split(end).next());
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let depends = relations.split(',').map(names).filter(|names| !names.is_empty()).collect();
        Self { name: name.into(), identity: [name, version, architecture].join("\t"), depends }
    }
}

/// Unpacks the folders, files and links of a package into a new folder; a package with anything else, or with a path that leads out
/// of the folder, is refused. Nothing is setuid or another's.
pub fn unpack(name: &str, deb: &Path, to: &Path, log: &Path) -> Result<()> {
    fs::create_dir(to).at(to)?;
    let errors = crate::files::log(log)?;
    let sh = shell(Path::new("/"))?;
    let streams = Streams { stdout: Stdio::piped(), stderr: errors.into(), ..Streams::default() };
    let mut running = process::start(cmd!(sh, "dpkg-deb --fsys-tarfile {deb}"), streams)
        .map_err(|unstarted| unstarted.of("unpacking the client app"))?;
    let unpacked = match running.stdout() {
        Some(stdout) => unpack_tar(stdout, to),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    let ended = running.wait().at(deb)?;
    interrupt::check()?;
    let name = name.to_owned();
    match (unpacked, ended.success()) {
        (Ok(()), true) => Ok(()),
        (Ok(()), false) => {
            let (status, output, log) = (ended.to_string(), super::tail(log), log.into());
            Err(PackageError::AppNotUnpacked { name, status, output, log }.into())
        }
        (Err(source), _) => Err(PackageError::NotAnApp { name, source }.into()),
    }
}

fn unpack_tar(reader: impl Read, to: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader.take(MAX_UNPACKED));
    archive.set_preserve_mtime(false);
    let mut files = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        files += 1;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refused = |what: &str| Err(io::Error::other(format!("{name} {what}")));
        let kind = entry.header().entry_type();
        if !matches!(kind, EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Link) {
            return refused("is neither a file, a folder nor a link");
        }
        if entry.header().mode()? & 0o7000 != 0 {
            return refused("is setuid, setgid or sticky");
        }
        if files > MAX_FILES {
            return refused(&format!("is one of more than {MAX_FILES} files"));
        }
        if !entry.unpack_in(to)? {
            return refused("leads out of the package");
        }
    }
    let mut rest = archive.into_inner();
    // dpkg-deb checks its sums at the end.
    io::copy(&mut rest, &mut io::sink())?;
    match rest.limit() {
        0 => Err(io::Error::other(format!("unpacked it has more than {MAX_UNPACKED} bytes"))),
        _ => Ok(()),
    }
}

/// Reads the stanzas of a list, of packages or of dpkg's status, and hands each to `each`: its fields of these names.
pub fn stanzas(
    lists: impl BufRead,
    names: &[&str],
    mut each: impl FnMut(&BTreeMap<String, String>),
) -> std::io::Result<()> {
    let mut fields = BTreeMap::new();
    for line in lists.lines() {
        let line = line?;
        if line.is_empty() {
            each(&fields);
            fields.clear();
            continue;
        }
        // Continuations begin with a space, and so have no name.
        if let Some((name, value)) = line.split_once(": ").filter(|(name, _)| names.contains(name)) {
            fields.insert(name.to_owned(), value.to_owned());
        }
    }
    if !fields.is_empty() {
        each(&fields);
    }
    Ok(())
}

/// Name, version and architecture of a stanza, by tabs.
pub fn identity(fields: &BTreeMap<String, String>) -> String {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    [field("Package"), field("Version"), field("Architecture")].join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn relations_are_read() {
        let control = Control::parse("a\t1-2\tarm64\tb (>> 32.7-0), b (<< 32.8-0), c:any | d [arm64], , e");
        assert_eq!((control.name.as_str(), control.identity.as_str()), ("a", "a\t1-2\tarm64"));
        assert_eq!(control.depends, [vec!["b"], vec!["b"], vec!["c", "d"], vec!["e"]]);
        assert_eq!(Control::parse("a\t1\tall\t, ").depends, Vec::<Vec<String>>::new());
    }

    #[test]
    fn stanzas_are_told_apart() {
        let text = "Package: a\nVersion: 1\nArchitecture: all\nDescription: x\n Version: 7\n\nPackage: b\nVersion: 2";
        let mut found = Vec::new();
        stanzas(Cursor::new(text), &["Package", "Version"], |fields| found.push(identity(fields))).unwrap();
        assert_eq!(found, ["a\t1\t", "b\t2\t"]);
    }
}
