//! Texts: the package for cargo-bitbake, and the finished recipe.

use super::git;
use super::graph::Needed;
use super::kind::RecipeKind;
use super::licence::Licence;
use crate::errors::RecipesError;
use carveout_host::error::Result;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The tool, pinned.
pub const CARGO_BITBAKE: (&str, &str) = ("cargo-bitbake", "0.3.16");

/// The Cargo.toml of a package that has a name, words and crates, and nothing else.
pub fn manifest(needed: &Needed) -> String {
    let Needed { name, version, .. } = needed;
    let (description, repository) = (needed.description(), needed.repository());
    // Its licence is not that of this package, and is written by us.
    let mut text = format!(
        "[package]\nname = {name:?}\nversion = {version:?}\nedition = \"2018\"\ndescription = {description:?}\n\
         license = \"MIT\"\nrepository = {repository:?}\n[dependencies]\n"
    );
    // Of several versions of a crate each has a name of its own.
    for (index, krate) in needed.crates.iter().enumerate() {
        let _ =
            writeln!(text, "d{index} = {{ package = {:?}, version = \"={}\" }}", krate.name, krate.version);
    }
    text
}

/// The crates that a recipe lists.
pub fn listed(recipe: &str) -> BTreeSet<&str> {
    let items = recipe.lines().filter_map(|line| line.trim().strip_suffix(" \\"));
    items.filter(|item| item.starts_with("crate://")).collect()
}

/// A recipe of ours out of one of cargo-bitbake: its words and crates; our class, licences and sources.
pub fn finish(raw: &str, needed: &Needed, kind: RecipeKind) -> Result<String> {
    let value = |name: &str| {
        let line = raw.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"'))
            .ok_or_else(|| RecipesError::NoVariable { variable: name.into() })
    };
    let line = |name: &str, from: &str, known: bool| -> Result<String> {
        let value = value(from)?;
        Ok(if known { format!("{name} = \"{value}\"\n") } else { String::new() })
    };
    let description = line("DESCRIPTION", "SUMMARY", needed.description.is_some())?;
    let homepage = line("HOMEPAGE", "HOMEPAGE", needed.repository.is_some())?;
    let (listed, expected) = (listed(raw), needed.uris());
    if !listed.iter().copied().eq(expected.iter().map(String::as_str)) {
        return Err(RecipesError::OtherCrates { package: needed.name.clone() }.into());
    }
    let (class, what, section) = match kind {
        RecipeKind::TrustedApp => ("carveout_trusted_app", "Trusted app", "bootloaders"),
        RecipeKind::ClientApp => ("carveout_client_app", "Client app", "console/utils"),
        RecipeKind::DeviceTool => ("carveout_device_tool", "Device tool", "admin"),
        RecipeKind::HostTool => ("carveout_host_tool", "Host tool", "devel"),
    };
    // What a team makes is under the team's licence.
    let (header, of) = match needed.is_ours {
        true => ("# SPDX-License-Identifier: MIT OR Apache-2.0\n", " of carveout"),
        false => ("", ""),
    };
    let mut text = format!(
        "{header}# Made by `cargo xtask recipes` with {} {}: edit Cargo.toml, not this.\n\n\
         SUMMARY = \"{what} {}{of}\"\n{description}{homepage}\
         SECTION = \"{section}\"\n{}\ninherit {class}\n\nCARVEOUT_MEMBERS = \"\\\n",
        CARGO_BITBAKE.0,
        CARGO_BITBAKE.1,
        needed.name,
        licence(&needed.licence)
    );
    for member in &needed.members {
        let _ = writeln!(text, "    {member} \\");
    }
    text.push_str("\"\n");
    if !needed.ours.is_empty() {
        text.push_str(
            "\n# By path, in the repository that meta-carveout is a part of.\nCARVEOUT_CRATES = \"\\\n",
        );
        for folder in &needed.ours {
            let _ = writeln!(text, "    {folder} \\");
        }
        text.push_str("\"\n");
    }
    let entries = git::entries(&needed.repositories)?;
    let uris: Vec<&str> =
        expected.iter().map(String::as_str).chain(entries.iter().map(|e| e.uri.as_str())).collect();
    if !uris.is_empty() {
        text.push_str("\nSRC_URI += \"\\\n");
        for uri in uris {
            let _ = writeln!(text, "    {uri} \\");
        }
        text.push_str("\"\n\n");
        for krate in &needed.crates {
            let _ =
                writeln!(text, "SRC_URI[{}-{}.sha256sum] = \"{}\"", krate.name, krate.version, krate.sha256);
        }
    }
    text.push_str(&repositories(&entries));
    Ok(text)
}

/// Commits of the crates of git, and what cargo calls them.
fn repositories(entries: &[git::Entry]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut text = String::from(
        "\n# Crates of git, at the commits of Cargo.lock: their URLs, and the names that cargo asks for.\n",
    );
    for git::Entry { name, repository, .. } in entries {
        let _ = writeln!(text, "SRCREV_{name} = \"{}\"", repository.rev);
    }
    let _ = writeln!(text, "SRCREV_FORMAT = \"{}\"\nCARVEOUT_GIT = \"{}\"", names.join("_"), names.join(" "));
    for git::Entry { name, repository, .. } in entries {
        let refs: Vec<&str> = repository.names.iter().map(String::as_str).collect();
        let _ = writeln!(text, "CARVEOUT_GIT[{name}] = \"{} {}\"", repository.url, refs.join(" "));
    }
    text
}

