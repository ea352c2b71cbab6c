//! What a product calls by name must be in the layers: DISTRO, MACHINE, and the image. BitBake would parse for a minute before it says so.

use super::layers::Layers;
use carveout_host::error::{Error, Result, nearest};
use carveout_product::Product;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// OE-Core's word for no distro: it has no file.
const NO_DISTRO: &str = "nodistro";
/// What OE-Core includes for that; no distro either.
const DEFAULT_SETUP: &str = "defaultsetup";
/// How deep recipes lie at most below a layer.
const DEPTH: usize = 4;
/// So many names are told.
const SHOWN: usize = 20;

/// Files that make a layer one that a product needs.
pub fn files(product: &Product, machine: &str) -> Vec<String> {
    vec![format!("conf/distro/{}.conf", product.yocto.distro), format!("conf/machine/{machine}.conf")]
}

/// Refuses names that no layer has.
pub fn ensure(product: &Product, machine: &str, layers: &Layers, root: &Path) -> Result<()> {
    let distro = &product.yocto.distro;
    let shown = product.path.display();
    if distro != NO_DISTRO {
        let mut known = confs(layers, "distro");
        known.remove(DEFAULT_SETUP);
        known.insert(NO_DISTRO.into(), PathBuf::new());
        let what = format!("{shown}: yocto.distro `{distro}`: no layer has conf/distro/{distro}.conf");
        ensure_known(distro, &known, &what, "distros", &left(layers, &format!("conf/distro/{distro}.conf")))?;
    }
    let what = format!(
        "{shown}: board {} is MACHINE {machine}: no layer has conf/machine/{machine}.conf",
        product.board.name
    );
    let remedy = left(layers, &format!("conf/machine/{machine}.conf"));
    ensure_known(machine, &confs(layers, "machine"), &what, "machines", &remedy)?;
    if product.rootfs.is_some() {
        let image = &product.yocto.image;
        let (mut recipes, mut images) = (BTreeMap::new(), BTreeMap::new());
        // meta-carveout brings the recipes of the workspace's own packages.
        for folder in layers.all.iter().chain([&root.join("recipes")]) {
            recipes_below(folder, DEPTH, &mut recipes, &mut images);
        }
        if !recipes.contains_key(image) {
            let what = format!(
                "{shown}: yocto.image `{image}`: no layer has a recipe {image}.bb or {image}_VERSION.bb"
            );
            return ensure_known(image, &images, &what, "images", "");
        }
    }
    Ok(())
}

/// An error with the names that there are, unless the name is one of them.
fn ensure_known(
    name: &str,
    known: &BTreeMap<String, PathBuf>,
    what: &str,
    kind: &str,
    remedy: &str,
) -> Result<()> {
    if known.contains_key(name) {
        return Ok(());
    }
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let list = if names.is_empty() {
        "none".into()
    } else {
        names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ")
    };
    let near = nearest(name, names.iter().copied()).map(|near| format!(" Did you mean `{near}`?"));
    let message = format!("{what}; {kind} there are: {list}{more}.{}", near.unwrap_or_default());
    let remedy = if remedy.is_empty() {
        "correct the name, or add the layer that has it to the folder of --layers or to the kas file"
    } else {
        remedy
    };
    Err(Error::usage(message).remedy(remedy))
}

/// A layer that is there, was not taken, and has a file.
fn left(layers: &Layers, file: &str) -> String {
    let found = layers.left.iter().find(|layer| layer.join(file).is_file());
    found
        .map(|layer| format!("{} has it: name that layer in the kas file", layer.display()))
        .unwrap_or_default()
}

/// Names of `conf/<kind>/*.conf` in all layers, with the files.
fn confs(layers: &Layers, kind: &str) -> BTreeMap<String, PathBuf> {
    let folders = layers.all.iter().map(|layer| layer.join("conf").join(kind));
    let entries = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let file = |path: PathBuf| {
        let name = path.file_name()?.to_string_lossy().strip_suffix(".conf")?.to_owned();
        Some((name, path))
    };
    entries.filter_map(|entry| file(entry.path())).collect()
}

/// Names of recipes below a folder, and of those in folders called `images`. Layers within layers are others'.
fn recipes_below(
    dir: &Path,
    depth: usize,
    recipes: &mut BTreeMap<String, PathBuf>,
    images: &mut BTreeMap<String, PathBuf>,
) {
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".bb") {
            let recipe = stem.split('_').next().unwrap_or(stem).to_owned();
            if dir.ends_with("images") {
                images.insert(recipe.clone(), path.clone());
            }
            recipes.insert(recipe, path);
        } else if depth > 0
            && !name.starts_with('.')
            && path.is_dir()
            && !path.join("conf/layer.conf").is_file()
        {
            recipes_below(&path, depth - 1, recipes, images);
        }
    }
}
