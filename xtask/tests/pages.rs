//! What the pages for people must have: every package, every verb, a way to each of them, and no link that leads nowhere.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::tidy::{files, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Where the pages begin.
const README: &str = "README.md";
/// What `new` fills in: no packages of the workspace.
const TEMPLATES: &str = "crates/carveout-build/templates/";

/// Pages in Markdown, by their paths, without those of templates.
fn pages() -> BTreeMap<String, String> {
    let is_page = |name: &str| name.ends_with(".md") && !name.starts_with(TEMPLATES);
    files().into_iter().filter(|(name, _)| is_page(name)).collect()
}

/// A path without `.` and `..`; none if it leads out of the repository.
fn plain(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

/// What a page links within the repository: path and heading. `[text](target)` and `[label]: target`, outside of blocks.
fn links(page: &str, text: &str) -> Vec<(String, String)> {
    let folder = Path::new(page).parent().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("    "));
    let mut targets: Vec<&str> = Vec::new();
    for line in lines {
        targets.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        let label = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        targets.extend(label.map(|(_, target)| target));
    }
    let own = targets.into_iter().filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    own.map(|target| {
        let (path, heading) = target.split_once('#').unwrap_or((target, ""));
        let path = if path.is_empty() { PathBuf::from(page) } else { folder.join(path) };
        let path = plain(&path).unwrap_or_else(|| panic!("{page}: {target} leads out of the repository"));
        (path, heading.to_owned())
    })
    .collect()
}

/// The names by which a page's headings are linked: lower case, hyphens for spaces, no other punctuation.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let name = |title: &str| {
        let kept = title.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    titles.map(name).collect()
}

#[test]
fn every_package_has_its_line_in_the_architecture() {
    let pages = pages();
    let lines: Vec<&str> = pages["ARCHITECTURE.md"].lines().filter(|line| line.starts_with("| `")).collect();
    let manifests = files().into_iter().map(|(name, _)| name);
    let manifests = manifests.filter(|name| name.ends_with("/Cargo.toml") && !name.starts_with(TEMPLATES));
    let mut seen = 0;
    for name in manifests {
        let folder = format!("`{}`", name.strip_suffix("/Cargo.toml").unwrap());
        let rows =
            lines.iter().filter(|line| line.split('|').nth(1).is_some_and(|cell| cell.contains(&folder)));
        assert_eq!(rows.count(), 1, "{folder} in a table of ARCHITECTURE.md");
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
    // And none that is gone.
    for line in lines.iter().filter(|line| line.starts_with("| `crates/")) {
        let folder = line.split('`').nth(1).unwrap();
        assert!(root().join(folder).join("Cargo.toml").is_file(), "{folder} of ARCHITECTURE.md");
    }
}

#[test]
fn the_reference_has_every_verb_and_is_what_the_code_makes() {
    let command = carveout::command::<xtask::Xtask>("cargo xtask");
    let page = &pages()["docs/reference/commands.md"];
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name();
        let heading = format!("\n## {}\n", name.replace('-', " "));
        let section = page.split(heading.as_str()).nth(1).unwrap_or_else(|| panic!("no heading of {name}"));
        let section = section.split("\n## ").next().unwrap();
        assert!(section.contains(&format!("Usage: cargo xtask {name}")), "{name}");
    }
    assert_eq!(xtask::reference::stale(&root(), &command), [], "run cargo xtask reference");
}

#[test]
fn each_page_is_linked_from_the_readme_or_from_a_page_that_it_links() {
    let pages = pages();
    let linked = |page: &String| -> Vec<String> {
        let text = pages.get(page);
        text.map(|text| links(page, text).into_iter().map(|(path, _)| path).collect()).unwrap_or_default()
    };
    let first: BTreeSet<String> = linked(&README.to_owned()).into_iter().collect();
    let second: BTreeSet<String> = first.iter().flat_map(linked).collect();
    let docs = files().into_iter().map(|(name, _)| name).filter(|name| name.starts_with("docs/"));
    let lost: Vec<String> = docs.filter(|name| !first.contains(name) && !second.contains(name)).collect();
    assert_eq!(lost, Vec::<String>::new(), "link them from README.md, or from a page that it links");
}

#[test]
fn no_link_is_dead() {
    let pages = pages();
    let mut dead = Vec::new();
    let mut seen = 0;
    for (page, text) in &pages {
        for (path, heading) in links(page, text) {
            let there = root().join(&path).exists();
            let found = pages.get(&path).is_none_or(|text| headings(text).contains(&heading));
            if !there || !(heading.is_empty() || found) {
                dead.push(format!("{page}: {path}#{heading}"));
            }
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn links_and_headings_are_found() {
    let text = "# A `b`: c, d-e\n\n[x](y.md#z) and [u](https://h/i)\n\n    [no](n)\n\n[l]: ../m.md\n";
    let expected = [("docs/y.md", "z"), ("m.md", "")].map(|(path, heading)| (path.into(), heading.into()));
    assert_eq!(links("docs/a.md", text), expected);
    assert_eq!(headings(text), BTreeSet::from(["a-b-c-d-e".to_owned()]));
}
