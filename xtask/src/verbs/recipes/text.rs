//! Texts: the package for cargo-bitbake, and the finished recipe.

use super::graph::Needed;
use super::{CARGO_BITBAKE, Kind};
use crate::error::{At, Error, Result};
use crate::tools::{capture, shell};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use xshell::cmd;

/// The Cargo.toml of a package that has a name, words and crates, and nothing else.
pub fn manifest(needed: &Needed) -> String {
    let Needed { name, version, description, license, repository, .. } = needed;
    let mut text = format!(
        "[package]\nname = {name:?}\nversion = {version:?}\nedition = \"2018\"\ndescription = {description:?}\n\
         license = {license:?}\nrepository = {repository:?}\n[dependencies]\n"
    );
    // Of several versions of a crate each has a name of its own.
    for (index, krate) in needed.crates.iter().enumerate() {
        let _ =
            writeln!(text, "d{index} = {{ package = {:?}, version = \"={}\" }}", krate.name, krate.version);
    }
    text
}

/// A recipe of ours out of one of cargo-bitbake: its words and crates; our class, licences and sources.
pub fn finish(raw: &str, needed: &Needed, kind: Kind, root: &Path) -> Result<String> {
    let value = |name: &str| {
        let line = raw.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"'))
            .ok_or_else(|| Error::check(format!("{} {} wrote no {name}", CARGO_BITBAKE.0, CARGO_BITBAKE.1)))
    };
    let (description, homepage) = (value("SUMMARY")?, value("HOMEPAGE")?);
    let listed: BTreeSet<&str> = raw
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" \\"))
        .filter(|line| line.starts_with("crate://"))
        .collect();
    let uri = |name: &str, version: &str| format!("crate://crates.io/{name}/{version}");
    let expected: BTreeSet<String> =
        needed.crates.iter().map(|krate| uri(&krate.name, &krate.version)).collect();
    if !listed.iter().copied().eq(expected.iter().map(String::as_str)) {
        return Err(Error::check(format!(
            "{} lists other crates for {} than it was given",
            CARGO_BITBAKE.0, needed.name
        )));
    }
    let (class, what, section) = match kind {
        Kind::TrustedApp => ("carveout_trusted_app", "Trusted app", "bootloaders"),
        Kind::ClientApp => ("carveout_client_app", "Client app", "console/utils"),
        Kind::HostTool => ("carveout_host_tool", "Host tool", "devel"),
    };
    let mut text = format!(
        "# SPDX-License-Identifier: MIT OR Apache-2.0\n\
         # Made by `cargo xtask recipes` with {} {}: edit Cargo.toml, not this.\n\n\
         SUMMARY = \"{what} {} of carveout\"\nDESCRIPTION = \"{description}\"\nHOMEPAGE = \"{homepage}\"\n\
         SECTION = \"{section}\"\nLICENSE = \"{}\"\nLIC_FILES_CHKSUM = \"{}\"\n\n\
         inherit {class}\n\nCARVEOUT_MEMBERS = \"\\\n",
        CARGO_BITBAKE.0,
        CARGO_BITBAKE.1,
        needed.name,
        license(&needed.license)?,
        license_files(&needed.license, root)?
    );
    for member in &needed.members {
        let _ = writeln!(text, "    {member} \\");
    }
    text.push_str("\"\n");
    if !expected.is_empty() {
        text.push_str("\nSRC_URI += \"\\\n");
        for uri in &expected {
            let _ = writeln!(text, "    {uri} \\");
        }
        text.push_str("\"\n\n");
        for krate in &needed.crates {
            let _ =
                writeln!(text, "SRC_URI[{}-{}.sha256sum] = \"{}\"", krate.name, krate.version, krate.sha256);
        }
    }
    Ok(text)
}

/// Licences with the files that the workspace has of them.
const LICENSES: [(&str, &str); 2] = [("MIT", "LICENSE-MIT"), ("Apache-2.0", "LICENSE-APACHE")];

fn files(license: &str) -> Result<Vec<(&str, &'static str)>> {
    let file = |id: &str| LICENSES.iter().find(|(known, _)| *known == id).map(|(_, file)| *file);
    license
        .split(" OR ")
        .map(|id| {
            let found = file(id).map(|file| (id, file));
            found.ok_or_else(|| {
                Error::usage(format!(
                    "licence `{license}`: the workspace has files of MIT and Apache-2.0 alone"
                ))
            })
        })
        .collect()
}