/// The lines of a licence.
fn licence(licence: &Licence) -> String {
    let mut text = format!("LICENSE = \"{}\"\n", licence.expression);
    if !licence.files.is_empty() {
        let _ = writeln!(text, "LIC_FILES_CHKSUM = \"{}\"", licence.files.join(" "));
    }
    for (word, file) in &licence.own {
        let _ = writeln!(text, "NO_GENERIC_LICENSE[{word}] = \"{file}\"");
    }
    text
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
            description: Some("Says \"a\"".into()),
            licence: Licence {
                expression: "MIT | LicenseRef-a".into(),
                files: vec!["file://LICENSE-MIT;md5=ab".into(), "file://apps/a-srv/EULA;md5=cd".into()],
                own: [("LicenseRef-a".to_owned(), "apps/a-srv/EULA".to_owned())].into(),
            },
            repository: Some("https://carveout.example/carveout".into()),
            is_ours: true,
            members: ["apps/a-srv".to_owned(), "crates/b".to_owned()].into(),
            ours: BTreeSet::new(),
            crates: [krate("toml", "1.2.1+spec-1.1.0"), krate("crc", "3.4.0")].into(),
            repositories: BTreeSet::new(),
        }
    }

    const RAW: &str = "inherit cargo\nSRC_URI += \" \\\n    crate://crates.io/crc/3.4.0 \\\n    \
        crate://crates.io/toml/1.2.1+spec-1.1.0 \\\n\"\nSUMMARY = \"Says a\"\nHOMEPAGE = \"https://carveout.example\"\n";

    #[test]
    fn a_recipe_is_finished() {
        let text = finish(RAW, &needed(), RecipeKind::TrustedApp).unwrap();
        for expected in [
            "SUMMARY = \"Trusted app a-srv of carveout\"\nDESCRIPTION = \"Says a\"\n",
            "LICENSE = \"MIT | LicenseRef-a\"\nLIC_FILES_CHKSUM = \"file://LICENSE-MIT;md5=ab file://apps/a-srv/EULA;md5=cd\"\n\
             NO_GENERIC_LICENSE[LicenseRef-a] = \"apps/a-srv/EULA\"\n\ninherit",
            "inherit carveout_trusted_app\n",
            "    crates/b \\\n",
            "    crate://crates.io/toml/1.2.1+spec-1.1.0 \\\n",
            "SRC_URI[crc-3.4.0.sha256sum] = \"abab",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("generateme") && !text.contains("inherit cargo\n"), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let fails =
            |raw: &str, needed: &Needed| finish(raw, needed, RecipeKind::ClientApp).unwrap_err().message;
        assert!(fails(&RAW.replace("crc/3.4.0", "crc/3.4.1"), &needed()).contains("other crates"));
        assert!(fails(&RAW.replace("SUMMARY", "S"), &needed()).contains("wrote no SUMMARY"));
    }

    #[test]
    fn crates_of_git_are_fetched_at_their_commit() {
        let rev = "ab".repeat(20);
        let mut repositories = git::Repositories::default();
        repositories.add(&format!("git+https://git.example/team/wire.git?tag=v1#{rev}").parse().unwrap());
        let text = finish(
            RAW,
            &Needed { repositories: repositories.into_set(), ..needed() },
            RecipeKind::TrustedApp,
        )
        .unwrap();
        for expected in [
            "    git://git.example/team/wire.git;protocol=https;nobranch=1;nocheckout=1;lfs=0;name=git-wire;destsuffix=carveout-git/git-wire \\\n",
            &format!(
                "\nSRCREV_git-wire = \"{rev}\"\nSRCREV_FORMAT = \"git-wire\"\nCARVEOUT_GIT = \"git-wire\"\n"
            ),
            "\nCARVEOUT_GIT[git-wire] = \"https://git.example/team/wire.git refs/tags/v1\"\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!finish(RAW, &needed(), RecipeKind::TrustedApp).unwrap().contains("SRCREV"));
    }

    #[test]
    fn a_team_has_recipes_of_its_own() {
        let ours = ["crates/tipc".to_owned()].into();
        let text = finish(RAW, &Needed { is_ours: false, ours, ..needed() }, RecipeKind::TrustedApp).unwrap();
        assert!(
            text.starts_with("# Made by") && text.contains("SUMMARY = \"Trusted app a-srv\"\n"),
            "{text}"
        );
        assert!(text.contains("CARVEOUT_CRATES = \"\\\n    crates/tipc \\\n\"\n"), "{text}");
        assert!(!finish(RAW, &needed(), RecipeKind::TrustedApp).unwrap().contains("CARVEOUT_CRATES"));
    }

    #[test]
    fn what_cargo_toml_does_not_say_is_left_out() {
        let licence = Licence { expression: "CLOSED".into(), files: Vec::new(), own: [].into() };
        let plain = Needed { description: None, repository: None, licence, ..needed() };
        let text = finish(RAW, &plain, RecipeKind::TrustedApp).unwrap();
        assert!(text.contains("LICENSE = \"CLOSED\"\n\ninherit"), "{text}");
        for absent in ["DESCRIPTION", "HOMEPAGE", "LIC_FILES_CHKSUM"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }
}
