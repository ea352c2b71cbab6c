//! A package's licence in BitBake's terms: LICENSE, the files that LIC_FILES_CHKSUM names, NO_GENERIC_LICENSE.
//!
//! BitBake writes `&` for AND and `|` for OR, and has one word for a licence with an exception (OE-Core kirkstone,
//! meta/lib/oe/license.py and meta/files/common-licenses).

use crate::errors::RecipesError;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::tools::{capture, shell};
use spdx::expression::{ExprNode, Operator};
use spdx::{Expression, LicenseItem, LicenseReq, ParseMode};
use std::collections::BTreeMap;
use std::path::Path;
use xshell::cmd;

/// What a Cargo.toml says of its licence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// `license`: an SPDX expression.
    pub license: Option<String>,
    /// `license-file`, below the workspace.
    pub file: Option<String>,
}

/// What a recipe says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// LICENSE.
    pub expression: String,
    /// LIC_FILES_CHKSUM; none of a CLOSED licence.
    pub files: Vec<String>,
    /// NO_GENERIC_LICENSE: words that OE-Core has no text of, with the file that has it.
    pub own: BTreeMap<String, String>,
}

/// What SPDX calls the slash, and a GNU licence's plus, is still in many a Cargo.toml.
const MODE: ParseMode = ParseMode {
    allow_slash_as_or_operator: true,
    allow_postfix_plus_on_gpl: true,
    allow_deprecated: true,
    ..ParseMode::STRICT
};

/// OE-Core's words for licences with exceptions that it does not make of the two names.
const EXCEPTIONS: [(&str, &str, &str); 6] = [
    ("GPL-2.0-only", "Autoconf-exception-2.0", "GPL-2.0-with-autoconf-exception"),
    ("GPL-2.0-only", "Classpath-exception-2.0", "GPL-2.0-with-classpath-exception"),
    ("GPL-2.0-only", "Font-exception-2.0", "GPL-2.0-with-font-exception"),
    ("GPL-2.0-only", "GCC-exception-2.0", "GPL-2.0-with-GCC-exception"),
    ("GPL-3.0-only", "Autoconf-exception-3.0", "GPL-3.0-with-autoconf-exception"),
    ("GPL-3.0-only", "GCC-exception-3.1", "GPL-3.0-with-GCC-exception"),
];

/// MD5 sums of OE-Core's own texts (kirkstone, meta/files/common-licenses), for packages that come without one.
const COMMON: [(&str, &str); 22] = [
    ("0BSD", "f667a3c3830a55a17ec3067709f4526c"),
    ("AGPL-3.0-only", "73f1eb20517c55bf9493b7dd6e480788"),
    ("Apache-2.0", "89aea4e17d99a7cacdbeed46a0096b10"),
    ("Apache-2.0-with-LLVM-exception", "0bcd48c3bdfef0c9d9fd17726e4b7dab"),
    ("BSD-2-Clause", "cb641bc04cda31daea161b1bc15da69f"),
    ("BSD-3-Clause", "550794465ba0ec5312d6919e203a55f9"),
    ("BSL-1.0", "65a7df9ad57aacf825fd252c4c33288c"),
    ("CC0-1.0", "0ceb3372c9595f0a8067e55da801e4a1"),
    ("EPL-2.0", "2dd765ca47a05140be15ebafddbeadfe"),
    ("GPL-2.0-only", "801f80980d171dd6425610833a22dbe6"),
    ("GPL-2.0-or-later", "fed54355545ffd980b814dab4a3b312c"),
    ("GPL-3.0-only", "c79ff39f19dfec6d293b95dea7b07891"),
    ("GPL-3.0-or-later", "1c76c4cc354acaac30ed4d5eefea7245"),
    ("ISC", "f3b90e78ea0cffb20bf5cca7947a896d"),
    ("LGPL-2.1-only", "1a6d268fd218675ffea8be556788b780"),
    ("LGPL-2.1-or-later", "2a4f4fd2128ea2f65047ee63fbca9f68"),
    ("LGPL-3.0-only", "bfccfe952269fff2b407dd11f2f3083b"),
    ("LGPL-3.0-or-later", "c51d3eef3be114124d11349ca0d7e117"),
    ("MIT", "0835ade698e0bcf8506ecda2f7b4f302"),
    ("MPL-2.0", "815ca599c9df247a0c7f619bab123dad"),
    ("Unlicense", "7246f848faa4e9c9fc0ea91122d6e680"),
    ("Zlib", "87f239f408daca8a157858e192597633"),
];

