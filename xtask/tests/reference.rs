//! What scripts and readers rely on: codes of failures, and the pages made of the code.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::tidy::{files, lines_with, root, without_tests, words};

#[test]
fn every_failure_has_its_own_code_and_the_reference_is_current() {
    let sources =
        files().into_iter().filter(|(name, _)| name.starts_with("crates/") && name.ends_with(".rs"));
    let entries = xtask::reference::entries();
    for (name, text) in sources.filter(|(name, _)| !name.ends_with("error/catalog.rs")) {
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
