//! BitBake as an engine: the layers, the build folder of a product, and BitBake itself.

pub mod bitbake;
mod build_folder;
pub mod conf;
pub mod engine;
pub mod errors;
pub mod host_toolchain;
pub mod kas;
pub mod layers;
mod names;
pub mod pip;
pub mod recipes;
pub mod results;
pub mod serve;
pub mod user;

pub use build_folder::Setup;

use crate::errors::YoctoError;
use bitbake::BitBake;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::packages;
use carveout_host::tools::cargo;
use carveout_product::Build;
use carveout_product::Product;
use conf::Network;
use layers::{Layers, Own};
use std::fs;
use std::path::{Path, PathBuf};
use user::User;

/// The recipe that writes the bundle.
pub const BUNDLE: &str = "carveout-bundle";

/// Where the layers come from.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// Clones that are there, in a folder.
    Folder(&'a Path),
    /// Clones that kas makes.
    Kas(&'a Path),
}

/// Writes the build folder. `on_host`: with this host's compilers. What is wrong is told at once, before anything is cloned.
pub fn setup(build: &Build, from: From, on_host: bool, log: &Path) -> Result<Setup> {
    let (root, product) = (&build.workspace.root, build.product);
    let carveout = &cargo::carveout(root)?;
    let machine = machine(product, on_host)?;
    // Before the host is looked at, and later what kas has cloned.
    let given = match from {
        From::Folder(folder) => {
            let layers = Layers::find(folder, carveout, &Own::Top(&names::files(product, machine)))?;
            names::ensure(product, machine, &layers, root)?;
            Some(layers)
        }
        From::Kas(_) => None,
    };
    let user = User::choose()?;
    let mut needs = bitbake::NEEDS.to_vec();
    if let From::Kas(_) = from {
        needs.extend(kas::NEEDS);
    }
    if on_host {
        needs.extend(host_toolchain::NEEDS);
    }
    // Packages and locale are told together: nobody runs one command to hear of the other.
    let packages = packages::ensure(&needs, build.offline, log, build.ui);
    let locale = user::ensure_locale(build.offline, log, build.ui);
    if let Some(error) = Error::all([packages.err(), locale.err()].into_iter().flatten()) {
        return Err(error);
    }
    let mut layers = match (given, from) {
        (Some(layers), _) => layers,
        (None, From::Folder(file) | From::Kas(file)) => {
            let clones = kas::checkout(root, file, &user, build.offline, log, build.ui)?;
            let layers = Layers::find(&clones.folder, carveout, &Own::Named(&clones.layers))?;
            names::ensure(product, machine, &layers, root)?;
            layers
        }
    };
    if !layers.own.is_empty() {
        let own: Vec<String> = layers.own.iter().map(|path| path.display().to_string()).collect();
        build.ui.note(&format!("layers besides those that carveout needs: {}", own.join(" ")));
    }
    let read: Vec<&Path> =
        [root, carveout, &layers.oe_core].into_iter().chain(&layers.own).map(PathBuf::as_path).collect();
    user.reads(&read)?;
    let top = Dirs::of(root).home().join("yocto");
    let suffix = if on_host { "-host-toolchain" } else { "" };
    let folder = top.join(format!("{}-{}{suffix}", product.name, product.board.name));
    let conf = folder.join("conf");
    fs::create_dir_all(&conf).at(&conf)?;
    // Two at a time would gather the same files.
    let _lock = carveout_host::files::lock(&top.join(".lock"))?;
    let network = match (build.offline, on_host) {
        (true, _) => Network::None,
        (false, true) => Network::Mirrors,
        (false, false) => Network::All,
    };
    let mut local = conf::local(product, machine, (root != carveout).then_some(root), &top, network)?;
    if on_host {
        layers.all.push(carveout.join(host_toolchain::LAYER));
        let settings = host_toolchain::prepare(build, &user, &top, log)?;
        local.push_str(&conf::host(&settings));
    }
    let texts = [("bblayers.conf", conf::bblayers(&layers)), ("local.conf", local)];
    for (name, text) in texts {
        let path = conf.join(name);
        // BitBake parses all recipes again when a file has another time.
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        carveout_host::files::write(&path, text, carveout_host::files::OUTPUT)?;
    }
    user.owns(&top, log)?;
    Ok(Setup { build: folder, layers, user, machine: machine.into() })
}

/// What meta-tegra calls the board. What the layer cannot build is refused.
fn machine(product: &Product, on_host: bool) -> Result<&str> {
    let l4t = product.board.l4t.as_ref().ok_or_else(|| YoctoError::NoMachine {
        path: product.path.clone(),
        board: product.board.name.clone(),
    })?;
    conf::refuse(product)?;
    if on_host && product.rootfs.is_some() {
        return Err(YoctoError::HostCompilersMakeNoImage.into());
    }
    Ok(&l4t.machine)
}

impl Setup {
    /// BitBake in this folder.
    pub fn bitbake(&self) -> BitBake<'_> {
        BitBake { setup: self }
    }
}
