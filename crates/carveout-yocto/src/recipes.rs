//! `recipes`: a BitBake recipe for each trusted app and client app of the workspace, by cargo-bitbake.
//!
//! cargo-bitbake 0.3.16 holds a cargo that reads neither workspaces of today nor the edition 2024, and writes what BitBake cannot
//! use (`md5=generateme`, OE-Core's class). So it is given a package that has the name, the words and the crates of ours and
//! nothing else, with stubs of the crates as its registry: no network. What it writes is then finished.

mod git;
mod graph;
mod kind;
mod licence;
mod text;

pub use kind::RecipeKind;
pub use text::CARGO_BITBAKE;

use crate::errors::RecipesError;
use crate::results::Recipes;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::outcome::Outcome;
use carveout_host::tools::{cargo, run as run_tool, scratch, shell};
use carveout_host::ui::Ui;
use carveout_product::workspace::Workspace;
use graph::Needed;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// Where recipes lie, below the workspace.
pub const FOLDER: &str = "recipes";
/// Where packages that ship lie.
const APPS: &str = "apps/";

/// The package of it.
const HOST_TOOL: &str = "carveout";
/// The programs of ours that products may have on their devices.
const DEVICE_TOOLS: [&str; 2] = ["carveout-stored", "carveout-update"];

/// Writes the recipes, or tells which are stale.
pub fn run(check: bool, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let workspace = Workspace::load(dirs)?;
    let folder = workspace.root.join(FOLDER);
    let Made { recipes: wanted, failed } = all(&workspace, ui)?;
    let there = existing(&folder)?;
    let mut stale = Vec::new();
    for (name, text) in &wanted {
        match there.get(name) {
            Some(old) if old == text => {}
            Some(old) => stale
                .push(format!("{FOLDER}/{name} is stale:\n{}", carveout_host::text::difference(old, text))),
            None => stale.push(format!("{FOLDER}/{name} is missing")),
        }
    }
    let left: Vec<&String> = there.keys().filter(|name| !wanted.contains_key(*name)).collect();
    stale.extend(left.iter().map(|name| format!("{FOLDER}/{name} is of no package")));
    let names: Vec<String> = wanted.keys().cloned().collect();
    if check {
        if stale.is_empty() && failed.is_empty() {
            return Ok(Outcome {
                line: Some("ok".into()),
                json: json!(Recipes { recipes: names, changed: None }),
                ..Outcome::default()
            });
        }
        return Err(if failed.is_empty() {
            RecipesError::Stale { recipes: stale }.into()
        } else {
            RecipesError::NotMade { stale, failures: failures(&failed) }.into()
        });
    }
    fs::create_dir_all(&folder).at(&folder)?;
    for (name, text) in &wanted {
        let path = folder.join(name);
        carveout_host::files::write(&path, text, carveout_host::files::OUTPUT)?;
    }
    for name in left {
        let path = folder.join(name);
        fs::remove_file(&path).at(&path)?;
    }
    if !failed.is_empty() {
        return Err(RecipesError::SomeNotWritten { written: names.len(), failures: failures(&failed) }.into());
    }
    let line = format!("{}", folder.display());
    Ok(Outcome {
        line: Some(line.into()),
        json: json!(Recipes { recipes: names, changed: Some(stale.len()) }),
        ..Outcome::default()
    })
}

/// Crates of a package that its recipe does not list, or lists and does not need: a look that takes moments.
///
/// # Errors
/// The recipe cannot be read, or what the package is built of is not known.
pub fn other_crates(package: &str, recipe: &str, dirs: &Dirs) -> Result<Vec<String>> {
    let root = dirs.root()?;
    let path = root.join(FOLDER).join(recipe);
    let text = fs::read_to_string(&path).at(&path)?;
    let needed = graph::Graph::load(root)?.needed(package, &dirs.logs()?.join("recipes.log"))?.uris();
    let listed = text::listed(&text).into_iter().map(str::to_owned).collect();
    Ok(needed.symmetric_difference(&listed).cloned().collect())
}

/// What became of the packages.
struct Made {
    /// File names and texts.
    recipes: BTreeMap<String, String>,
    /// Packages that have no recipe, and why.
    failed: BTreeMap<String, Error>,
}

/// What is told of each. A recipe that could not be made now is not left from before: it would lack what has changed.
fn failures(failed: &BTreeMap<String, Error>) -> Vec<String> {
    failed.iter().map(|(name, error)| format!("{name}: {error}").replace('\n', "\n  ")).collect()
}

