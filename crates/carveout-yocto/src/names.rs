//! What a product calls by name must be in the layers: DISTRO, MACHINE, and the image. BitBake would parse for a minute before it says so.

use super::layers::Layers;
use crate::errors::YoctoError;
use carveout_host::error::{Result, nearest};
use carveout_host::files::{DirEntry, walk};
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

/// Files that make a layer one that a product needs.
pub fn files(product: &Product, machine: &str) -> Vec<String> {
    vec![format!("conf/distro/{}.conf", product.yocto.distro), format!("conf/machine/{machine}.conf")]
}

/// Refuses names that no layer has.
pub fn ensure(product: &Product, machine: &str, layers: &Layers, root: &Path) -> Result<()> {
    let path = product.path.clone();
    let distro = &product.yocto.distro;
    if distro != NO_DISTRO {
        let mut known = confs(layers, "distro");
        known.remove(DEFAULT_SETUP);
        known.insert(NO_DISTRO.into(), PathBuf::new());
        if !known.contains_key(distro) {
            let (known, near) = names(&known, distro);
            let layer = left(layers, &format!("conf/distro/{distro}.conf"));
            return Err(YoctoError::UnknownDistro { path, distro: distro.clone(), known, near, layer }.into());
        }
    }
    let known = confs(layers, "machine");
    if !known.contains_key(machine) {
        let (known, near) = names(&known, machine);
        let layer = left(layers, &format!("conf/machine/{machine}.conf"));
        let (board, machine) = (product.board.name.clone(), machine.to_owned());
        return Err(YoctoError::UnknownMachine { path, board, machine, known, near, layer }.into());
    }
    if product.rootfs.is_some() {
        let image = &product.yocto.image;
        let (mut recipes, mut images) = (BTreeMap::new(), BTreeMap::new());
        // meta-carveout brings the recipes of the workspace's own packages.
        for folder in layers.all.iter().chain([&root.join("recipes")]) {
            recipes_below(folder, &mut recipes, &mut images);
        }
        if !recipes.contains_key(image) {
            let (known, near) = names(&images, image);
            return Err(YoctoError::UnknownImage { path, image: image.clone(), known, near }.into());
        }
    }
    Ok(())
}

/// The names that there are, and the one that is near enough to be meant.
fn names(known: &BTreeMap<String, PathBuf>, name: &str) -> (Vec<String>, Option<String>) {
    let near = nearest(name, known.keys().map(String::as_str)).map(str::to_owned);
    (known.keys().cloned().collect(), near)
}

/// A layer that is there, was not taken, and has a file.
fn left(layers: &Layers, file: &str) -> Option<PathBuf> {
    layers.left.iter().find(|layer| layer.join(file).is_file()).cloned()
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
    recipes: &mut BTreeMap<String, PathBuf>,
    images: &mut BTreeMap<String, PathBuf>,
) {
    let is_own = |entry: &DirEntry| {
        !entry.file_type().is_dir()
            || !entry.file_name().to_string_lossy().starts_with('.')
                && !entry.path().join("conf/layer.conf").is_file()
    };
    let entries = walk(dir).max_depth(DEPTH + 1).follow_links(true).into_iter().filter_entry(is_own);
    for path in entries.flatten().map(DirEntry::into_path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(stem) = name.strip_suffix(".bb") else { continue };
        let recipe = stem.split('_').next().unwrap_or(stem).to_owned();
        if path.parent().is_some_and(|folder| folder.ends_with("images")) {
            images.insert(recipe.clone(), path.clone());
        }
        recipes.insert(recipe, path);
    }
}
