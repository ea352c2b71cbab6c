//! The rooms of the house: which crate may depend on which.
#![allow(clippy::unwrap_used, clippy::panic)]

mod imports;

use carveout_host::dirs::Dirs;
use carveout_host::tools::cargo;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// What builds on formats alone, from the ground up: each may depend on those of the floors below its own.
const FLOORS: [&[&str]; 9] = [
    &["carveout-host"],
    &["stage-cache", "carveout-keys"],
    &["carveout-field"],
    &["carveout-desk", "carveout-report", "carveout-product"],
    &["carveout-vendor"],
    &["carveout-rootfs"],
    &["carveout-build"],
    &["carveout-yocto"],
    &["carveout"],
];
/// Those that see bundles, and neither how they are built nor a product or a workspace.
const CONSUMERS: [&str; 3] = ["carveout-field", "carveout-desk", "carveout-report"];
const BUILDERS: [&str; 7] = [
    "stage-cache",
    "carveout-product",
    "carveout-vendor",
    "carveout-rootfs",
    "carveout-build",
    "carveout-yocto",
    "carveout",
];
/// What runs on a device: apps, not rooms.
const ON_DEVICES: [&str; 2] = ["carveout-stored", "carveout-update"];
/// Lines of a crate's sources, at most.
const MAX_LINES: usize = 7000;

/// Packages of the workspace, and which others of it each needs to be built. Not of their tests.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo::metadata(&Dirs::find().root().unwrap().join("Cargo.toml"), &["--no-deps"]).unwrap();
    let names: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let graph = metadata.packages.iter().map(|package| {
        let normal = package.dependencies.iter().filter(|d| d.kind == cargo_metadata::DependencyKind::Normal);
        let own = normal.map(|d| d.name.clone()).filter(|name| names.contains(name));
        (package.name.to_string(), own.collect())
    });
    graph.collect()
}

fn is_room(name: &str) -> bool {
    name.starts_with("carveout") && !ON_DEVICES.contains(&name)
}

fn all_below(graph: &BTreeMap<String, BTreeSet<String>>, name: &str) -> BTreeSet<String> {
    let (mut found, mut queue) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(name) = queue.pop() {
        for below in &graph[&name] {
            if found.insert(below.clone()) {
                queue.push(below.clone());
            }
        }
    }
    found
}

#[test]
fn imports_run_downwards() {
    let graph = graph();
    let floor = |name: &str| FLOORS.iter().position(|floor| floor.contains(&name));
    for (name, needs) in &graph {
        for other in needs.iter().filter(|other| floor(other).is_some()) {
            assert!(
                name == "xtask" || floor(name) > floor(other),
                "{name} depends on {other}, which is not below it"
            );
        }
    }
    for consumer in CONSUMERS {
        let below = all_below(&graph, consumer);
        for builder in BUILDERS {
            assert!(!below.contains(builder), "{consumer} depends on {builder}");
        }
    }
    // A change of the page compiles it and the programs again, and nothing between.
    let users: Vec<&str> = graph
        .iter()
        .filter(|(_, needs)| needs.contains("carveout-report"))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(users, ["carveout", "xtask"]);
    // All that are there have their place.
    let rooms = graph.keys().filter(|name| is_room(name)).map(String::as_str);
    let placed: BTreeSet<&str> = FLOORS.concat().into_iter().collect();
    assert_eq!(rooms.filter(|name| !placed.contains(name)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn only_xtask_needs_xtask() {
    for (name, needs) in graph() {
        assert!(!needs.contains("xtask"), "{name}");
    }
}

#[test]
fn no_two_files_import_each_other() {
    use crate::tidy::{files, without_tests};
    let is_ours = |name: &str| name.starts_with("crates/") || name.starts_with("xtask/");
    let sources = files().into_iter().filter(|(name, _)| is_ours(name)).collect();
    assert_eq!(imports::pairs(&without_tests(sources)), Vec::<String>::new());
}

#[test]
fn no_crate_is_too_large() {
    let root = Dirs::find().root().unwrap().to_owned();
    for name in graph().keys().filter(|name| is_room(name) || *name == "xtask") {
        let folder =
            if name == "xtask" { root.join("xtask/src") } else { root.join("crates").join(name).join("src") };
        let mut folders = vec![folder];
        let mut lines = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path if path.extension().is_some_and(|e| e == "rs") => {
                        lines += fs::read_to_string(path).unwrap().lines().count();
                    }
                    _ => {}
                }
            }
        }
        assert!((1..=MAX_LINES).contains(&lines), "{name}: {lines} lines");
    }
}

/// Who reads the command line finds them, and hands them on.
#[test]
fn folders_are_found_in_one_place() {
    use crate::tidy::{files, lines_with, without_tests, words};
    let is_room = |name: &str| name.starts_with("crates/carveout") && name.ends_with(".rs");
    let sources = without_tests(files().into_iter().filter(|(name, _)| is_room(name)).collect());
    let found = lines_with(&sources, &words(&[["Dirs::fi", "nd()"]]));
    let places: BTreeSet<&str> = found.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(places, BTreeSet::from(["crates/carveout/src/lib.rs"]), "{found:?}");
}

/// What `-p xtask` and `--workspace` compile of one crate with other features is compiled twice, and with it all that depends on it.
#[test]
fn nothing_is_compiled_once_for_xtask_and_once_for_the_tests() {
    let features = |what: &[&str]| -> BTreeMap<String, BTreeSet<String>> {
        let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        command.args(["tree", "--locked", "--edges", "normal,build,dev", "--prefix", "none", "--no-dedupe"]);
        command.args(["--format", "{p}|{f}"]).args(what).current_dir(Dirs::find().root().unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut found = BTreeMap::<String, BTreeSet<String>>::new();
        for line in String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()) {
            let (package, features) = line.split_once('|').unwrap();
            let package = package.split(" (").next().unwrap();
            found.entry(package.into()).or_default().insert(features.replace(" (*)", ""));
        }
        found
    };
    let (xtask, all) = (features(&["--package", "xtask"]), features(&["--workspace"]));
    assert!(xtask.len() > 100);
    let other = xtask.iter().filter(|(package, features)| !features.is_subset(&all[*package]));
    let other: Vec<_> = other.map(|(package, features)| (package, features, &all[package])).collect();
    assert!(other.is_empty(), "give xtask the same features, see its Cargo.toml: {other:?}");
}