/// All recipes. A package that can have none stops no other.
fn all(workspace: &Workspace, ui: &Ui) -> Result<Made> {
    let log = Dirs::of(&workspace.root).logs()?.join("recipes.log");
    let graph = graph::Graph::load(&workspace.root)?;
    let of = |table| workspace.declaring(table).into_iter();
    let apps = of("trusty").map(|name| (name, RecipeKind::TrustedApp));
    // Examples of ours do not ship, and the tool is ours alone.
    let is_ours = cargo::is_carveout(&workspace.root);
    let tool = is_ours.then_some((HOST_TOOL, RecipeKind::HostTool));
    let packages = apps.chain(of("deb").map(|name| (name, RecipeKind::ClientApp))).chain(tool);
    let mut needed = Vec::new();
    let mut failed = BTreeMap::new();
    for (name, kind) in packages {
        let kind = if is_ours && DEVICE_TOOLS.contains(&name) { RecipeKind::DeviceTool } else { kind };
        let ships = matches!(kind, RecipeKind::HostTool | RecipeKind::DeviceTool);
        if is_ours && !ships && !graph.folder_of(name)?.starts_with(APPS) {
            continue;
        }
        match graph.needed(name, &log) {
            Ok(found) => needed.push((found, kind)),
            Err(error) => drop(failed.insert(name.to_owned(), error)),
        }
    }
    let (name, version) = CARGO_BITBAKE;
    let tools = Dirs::of(&workspace.root).home().join("tools");
    if !cargo::helper_path(&tools, name, version).exists() {
        ui.note(&format!("installing {name} {version}, as it is used for the first time"));
    }
    let program = cargo::helper(&tools, name, version, false, &log)?;
    let dir = scratch("recipes")?;
    let mut recipes = BTreeMap::new();
    for (needed, kind) in needed {
        let made = generate(&program, &needed, &dir.path().join(&needed.name), &log)
            .and_then(|raw| text::finish(&raw, &needed, kind));
        let suffix = if kind == RecipeKind::HostTool { "-native" } else { "" };
        match made {
            Ok(text) => drop(recipes.insert(format!("{}{suffix}_{}.bb", needed.name, needed.version), text)),
            Err(error) => drop(failed.insert(needed.name, error)),
        }
    }
    Ok(Made { recipes, failed })
}

/// What cargo-bitbake writes for a package that stands in for ours.
fn generate(program: &Path, needed: &Needed, dir: &Path, log: &Path) -> Result<String> {
    let write = |path: PathBuf, text: &str| {
        let parent = path.parent().map(Path::to_owned).unwrap_or_default();
        fs::create_dir_all(&parent).at(&parent)?;
        carveout_host::files::write(&path, text, carveout_host::files::OUTPUT)
    };
    let (registry, package, home) = (dir.join("registry"), dir.join("package"), dir.join("cargo"));
    for krate in &needed.crates {
        let folder = registry.join(format!("{}-{}", krate.name, krate.version));
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"{}\"\nedition = \"2018\"\n",
            krate.name, krate.version
        );
        write(folder.join("Cargo.toml"), &manifest)?;
        write(folder.join("src/lib.rs"), "")?;
        write(
            folder.join(".cargo-checksum.json"),
            &json!({ "files": {}, "package": krate.sha256 }).to_string(),
        )?;
    }
    let config = format!(
        "[source.crates-io]\nreplace-with = \"stubs\"\n[source.stubs]\ndirectory = {:?}\n",
        registry.display().to_string()
    );
    write(home.join("config.toml"), &config)?;
    write(package.join("Cargo.toml"), &text::manifest(needed))?;
    write(package.join("src/main.rs"), "fn main() {}\n")?;
    let sh = shell(&package)?;
    sh.set_var("CARGO_HOME", &home);
    // It wants a repository with an origin; what it says of that is not kept.
    let repository = needed.repository();
    let author = [
        "-c",
        "user.name=carveout",
        "-c",
        "user.email=carveout@carveout.example",
        "-c",
        "commit.gpgsign=false",
    ];
    for command in [
        cmd!(sh, "git init --quiet ."),
        cmd!(sh, "git remote add origin {repository}.git"),
        cmd!(sh, "git add --all"),
        cmd!(sh, "git {author...} commit --quiet --message recipe"),
        cmd!(sh, "{program} bitbake"),
    ] {
        run_tool(&format!("making the recipe of {}", needed.name), command, log)?;
    }
    let path = package.join(format!("{}_{}.bb", needed.name, needed.version));
    fs::read_to_string(&path).at(&path)
}

/// Recipes that are there.
fn existing(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.ends_with(".bb") {
            found.insert(name, fs::read_to_string(&path).at(&path)?);
        }
    }
    Ok(found)
}
