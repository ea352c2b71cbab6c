//! Digests of the code of each stage: they are part of a stage's key, so that a change of the code makes its result anew.
//!
//! A stage's code is its module and all modules and crates of ours that those mention, directly or not. What is mentioned counts,
//! whether it is used or not: too much is built anew rather than too little.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

/// Modules in whose folders each file is a module of its own.
const GROUPS: [&str; 2] = ["stages", "tools"];
/// Modules that say, count, refuse and ask, but shape no output; what a config says is in a key by value.
const SHAPELESS: [&str; 13] = [
    "build", "cli", "config", "device", "error", "files", "host", "lib", "main", "release", "report",
    "signing", "ui",
];

/// Modules that nearly all mention: they count, but not what they mention for others' sake.
const LEAVES: [&str; 6] = ["stage", "stages", "toolchain", "tools", "tree", "workspace"];
/// A stage that is called as a crate is; no other stage mentions it.
const STAGE_OF_CRATE: (&str, &str) = ("bundle", "stages::bundle");

type Texts = BTreeMap<String, Vec<(PathBuf, String)>>;

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut modules = Texts::new();
    sources(&here.join("src"), Path::new(""), &mut |path, text| {
        modules.entry(module(&path)).or_default().push((path, text));
    })?;
    println!("cargo::rerun-if-changed=src");
    let crates = here.join("../crates");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&crates)?.flatten() {
        let name = entry.file_name().to_string_lossy().replace('-', "_");
        sources(&entry.path().join("src"), Path::new(""), &mut |path, text| {
            modules.entry(name.clone()).or_default().push((Path::new(&name).join(path), text));
        })?;
        names.insert(name);
        println!("cargo::rerun-if-changed={}", entry.path().join("src").display());
    }
    SHAPELESS.iter().for_each(|name| drop(modules.remove(*name)));
    modules.retain(|name, _| name != "verbs");
    let mut mentions: BTreeMap<&String, BTreeSet<&String>> =
        modules.iter().map(|(name, texts)| (name, mentioned(texts, &modules))).collect();
    // Crates know nothing of xtask's modules, which may be called as modules of theirs.
    for (_, mentioned) in mentions.iter_mut().filter(|(name, _)| names.contains(**name)) {
        mentioned.retain(|name| names.contains(*name));
    }
    let rows: String = modules
        .keys()
        .map(|name| format!("    ({name:?}, {:?}),\n", digest(&closure(name, &mentions), &modules)))
        .collect();
    let text =
        format!("/// Digest of the code of each module.\nconst CODE: &[(&str, &str)] = &[\n{rows}];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("code.rs"), text)?;
    Ok(())
}

/// All files below a folder, with their paths in it, sorted.
fn sources(dir: &Path, prefix: &Path, each: &mut dyn FnMut(PathBuf, String)) -> Result<(), Box<dyn Error>> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = prefix.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            sources(&entry.path(), &path, each)?;
        } else {
            each(path, String::from_utf8_lossy(&fs::read(entry.path())?).into_owned());
        }
    }
    Ok(())
}

/// The module that a file belongs to: `bsp` of stages/bsp.rs and of stages/bsp/x.rs.
fn module(path: &Path) -> String {
    let mut parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let first = parts.next().unwrap_or_default();
    let in_group = GROUPS.contains(&first.as_str());
    let part = if in_group { parts.next().unwrap_or(first) } else { first };
    let name = part.split('.').next().unwrap_or_default();
    if in_group && name == STAGE_OF_CRATE.0 { STAGE_OF_CRATE.1.into() } else { name.into() }
}

/// The modules and crates that a module's code mentions: in a `use`, or before `::`, or by a file's name.
fn mentioned<'a>(texts: &[(PathBuf, String)], modules: &'a Texts) -> BTreeSet<&'a String> {
    let mut words = BTreeSet::new();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (_, text) in texts {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("::") {
                let before = line.get(..at).unwrap_or_default();
                words.extend(before.rsplit(|c| !is_word(c)).next().map(str::to_owned));
            }
        }
        for used in text.split("\nuse ").chain(text.split("\npub use ")).skip(1) {
            let list = used.split(';').next().unwrap_or_default();
            words.extend(list.split(|c| !is_word(c)).map(str::to_owned));
        }
        for file in text.split("include_str!(\"").skip(1) {
            let name = file.split('"').next().unwrap_or_default();
            words.insert(module(Path::new(name.trim_start_matches("../"))));
        }
    }
    modules.keys().filter(|name| words.contains(*name) || LEAVES.contains(&name.as_str())).collect()
}

fn closure<'a>(
    name: &'a String,
    mentions: &BTreeMap<&'a String, BTreeSet<&'a String>>,
) -> BTreeSet<&'a String> {
    let (mut found, mut queue) = (BTreeSet::new(), vec![name]);
    while let Some(name) = queue.pop() {
        if found.insert(name) {
            let is_leaf = LEAVES.contains(&name.as_str());
            queue.extend(mentions.get(name).into_iter().flatten().filter(|_| !is_leaf));
        }
    }
    found
}

fn digest(names: &BTreeSet<&String>, modules: &Texts) -> String {
    let mut digest = Sha256::new();
    for (path, text) in names.iter().filter_map(|name| modules.get(*name)).flatten() {
        digest.update(format!("{} {}\n", path.display(), text.len()));
        digest.update(text);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
