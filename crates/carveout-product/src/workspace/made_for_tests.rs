//! A workspace of one package, for tests.

use super::graph::Graph;
use std::fs;
use std::path::Path;

/// Its graph, with what Cargo.lock says besides.
pub fn graph(root: &Path, more: &str) -> Graph {
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(root.join("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"own\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    let lock = format!("[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n{more}");
    fs::write(root.join("Cargo.lock"), lock).unwrap();
    Graph::members(root).unwrap()
}
