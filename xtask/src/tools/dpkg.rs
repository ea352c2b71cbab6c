//! dpkg: what packages say of themselves, in files and in lists.

use super::{capture, shell};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;
use xshell::cmd;

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
        let text = capture("dpkg-deb", text).map_err(|_| {
            Error::usage(format!("{}: is no Debian package, or a damaged one", deb.display()))
                .remedy("fetch or unpack it again")
        })?;
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
