//! What a build is given by path, and where each of it can be had again.

use super::parts::BundleParts;
use bundle::Given;
use carveout_host::error::{At, Result};
use carveout_host::tools::git;
use carveout_host::tools::git::Repository;
use carveout_product::Build;
use carveout_product::workspace::{Workspace, tree_digest};
use carveout_product::{AppSource, ClientApp, Product, RootfsKind};
use std::path::{Path, PathBuf};

/// The config's own name among them.
pub const CONFIG: &str = "config";
/// Who publishes the BSP, the public sources and the sample root filesystem.
const NVIDIA: &str = "NVIDIA";
/// What these are called wherever they lie.
const BSP: [&str; 2] = ["l4t.bsp", "Linux_for_Tegra"];
const SOURCES: [&str; 2] = ["l4t.sources", "public_sources"];

/// A file or folder that someone has named by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Which one it is, by its key in the product config.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Who publishes it, of what no repository of the user's has.
    pub supplier: Option<&'static str>,
}

/// All that a product names, sorted, but NVIDIA's BSP and sources, which stages copy, and keys, which are secret.
pub fn inputs(product: &Product, workspace: &Workspace) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    let mut add = |name: String, path: &Path| {
        inputs.push(Input { name, path: path.into(), supplier: None });
    };
    add(CONFIG.into(), &product.path);
    let board = &product.board;
    for (index, path) in board.paths().enumerate() {
        let extended = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = if index == 0 { "board".to_owned() } else { format!("board.{extended}") };
        add(name, path);
    }
    // Those of a board with L4T are files of its BSP.
    if board.l4t.is_none() {
        add("board.cold_boot".into(), &board.cold_boot);
        add("board.flash".into(), &board.flash);
        add("board.layout".into(), &board.layout);
    }
    for ClientApp { name, deb } in &product.client_apps {
        deb.iter().for_each(|deb| add(format!("client_apps.{name}"), &deb.path));
    }
    let mut packages: Vec<&str> = product.own_client_apps().collect();
    for app in &product.trusted_apps {
        match &app.source {
            AppSource::Elf(path) | AppSource::C(path) => add(format!("trusted_apps.{}", app.name), path),
            AppSource::Package(_) => packages.push(&app.name),
        }
    }
    product.l4t.iter().flat_map(|l4t| &l4t.ekb).for_each(|path| add("l4t.ekb".into(), path));
    for (name, dir) in workspace.folders(packages)?.outside {
        add(format!("crate.{name}"), &dir);
    }
    if let Some(rootfs) = &product.rootfs {
        rootfs.lock.iter().for_each(|path| add("rootfs.lock".into(), path));
        let supplier = (rootfs.kind == RootfsKind::L4tSample).then_some(NVIDIA);
        let tarball = rootfs.tarball.iter();
        inputs.extend(tarball.map(|path| Input {
            name: "rootfs.tarball".into(),
            path: path.clone(),
            supplier,
        }));
    }
    inputs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(inputs)
}

/// What the manifest says of them.
pub fn record(build: &Build, parts: &BundleParts) -> Result<Vec<Given>> {
    let own = Repository::of(&build.workspace.root)?;
    let mut given = Vec::new();
    for input in inputs(build.product, build.workspace)? {
        given.push(describe(&input, own.as_ref())?);
    }
    let mut vendors = Vec::new();
    if let Some(l4t) = &parts.l4t {
        vendors.extend([(BSP, l4t.bsp.contents()?), (SOURCES, l4t.sources.clone())]);
    } else {
        // A trusted app in C is built within them, whatever the board.
        vendors.extend(build.sources.get().map(|sources| (SOURCES, sources.clone())));
    }
    given.extend(vendors.into_iter().map(|([name, file], content)| Given {
        name: name.into(),
        file: file.into(),
        sha256: None,
        tree_sha256: Some(content),
        supplier: Some(NVIDIA.into()),
        origin: None,
    }));
    given.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(given)
}

fn describe(input: &Input, own: Option<&Repository>) -> Result<Given> {
    let Input { name, path, supplier } = input;
    let (mut sha256, mut tree_sha256) = (None, None);
    if path.is_dir() {
        tree_sha256 = Some(tree_digest(path)?);
    } else if name != CONFIG {
        sha256 = Some(bundle::hash_file(path).at(path)?.sha256);
    }
    Ok(Given {
        name: name.clone(),
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256,
        tree_sha256,
        supplier: supplier.map(str::to_owned),
        origin: git::origin(path, own)?,
    })
}