/// The licence of a package whose folder is `folder`, below the workspace at `root`.
///
/// # Errors
/// What is no SPDX expression, and a licence whose text neither the package, the workspace nor OE-Core has.
pub fn licence(package: &str, declared: &Declared, folder: &str, root: &Path) -> Result<Licence> {
    let own_files = own_files(package, declared, folder, root)?;
    let Some(license) = &declared.license else {
        let Some(file) = declared.file.as_ref() else {
            return Ok(Licence { expression: "CLOSED".into(), files: Vec::new(), own: BTreeMap::new() });
        };
        let word = format!("LicenseRef-{package}");
        let files = vec![checksum(file, root)?];
        return Ok(Licence { expression: word.clone(), files, own: [(word, file.clone())].into() });
    };
    let expression = Expression::parse_mode(license, MODE).map_err(|error| RecipesError::LicenceNotSpdx {
        package: package.into(),
        license: license.escape_debug().to_string(),
        part: license.get(error.span.clone()).unwrap_or(license).escape_debug().to_string(),
        reason: error.reason.to_string(),
        folder: folder.into(),
    })?;
    let words: Vec<Word> = expression.requirements().map(|found| Word::of(&found.req)).collect();
    let (mut files, mut own) = (own_files.clone(), BTreeMap::new());
    for word in &words {
        let text = match own_files.first() {
            Some(file) => Some(file.clone()),
            None => of_workspace(&word.license, root),
        };
        let common = COMMON.iter().find(|(known, _)| *known == word.text);
        match (text, common) {
            (Some(file), _) => {
                if word.is_own {
                    own.insert(word.text.clone(), file.clone());
                }
                if !files.contains(&file) {
                    files.push(file);
                }
            }
            (None, Some((name, md5))) => files.push(format!("${{COMMON_LICENSE_DIR}}/{name};md5={md5}")),
            (None, None) => {
                return Err(RecipesError::NoLicenceText {
                    package: package.into(),
                    license: license.escape_debug().to_string(),
                    name: word.text.clone(),
                    folder: folder.into(),
                }
                .into());
            }
        }
    }
    let mut checksums = Vec::new();
    for file in files {
        let known = file.starts_with("${").then(|| format!("file://{file}"));
        let sum = known.map_or_else(|| checksum(&file, root), Ok)?;
        if !checksums.contains(&sum) {
            checksums.push(sum);
        }
    }
    Ok(Licence { expression: infix(&expression), files: checksums, own })
}

/// A licence in an expression.
struct Word {
    /// Its SPDX name, without an exception.
    license: String,
    /// BitBake's word.
    text: String,
    /// Whether OE-Core has no text of it.
    is_own: bool,
}

impl Word {
    fn of(req: &LicenseReq) -> Self {
        // BitBake's words have letters, digits and `.+_-` only.
        let license = req.license.to_string().replace(':', "-");
        let license = modern(&license);
        let Some(addition) = &req.addition else {
            let is_own = matches!(req.license, LicenseItem::Other(_));
            return Self { text: license.clone(), license, is_own };
        };
        let exception = addition.to_string().replace(':', "-");
        let known = EXCEPTIONS.iter().find(|(of, with, _)| *of == license && *with == exception);
        let text = known.map_or_else(|| format!("{license}-with-{exception}"), |(_, _, word)| (*word).into());
        let is_own = known.is_none() && !COMMON.iter().any(|(common, _)| *common == text);
        Self { license, text, is_own }
    }
}

/// GNU's licences as SPDX names them now: kirkstone warns of the old names.
fn modern(license: &str) -> String {
    let gnu = ["GPL-", "LGPL-", "AGPL-", "GFDL-"].iter().any(|family| license.starts_with(family));
    let plain = license.trim_end_matches('+');
    if !gnu || license.ends_with("-only") || license.ends_with("-or-later") {
        return license.into();
    }
    format!("{plain}-{}", if license.ends_with('+') { "or-later" } else { "only" })
}

