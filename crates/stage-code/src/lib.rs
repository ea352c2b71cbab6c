//! Digests of the code of each stage: they are part of a stage's key, so that a change of the code makes its result anew.
//!
//! For the build scripts of crates that have stages. A stage's code is its module and all modules and crates of ours that those
//! mention, directly or not. What is mentioned counts, whether it is used or not: too much is built anew rather than too little.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

/// Crates that are looked at module by module. All others count whole.
const ROOMS: [&str; 4] = ["carveout_build", "carveout_host", "carveout_product", "carveout_vendor"];
/// Modules in whose folders each file is a module of its own.
const GROUPS: [&str; 3] = ["scripts", "stages", "tools"];
/// Modules and crates that say, count, refuse and ask, but shape no output; what a config says is in a key by value.
const SHAPELESS: [&str; 18] = [
    "assemble",
    "carveout_field",
    "carveout_keys",
    "carveout_report",
    "dirs",
    "emulated",
    "error",
    "errors",
    "files",
    "lib",
    "make",
    "outcome",
    "packages",
    "release",
    "request",
    "run",
    "text",
    "ui",
];
/// How a stage asks for its digest.
const CALL: &str = "crate::code(file!())";
/// Of this crate only these shape an output.
const PRODUCT: (&str, &str) = ("carveout_product", "workspace");
/// Modules that nearly all mention: they count, but not what they mention for others' sake.
const LEAVES: [&str; 5] = ["stage_cache", "stages", "toolchain", "tools", "workspace"];
/// A stage that is called as a crate is; no other stage mentions it.
const STAGE_OF_CRATE: (&str, &str) = ("bundle", "stages::bundle");

type Texts = BTreeMap<String, Vec<(PathBuf, String)>>;

/// Writes `code.rs` to include: a function `code` from `file!()` of a module of the crate that is being built to the digest.
///
/// # Errors
/// A source cannot be read, or the build script's folder cannot be written.
pub fn write() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let own = ident(&here);
    let (mut modules, mut crates, mut stages) = (Texts::new(), BTreeSet::new(), BTreeSet::new());
    // Sorted: modules of several crates may have one name.
    for folder in fs::read_dir(here.join(".."))?.flatten().map(|entry| entry.path()).collect::<BTreeSet<_>>()
    {
        let name = ident(&folder);
        sources(&folder.join("src"), Path::new(""), &mut |path, text| {
            if name == own && text.contains(CALL) {
                stages.insert(path.display().to_string());
            }
            let module = if ROOMS.contains(&name.as_str()) { module(&path) } else { name.clone() };
            if name != PRODUCT.0 || module == PRODUCT.1 {
                modules.entry(module).or_default().push((Path::new(&name).join(path), text));
            }
        })?;
        if !ROOMS.contains(&name.as_str()) {
            crates.insert(name);
        }
    }
    SHAPELESS.iter().for_each(|name| drop(modules.remove(*name)));
    let mut mentions: BTreeMap<&String, BTreeSet<&String>> =
        modules.iter().map(|(name, texts)| (name, mentioned(texts, &modules))).collect();
    // Formats know nothing of modules of the rooms, which may be called as modules of theirs.
    let is_format = |name: &str| crates.contains(name) && !name.starts_with("carveout_");
    for (_, mentioned) in mentions.iter_mut().filter(|(name, _)| is_format(name)) {
        mentioned.retain(|name| crates.contains(*name));
    }
    let (mut rows, mut read) = (String::new(), BTreeSet::new());
    let names = |(path, _): &(PathBuf, String)| path.iter().next().map(|name| name.to_owned());
    for (name, texts) in &modules {
        let closure = closure(name, &mentions);
        let files = texts.iter().filter_map(|(path, _)| path.strip_prefix(&own).ok());
        for file in files.filter(|file| file.extension().is_some_and(|e| e == "rs")) {
            let file = file.display().to_string();
            stages.remove(&file);
            rows += &format!("        {file:?} => {:?},\n", digest(&closure, &modules));
            read.extend(closure.iter().filter_map(|name| modules.get(*name)).flatten().filter_map(names));
        }
    }
    for name in read {
        let folder = here.join("..").join(name.to_string_lossy().replace('_', "-")).join("src");
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    if !stages.is_empty() {
        return Err(format!("stages whose code has no digest: {stages:?}").into());
    }
    let text = format!(
        "/// Digest of the code of a module and of all of ours that it mentions. `file` is `file!()` of it.\n\
         pub(crate) fn code(file: &str) -> &'static str {{\n    \
         match file.rsplit_once(\"src/\").map_or(file, |(_, path)| path) {{\n{rows}        \
         _ => \"unknown\",\n    }}\n}}\n"
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("code.rs"), text)?;
    Ok(())
}

/// A crate's name in code, from its folder.
fn ident(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().replace('-', "_")
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

/// The module that a file belongs to: `bsp` of bsp.rs and of bsp/x.rs, `kernel` of stages/kernel.rs.
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
        for used in text.split("\nuse ").skip(1).chain(text.split("\npub use ").skip(1)) {
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
