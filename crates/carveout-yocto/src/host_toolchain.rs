//! What the layer meta-carveout-host-toolchain takes from this host, where the user who runs BitBake can read it. For checks
//! alone: no product is built so.

use super::bitbake::need;
use super::user::User;
use crate::errors::YoctoError;
use carveout_host::error::{At, Result};
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::toolchain::RustTarget;
use carveout_host::tools::cargo::lock::{CargoLock, CrateSource};
use carveout_host::tools::{cargo, run, rust, shell};
use carveout_product::Build;
use carveout_vendor as vendor;
use carveout_vendor::Vendor;
use carveout_vendor::sources;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// The layer's folder in carveout's repository.
pub const LAYER: &str = "layers/meta-carveout-host-toolchain";
/// Debian packages that it wants besides those of BitBake itself.
pub const NEEDS: [Need; 8] = [
    need("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu", "compiles for the board"),
    need("arm-none-eabi-gcc", "gcc-arm-none-eabi", "compiles NVIDIA's trusted apps"),
    need("dtc", "device-tree-compiler", "compiles device trees"),
    need("ld.lld", "lld", "links trusted apps"),
    need("lz4c", "lz4", "packs device trees"),
    need("openssl", "openssl", "signs"),
    need("pkg-config", "pkgconf", "finds libraries"),
    need("pseudo", "pseudo", "lets tasks own files as root"),
];

/// A path that the layer is told.
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// Its value.
    pub path: PathBuf,
    /// What results depend on, instead of where it lies.
    pub stamp: String,
}

/// Gathers everything below `top`.
pub fn prepare(build: &Build, user: &User, top: &Path, log: &Path) -> Result<Vec<Setting>> {
    packages::ensure(&NEEDS, build.offline, log, build.ui)?;
    let home = top.join("host");
    fs::create_dir_all(&home).at(&home)?;
    let running = build.ui.start("host toolchain");
    running.building("gathering what the layer takes from this host");
    let bsp = vendor::locate(build, Vendor::Bsp)?;
    let given = vendor::locate(build, Vendor::Sources)?;
    let trees = home.join("sources");
    // BitBake does not see that a file in a folder has changed: the folder's name tells.
    let stamp = bundle::sha256(vendor::stamp(&given, |_| true)?.as_bytes());
    let trees = trees.join(stamp.get(..16).unwrap_or_default());
    if !trees.is_dir() {
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(&home).at(&home)?;
        sources::gather(&given, true, new.path(), log)?;
        fs::create_dir_all(home.join("sources")).at(&home)?;
        let new = new.keep();
        readable(&new)?;
        fs::rename(&new, &trees).at(&trees)?;
    }
    let toolchain = build.toolchains.get(RustTarget::TrustedApp)?;
    build.toolchains.get(RustTarget::ClientApp)?;
    let rust = borrow(user, &toolchain.sysroot()?, &home.join("rust"), log)?;
    let own = PathBuf::from(rust::ask("rustc".as_ref(), None, &["--print", "sysroot"])?).join("bin/cargo");
    let cargo = home.join("cargo");
    fs::copy(&own, &cargo).at(&own)?;
    let crates = home.join("crates");
    // The host tool is built of carveout's own workspace.
    let root = &build.workspace.root;
    for workspace in BTreeSet::from([root.clone(), cargo::carveout(root)?]) {
        fetch(&workspace, &crates, log)?;
    }
    user.reads(&[&bsp, &trees, &rust, &crates])?;
    running.done();
    let setting = |name, path, stamp: &str| Setting { name, path, stamp: bundle::sha256(stamp.as_bytes()) };
    Ok(vec![
        setting("CARVEOUT_HOST_BSP", bsp.clone(), &vendor::stamp(&bsp, |_| true)?),
        setting("CARVEOUT_HOST_SOURCES", trees, &stamp),
        setting("CARVEOUT_HOST_RUST", rust, &toolchain.version),
        setting("CARVEOUT_HOST_CARGO", cargo, &toolchain.version),
        // Recipes check each by its own checksum.
        setting("CARVEOUT_HOST_CRATES", crates, ""),
    ])
}

/// The folder itself, or a copy if the user cannot read it: root's toolchain lies below /root.
fn borrow(user: &User, folder: &Path, copy: &Path, log: &Path) -> Result<PathBuf> {
    let folder = fs::canonicalize(folder).at(folder)?;
    if user.reads(&[&folder]).is_ok() {
        return Ok(folder);
    }
    if !copy.exists() {
        let new = copy.with_extension("new");
        let sh = shell(Path::new("/"))?;
        let _ = fs::remove_dir_all(&new);
        run("copying the toolchain", cmd!(sh, "cp -R --reflink=auto {folder} {new}"), log)?;
        fs::rename(&new, copy).at(copy)?;
    }
    Ok(copy.into())
}

fn readable(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).at(folder)
}

/// The crates of Cargo.lock, out of cargo's own cache, which is filled if need be.
fn fetch(root: &Path, to: &Path, log: &Path) -> Result<()> {
    fs::create_dir_all(to).at(to)?;
    let wanted: Vec<String> = CargoLock::read(root)?
        .package
        .into_iter()
        .filter(|package| package.source == CrateSource::CratesIo)
        .map(|package| format!("{}-{}.crate", package.name, package.version))
        .filter(|name| !to.join(name).is_file())
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let sh = shell(root)?;
    run("cargo fetch", cmd!(sh, "cargo fetch --locked"), log)?;
    let home = rust::cargo_home().unwrap_or_default();
    let cache = home.join("registry/cache");
    let registries: Vec<PathBuf> =
        fs::read_dir(&cache).at(&cache)?.flatten().map(|entry| entry.path()).collect();
    for name in wanted {
        let found = registries.iter().map(|registry| registry.join(&name)).find(|path| path.is_file());
        let found =
            found.ok_or_else(|| YoctoError::CrateNotFetched { file: name.clone(), cache: cache.clone() })?;
        fs::copy(&found, to.join(&name)).at(&found)?;
    }
    Ok(())
}