/// The expression, which the parser has turned into postfix order.
fn infix(expression: &Expression) -> String {
    // With each text the operator at its top, if there is one.
    let mut stack: Vec<(String, Option<Operator>)> = Vec::new();
    for node in expression.iter() {
        let done = match node {
            ExprNode::Req(found) => (Word::of(&found.req).text, None),
            ExprNode::Op(operator) => {
                let (right, left) = (stack.pop().unwrap_or_default(), stack.pop().unwrap_or_default());
                let sign = if *operator == Operator::And { '&' } else { '|' };
                let part = |(text, top): (String, Option<Operator>)| match top {
                    Some(top) if top != *operator => format!("({text})"),
                    _ => text,
                };
                (format!("{} {sign} {}", part(left), part(right)), Some(*operator))
            }
        };
        stack.push(done);
    }
    stack.pop().unwrap_or_default().0
}

/// The package's own files, below the workspace: `license-file`, or what is called so in its folder.
fn own_files(package: &str, declared: &Declared, folder: &str, root: &Path) -> Result<Vec<String>> {
    if let Some(file) = &declared.file {
        let owned = || (package.to_owned(), file.clone(), folder.to_owned());
        let inside = Path::new(file).strip_prefix(folder).is_ok();
        // A recipe has the package's folder, and the licences beside the workspace's Cargo.toml.
        let beside = !file.contains('/') && is_licence(file);
        if !inside && !beside {
            let (package, file, folder) = owned();
            return Err(RecipesError::LicenceFileOutside { package, file, folder }.into());
        }
        if !root.join(file).is_file() {
            let (package, file, folder) = owned();
            return Err(RecipesError::LicenceFileMissing { package, file, folder }.into());
        }
        return Ok(vec![file.clone()]);
    }
    let names = names(&root.join(folder)).filter(|name| is_licence(name));
    Ok(names.map(|name| format!("{folder}/{name}")).filter(|path| root.join(path).is_file()).collect())
}

