//! What scripts and readers rely on: codes of failures, and the pages made of the code.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::tidy::{files, lines_with, root, without_tests, words};

#[test]
fn every_failure_has_its_own_code_and_the_reference_is_current() {
    let sources =
        files().into_iter().filter(|(name, _)| name.starts_with("crates/") && name.ends_with(".rs"));
    let entries = xtask::reference::entries();
    for (name, text) in sources.filter(|(name, _)| !name.ends_with("error/macros.rs")) {
        for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("pub enum ")) {
            let Some(prefix) = line.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\") {")) else {
                continue;
            };
            assert!(entries.keys().any(|code| code.starts_with(&format!("{prefix}::"))), "{name}: {prefix}");
        }
    }
    assert_eq!(xtask::reference::all().len(), entries.len(), "a code occurs twice");
    let command = carveout::command::<xtask::Xtask>("cargo xtask");
    assert_eq!(xtask::reference::stale(&root(), &command), [], "run cargo xtask reference");
}

/// Whatever fails has a code of its own: see `carveout_host::errors!`.
#[test]
fn no_failure_is_words_alone() {
    let made = words(&[["Error::che", "ck("], ["Error::usa", "ge("], ["Error::environ", "ment("]]);
    let sources =
        files().into_iter().filter(|(name, _)| name.starts_with("crates/carveout") && name.ends_with(".rs"));
    let sources: Vec<_> = without_tests(sources.collect())
        .into_iter()
        .filter(|(name, _)| {
            name != "crates/carveout-host/src/error.rs" && name != "crates/carveout-desk/src/link.rs"
        })
        .collect();
    assert_eq!(lines_with(&sources, &made), Vec::<String>::new());
}

/// A verb without verbs below it, by its name in the schema of `--json`.
fn leaves(command: &clap::Command, before: &str) -> Vec<String> {
    let below = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let name = |verb: &clap::Command| format!("{before}{}", verb.get_name());
    below
        .flat_map(|verb| match leaves(verb, &format!("{}-", name(verb))) {
            none if none.is_empty() => vec![name(verb)],
            all => all,
        })
        .collect()
}

#[test]
fn each_verb_has_its_result_in_the_schema() {
    let command = carveout::command::<xtask::Xtask>("cargo xtask");
    let mut all = leaves(&command, "");
    all.sort();
    assert_eq!(all, xtask::reference::schemas::verbs().collect::<Vec<_>>());
}

/// Guides name failures by their codes, which never change; a code that is none would lead nowhere.
#[test]
fn codes_in_guides_are_codes() {
    let entries = xtask::reference::entries();
    let crates: Vec<String> =
        entries.keys().filter_map(|code| Some(code.split_once("::")?.0.into())).collect();
    let mut seen = 0;
    for (name, text) in
        files().into_iter().filter(|(name, _)| name.starts_with("docs/") && name.ends_with(".md"))
    {
        // In errors.md the codes stand without their groups.
        for word in text.split('`').skip(1).step_by(2).filter(|word| word.matches("::").count() == 2) {
            let ours =
                crates.iter().any(|first| word.split_once("::").is_some_and(|(start, _)| start == first));
            if ours && word.contains('-') {
                assert!(entries.contains_key(word), "{name}: {word}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen}");
}