/// An expression of cargo in BitBake's terms.
fn license(license: &str) -> Result<String> {
    Ok(files(license)?.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(" | "))
}

fn license_files(license: &str, root: &Path) -> Result<String> {
    let sh = shell(root)?;
    let mut parts = Vec::new();
    for (_, file) in files(license)? {
        // BitBake compares MD5 sums here; md5sum is a part of every Linux.
        root.join(file).metadata().at(&root.join(file))?;
        let sum = capture("md5sum", cmd!(sh, "md5sum {file}"))?;
        let sum = sum.split_whitespace().next().unwrap_or_default().to_owned();
        parts.push(format!("file://{file};md5={sum}"));
    }
    Ok(parts.join(" "))
}

/// Lines that differ, as far as the first few.
pub fn difference(old: &str, new: &str) -> String {
    const SHOWN: usize = 12;
    let (a, b): (BTreeSet<&str>, BTreeSet<&str>) = (old.lines().collect(), new.lines().collect());
    let gone = old.lines().filter(|line| !b.contains(line)).map(|line| format!("  - {line}"));
    let come = new.lines().filter(|line| !a.contains(line)).map(|line| format!("  + {line}"));
    let lines: Vec<String> = gone.chain(come).collect();
    match lines.len() {
        0 => "  its lines are in another order".into(),
        count if count > SHOWN => {
            format!("{}\n  … {} lines more", lines.get(..SHOWN).unwrap_or_default().join("\n"), count - SHOWN)
        }
        _ => lines.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::Crate;
    use super::*;

    fn needed() -> Needed {
        let krate = |name: &str, version: &str| Crate {
            name: name.into(),
            version: version.into(),
            sha256: "ab".repeat(32),
        };
        Needed {
            name: "a-srv".into(),
            version: "1.2.3".into(),
            description: "Says \"a\"".into(),
            license: "MIT OR Apache-2.0".into(),
            repository: "https://carveout.example/carveout".into(),
            folder: "apps/a-srv".into(),
            members: ["apps/a-srv".to_owned(), "crates/b".to_owned()].into(),
            crates: [krate("toml", "1.2.1+spec-1.1.0"), krate("crc", "3.4.0")].into(),
        }
    }

    const RAW: &str = "inherit cargo\nSRC_URI += \" \\\n    crate://crates.io/crc/3.4.0 \\\n    \
        crate://crates.io/toml/1.2.1+spec-1.1.0 \\\n\"\nSUMMARY = \"Says a\"\nHOMEPAGE = \"https://carveout.example\"\n";

    #[test]
    fn a_recipe_is_finished() {
        let root = crate::workspace::root();
        let text = finish(RAW, &needed(), Kind::TrustedApp, &root).unwrap();
        for expected in [
            "SUMMARY = \"Trusted app a-srv of carveout\"\nDESCRIPTION = \"Says a\"\n",
            "LICENSE = \"MIT | Apache-2.0\"\n",
            "inherit carveout_trusted_app\n",
            "    crates/b \\\n",
            "    crate://crates.io/toml/1.2.1+spec-1.1.0 \\\n",
            "SRC_URI[crc-3.4.0.sha256sum] = \"abab",
            "file://LICENSE-MIT;md5=",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("generateme") && !text.contains("inherit cargo\n"), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let root = crate::workspace::root();
        let fails =
            |raw: &str, needed: &Needed| finish(raw, needed, Kind::ClientApp, &root).unwrap_err().message;
        assert!(fails(&RAW.replace("crc/3.4.0", "crc/3.4.1"), &needed()).contains("other crates"));
        assert!(fails(&RAW.replace("SUMMARY", "S"), &needed()).contains("wrote no SUMMARY"));
        let other = Needed { license: "GPL-2.0-only".into(), ..needed() };
        assert!(fails(RAW, &other).contains("GPL-2.0-only"));
    }

    #[test]
    fn differences_are_told_by_line() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "  - b\n  + c");
        assert_eq!(difference("a\nb\n", "b\na\n"), "  its lines are in another order");
        let many: String = (0..50).map(|n| format!("{n}\n")).collect();
        assert!(difference("", &many).ends_with("38 lines more"));
    }
}