/// Names of what is in a folder, in order.
fn names(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = files::list(folder).unwrap_or_default().into_iter();
    entries.map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Whether a file is called as licences are. The layer's lib/carveout/workspace.py copies the same ones.
fn is_licence(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let rest = ["LICENSE", "LICENCE", "COPYING", "UNLICENSE"].iter().find_map(|head| name.strip_prefix(head));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_']))
}

/// The file beside the workspace's Cargo.toml that is called as the licence is: LICENSE-MIT, LICENSE-APACHE, LICENSE-BSD-3-Clause.
fn of_workspace(license: &str, root: &Path) -> Option<String> {
    let family = license.split('-').next().unwrap_or(license);
    let names: Vec<String> = names(root).collect();
    let called = |wanted: &str| {
        let wanted = wanted.to_ascii_uppercase();
        names.iter().find(|name| {
            let name = name.to_ascii_uppercase();
            let plain = name.strip_suffix(".TXT").or(name.strip_suffix(".MD")).unwrap_or(&name);
            ["LICENSE-", "LICENCE-", "COPYING-"].iter().any(|head| plain.strip_prefix(head) == Some(&wanted))
        })
    };
    let short = (license == "Apache-2.0").then_some(family);
    called(license).or_else(|| short.and_then(called)).cloned()
}

/// An entry of LIC_FILES_CHKSUM of a file below the workspace.
fn checksum(file: &str, root: &Path) -> Result<String> {
    let path = root.join(file);
    path.metadata().at(&path)?;
    // BitBake compares MD5 sums here; md5sum is a part of every Linux.
    let sh = shell(root)?;
    let sum = capture("md5sum", cmd!(sh, "md5sum -- {file}"))?;
    let sum = sum.trim_start_matches('\\').split_whitespace().next().unwrap_or_default().to_owned();
    Ok(format!("file://{file};md5={sum}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("apps/a-srv")).unwrap();
        for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        dir
    }

    fn of(root: &Path, license: Option<&str>, file: Option<&str>) -> Result<Licence> {
        let declared = Declared { license: license.map(str::to_owned), file: file.map(str::to_owned) };
        licence("a-srv", &declared, "apps/a-srv", root)
    }

    #[test]
    fn expressions_become_bitbakes() {
        let dir = folder();
        for (license, expected) in [
            ("MIT", "MIT"),
            ("MIT OR Apache-2.0", "MIT | Apache-2.0"),
            ("MIT/Apache-2.0", "MIT | Apache-2.0"),
            ("Apache-2.0 AND MIT", "Apache-2.0 & MIT"),
            ("MIT OR Apache-2.0 AND ISC", "MIT | (Apache-2.0 & ISC)"),
            ("(MIT OR Apache-2.0) AND (ISC OR Zlib)", "(MIT | Apache-2.0) & (ISC | Zlib)"),
            ("MIT OR (ISC OR Zlib)", "MIT | ISC | Zlib"),
            ("Apache-2.0 WITH LLVM-exception OR MIT", "Apache-2.0-with-LLVM-exception | MIT"),
            ("BSD-3-Clause", "BSD-3-Clause"),
            ("GPL-2.0", "GPL-2.0-only"),
            ("GPL-2.0+", "GPL-2.0-or-later"),
            ("LGPL-2.1-or-later", "LGPL-2.1-or-later"),
        ] {
            assert_eq!(of(dir.path(), Some(license), None).unwrap().expression, expected, "{license}");
        }
    }

    /// OE-Core's own words, where the package brings the text.
    #[test]
    fn exceptions_are_words_of_oe_core() {
        let dir = folder();
        fs::write(dir.path().join("apps/a-srv/COPYING"), "text").unwrap();
        let known = of(dir.path(), Some("GPL-2.0-only WITH GCC-exception-2.0"), None).unwrap();
        assert_eq!((known.expression.as_str(), known.own.len()), ("GPL-2.0-with-GCC-exception", 0));
        let other = of(dir.path(), Some("GPL-2.0-only WITH Linux-syscall-note"), None).unwrap();
        assert_eq!(other.expression, "GPL-2.0-only-with-Linux-syscall-note");
        assert_eq!(other.own.get(&other.expression).map(String::as_str), Some("apps/a-srv/COPYING"));
        assert_eq!(other.files, ["file://apps/a-srv/COPYING;md5=1cb251ec0d568de6a929b520c4aed8d1"]);
    }

    #[test]
    fn texts_come_from_the_package_the_workspace_or_oe_core() {
        let dir = folder();
        let files = |license: &str| of(dir.path(), Some(license), None).unwrap().files.join(" ");
        let both = files("MIT OR Apache-2.0");
        assert!(
            both.starts_with("file://LICENSE-MIT;md5=") && both.contains(" file://LICENSE-APACHE;md5="),
            "{both}"
        );
        assert_eq!(
            files("BSD-3-Clause"),
            "file://${COMMON_LICENSE_DIR}/BSD-3-Clause;md5=550794465ba0ec5312d6919e203a55f9"
        );
        let none = of(dir.path(), Some("OFL-1.1"), None).unwrap_err().to_string();
        assert!(none.contains("a-srv: license = \"OFL-1.1\": there is no text of OFL-1.1"), "{none}");
        assert!(none.contains("help: put the text into apps/a-srv/LICENSE"), "{none}");
        fs::write(dir.path().join("apps/a-srv/LICENSE.txt"), "text").unwrap();
        assert!(files("OFL-1.1").starts_with("file://apps/a-srv/LICENSE.txt;md5="));
    }

    #[test]
    fn a_licence_of_ones_own_and_none() {
        let dir = folder();
        let none = of(dir.path(), None, None).unwrap();
        assert_eq!((none.expression.as_str(), none.files.len()), ("CLOSED", 0));
        let file = "apps/a-srv/EULA.txt";
        let gone = of(dir.path(), None, Some(file)).unwrap_err().to_string();
        assert!(gone.contains("license-file is apps/a-srv/EULA.txt, and there is no such file"), "{gone}");
        fs::write(dir.path().join(file), "ours").unwrap();
        let own = of(dir.path(), None, Some(file)).unwrap();
        assert_eq!(own.expression, "LicenseRef-a-srv");
        assert_eq!(own.own, [("LicenseRef-a-srv".to_owned(), file.to_owned())].into());
        assert!(own.files.concat().starts_with("file://apps/a-srv/EULA.txt;md5="), "{own:?}");
        let named = of(dir.path(), Some("LicenseRef-Acme AND MIT"), Some(file)).unwrap();
        assert_eq!(named.expression, "LicenseRef-Acme & MIT");
        assert_eq!(named.own, [("LicenseRef-Acme".to_owned(), file.to_owned())].into());
        let outside = of(dir.path(), None, Some("legal/EULA.txt")).unwrap_err().to_string();
        assert!(outside.contains("legal/EULA.txt, which its recipe does not have"), "{outside}");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let dir = folder();
        for bad in ["Proprietary", "MIT OR", "MIT, Apache-2.0", "", "MIT \" X"] {
            let error = of(dir.path(), Some(bad), None).unwrap_err().to_string();
            assert!(
                error.contains("a-srv: license = \"") && error.contains("help: write an SPDX"),
                "{error}"
            );
        }
    }
}
