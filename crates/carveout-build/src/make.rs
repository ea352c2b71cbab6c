//! `image`, and the verbs of single stages.

use crate::apps::Apps;
use crate::boot_check;
use crate::errors::{ProductError, StageError};
use crate::linux_check;

pub use crate::request::{Boots, BuildRequest, DEFAULT_CONFIG};
use crate::stages::bundle::{BundleParts, L4tParts};
use crate::stages::flash_package::{FlashPackageParts, Pkc};
use crate::stages::{boot_config, bundle, client_apps, flash_package, kernel, plan, secure_os};
use crate::threads::join;
use ::bundle::DeskBoot;
use carveout_desk::qemu;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::files::warn_of_readers;
use carveout_host::interrupt;
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::process;
use carveout_host::tools::{curl, tarball};
use carveout_host::ui::Ui;
use carveout_keys::token;
use carveout_product as config;
use carveout_product::Build;
use carveout_product::workspace::Workspace;
use carveout_product::{Overrides, PkcKey, Product};
use carveout_rootfs as rootfs;
use carveout_vendor as vendor;
use carveout_vendor::bsp;
use carveout_vendor::bsp::Bsp;
use carveout_vendor::{l4t, trusty};
use stage_cache::Output;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use trusty_image::Plan;

/// A single stage's verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleStage {
    /// `trusted-apps`
    TrustedApps,
    /// `secure-os`
    SecureOs,
    /// `client-apps`
    ClientApps,
    /// `rootfs`
    Rootfs,
}

/// Builds a bundle by itself; its folder.
pub fn local(request: &BuildRequest, boot: Boots, out: &Path, dirs: &Dirs, ui: &Ui) -> Result<PathBuf> {
    with_build(request, dirs, ui, |build| make(build, boot, out))
}

/// A product's bundle; its folder.
pub fn make(build: &Build, boot: Boots, out: &Path) -> Result<PathBuf> {
    ensure_host(build, &Wanted { boot: boot.kernel, ..Wanted::ALL })?;
    let mut parts = all(build, boot.kernel)?;
    if boot.linux {
        let Some(rootfs) = &parts.rootfs else {
            return Err(ProductError::NoRootfs { path: build.product.path.clone() }.into());
        };
        let boot = linux_check::run(build, &parts.apps, &parts.secure_os, rootfs, &parts.plan)?;
        parts.linux_boot = Some(boot);
    }
    bundle::run(build, &parts, &from_here(out, &build.dirs())?)
}

/// Builds one stage and what it needs.
pub fn part(part: SingleStage, request: &BuildRequest, dirs: &Dirs, ui: &Ui) -> Result<Output> {
    with_build(request, dirs, ui, |build| match part {
        SingleStage::TrustedApps => {
            let apps = Apps::build(build)?;
            plan::checked(build, &plan::request(build, &apps.built, None)?)?;
            Ok(apps.files)
        }
        SingleStage::SecureOs => {
            ensure_host(build, &Wanted { secure_os: true, ..Wanted::default() })?;
            secure(build, bsp(build)?.as_ref()).map(|secure| secure.image)
        }
        SingleStage::ClientApps => {
            ensure_host(build, &Wanted { client_apps: true, ..Wanted::default() })?;
            client_apps::run(build)
        }
        SingleStage::Rootfs => {
            ensure_host(build, &Wanted { client_apps: true, rootfs: true, ..Wanted::default() })?;
            let Some(wanted) = &build.product.rootfs else {
                return Err(ProductError::NoRootfs { path: build.product.path.clone() }.into());
            };
            let bsp = bsp(build)?;
            let base = rootfs::base(build, wanted, bsp.as_ref())?;
            rootfs::run(build, wanted, bsp.as_ref(), base, &client_apps::run(build)?)
        }
    })
}

/// The self-test of a product.
pub fn self_test(request: &BuildRequest, dirs: &Dirs, ui: &Ui) -> Result<Vec<String>> {
    with_build(request, dirs, ui, |build| {
        let words = build.product.self_test.clone();
        match words.is_empty() {
            true => Err(ProductError::NoSelfTest { path: build.product.path.clone() }.into()),
            false => Ok(words),
        }
    })
}

/// The first client app of the default product.
pub fn first_client_app(dirs: &Dirs) -> Result<String> {
    let workspace = Workspace::load(dirs)?;
    let product = load(&workspace, Path::new(DEFAULT_CONFIG), &Overrides::default())?;
    let first = product.own_client_apps().next().map(str::to_owned);
    first.ok_or_else(|| ProductError::NoClientApp { path: product.path }.into())
}

/// The package of a client app of the workspace, built for the board.
pub fn client_app(name: &str, dirs: &Dirs, ui: &Ui) -> Result<PathBuf> {
    with_build(&BuildRequest::default().without_rootfs(), dirs, ui, |build| {
        build.workspace.package(name, "deb").map_err(|why| ProductError::UnknownClientApp { why })?;
        ensure_host(build, &Wanted { client_apps: true, ..Wanted::default() })?;
        let output = client_apps::package(build, name)?;
        let debs = output.files("deb")?;
        debs.into_iter().next().ok_or_else(|| StageError::NoPackage { name: name.into() }.into())
    })
}

/// Loads a product and hands over its build.
pub fn with_build<T>(
    request: &BuildRequest,
    dirs: &Dirs,
    ui: &Ui,
    run: impl FnOnce(&Build) -> Result<T>,
) -> Result<T> {
    let workspace = Workspace::load(dirs)?;
    let product = load(&workspace, &request.config, &request.overrides)?;
    if let Some(l4t) = &product.l4t {
        let pkc = l4t.pkc_key.as_ref().and_then(|key| match key {
            PkcKey::File(path) => Some(path),
            PkcKey::Token(_) => None,
        });
        pkc.into_iter().chain(&l4t.sbk_key).for_each(|key| warn_of_readers(key, ui));
    }
    run(&Build::new(&workspace, &product, request.offline, ui))
}

/// A config relative to where we are, or else to the workspace: `cargo xtask` works in any of its folders.
fn load(workspace: &Workspace, path: &Path, overrides: &Overrides) -> Result<Product> {
    let in_workspace = workspace.root.join(path);
    let path = if path.exists() || !in_workspace.exists() { path.to_owned() } else { in_workspace };
    config::load(workspace, &path, overrides)
}

/// An output folder: relative to the workspace if it is the default one, else to where we are.
pub fn from_here(dir: &Path, dirs: &Dirs) -> Result<PathBuf> {
    Ok(if dir.starts_with("target") { dirs.root()?.join(dir) } else { dir.into() })
}

/// What a command builds.
#[derive(Clone, Copy, Default)]
struct Wanted {
    client_apps: bool,
    rootfs: bool,
    secure_os: bool,
    flash_packages: bool,
    boot: bool,
}

impl Wanted {
    const ALL: Self =
        Self { client_apps: true, rootfs: true, secure_os: true, flash_packages: true, boot: true };
}

/// Installs or names all that the host lacks, at once: no stage comes later with a package of its own.
fn ensure_host(build: &Build, wanted: &Wanted) -> Result<()> {
    let ids = match wanted.rootfs && build.product.rootfs.is_some() {
        true => packages::ensure_subordinate_ids(),
        false => Ok(()),
    };
    let logs = build.dirs().logs()?;
    let packages = packages::ensure(&needs(build, wanted)?, build.offline, &logs.join("host.log"), build.ui);
    Error::all([packages.err(), ids.err()].into_iter().flatten()).map_or(Ok(()), Err)
}

/// The needs of all stages of a command, each once.
fn needs(build: &Build, wanted: &Wanted) -> Result<Vec<Need>> {
    let product = build.product;
    let mut needs: Vec<Need> = Vec::new();
    if wanted.client_apps && product.own_client_apps().next().is_some() {
        needs.extend(packages::CLIENT_APPS);
    }
    if let Some(rootfs) = product.rootfs.as_ref().filter(|_| wanted.rootfs) {
        needs.extend(packages::ROOTFS);
        if !packages::is_root() {
            needs.extend(packages::UNPRIVILEGED);
        }
        // One that cannot be read is told by who reads it.
        needs.extend(rootfs.tarball.as_deref().and_then(|path| tarball::needs(path).ok().flatten()));
    }
    if let Some(config) = &product.l4t {
        if wanted.secure_os {
            needs.extend(trusty::NEEDS);
        }
        if wanted.flash_packages {
            needs.extend(l4t::NEEDS);
            if matches!(&config.pkc_key, Some(PkcKey::Token(uri)) if uri.module.is_none()) {
                needs.extend(token::NEEDS);
            }
        }
        if !build.offline && (wanted.secure_os || wanted.rootfs) && vendor::must_download(build)? {
            needs.extend(curl::NEEDS);
        }
        // An ordinary user's machine may be without it: then the image is not booted.
        if wanted.boot && !build.offline && packages::is_root() && std::env::var_os(qemu::VARIABLE).is_none()
        {
            needs.push(qemu::NEED);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    needs.retain(|need| seen.insert((need.program, need.package)));
    Ok(needs)
}

/// NVIDIA's BSP, for a board that has L4T.
pub fn bsp(build: &Build) -> Result<Option<Bsp>> {
    build.product.board.l4t.is_some().then(|| bsp::run(build)).transpose()
}

/// The secure world of a product, whose plan has no errors.
struct Secure {
    apps: Apps,
    image: Output,
    plan: Plan,
}

fn secure(build: &Build, bsp: Option<&Bsp>) -> Result<Secure> {
    let apps = Apps::build(build)?;
    let request = plan::request(build, &apps.built, bsp)?;
    // What is wrong with the apps is told before the image is made of them.
    plan::checked(build, &request)?;
    let image = image_of(build, bsp, &apps.files)?;
    let plan = plan::checked(build, &plan::with_image(request, &image)?)?;
    Ok(Secure { apps, image, plan })
}

/// The secure-os image of these trusted apps.
pub fn image_of(build: &Build, bsp: Option<&Bsp>, apps: &Output) -> Result<Output> {
    match bsp {
        Some(bsp) => kernel::run(build, bsp, apps),
        None => secure_os::run(build, apps),
    }
}

/// All stages, independent ones side by side.
fn all(build: &Build, boot: bool) -> Result<BundleParts> {
    // First: what is wrong with them is told before anything is built.
    let pkc = Pkc::open(build)?;
    let bsp = bsp(build)?;
    if let Some(bsp) = &bsp {
        bsp::ensure_kernel(build, bsp)?;
    }
    let (bsp_ref, boot_config) = (bsp.as_ref(), boot_config::run(build, bsp.as_ref())?);
    let ways = Ways::new(3, build.ui);
    // A first base takes longest and uses one processor: all else is built beside it, not before it.
    let first = build.product.rootfs.is_some() && !build.cache.knows(rootfs::BASE_STAGE);
    let beside = || {
        if first {
            process::give_way();
        }
    };
    let (secure, clients, rootfs) = thread::scope(|scope| {
        let base = scope.spawn(|| {
            ways.run(|| build.product.rootfs.as_ref().map(|r| rootfs::base(build, r, bsp_ref)).transpose())
        });
        let clients = scope.spawn(|| {
            beside();
            ways.run(|| client_apps::run(build))
        });
        let secure = scope.spawn(|| {
            beside();
            ways.run(|| {
                let secure = secure(build, bsp_ref)?;
                let image = &secure.image;
                let desk_boot = match bsp_ref {
                    None => None,
                    Some(_) if boot => Some(boot_check::run(build, &secure.apps, image)?),
                    Some(_) => Some(DeskBoot::Skipped),
                };
                let parts =
                    |bsp| FlashPackageParts { bsp, boot_config: &boot_config, secure_os: image, pkc: &pkc };
                let packages = bsp_ref.map(|bsp| flash_package::run(build, &parts(bsp))).transpose()?;
                Ok((secure, desk_boot, packages))
            })
        });
        let (clients, base) = (join(clients), join(base));
        let rootfs = match (&build.product.rootfs, base, &clients) {
            (_, Err(error), _) => Err(error),
            (Some(wanted), Ok(Some(base)), Ok(clients)) => {
                ways.add();
                ways.run(|| rootfs::run(build, wanted, bsp_ref, base, clients).map(Some))
            }
            _ => Ok(None),
        };
        (join(secure), clients, rootfs)
    });
    // All that failed is told, in the order of the stages.
    match (secure, clients, rootfs) {
        (Ok((secure, desk_boot, packages)), Ok(client_apps), Ok(rootfs)) => {
            let sources = build.sources.get().cloned().unwrap_or_default();
            let l4t = bsp.zip(packages).map(|(bsp, packages)| L4tParts { bsp, packages, sources });
            let Secure { apps, image, plan } = secure;
            Ok(BundleParts {
                apps,
                secure_os: image,
                plan,
                boot_config,
                client_apps,
                rootfs,
                l4t,
                desk_boot,
                linux_boot: None,
            })
        }
        (secure, clients, rootfs) => {
            let failed = [secure.err(), clients.err(), rootfs.err()];
            Err(Error::all(failed.into_iter().flatten()).unwrap_or_else(Error::interrupted))
        }
    }
}

/// Ways through the stages that run side by side. What fails on one of them while others run is told at once.
struct Ways<'a> {
    running: AtomicUsize,
    ui: &'a Ui,
}

impl<'a> Ways<'a> {
    fn new(running: usize, ui: &'a Ui) -> Self {
        Self { running: AtomicUsize::new(running), ui }
    }

    fn add(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    fn run<T>(&self, way: impl FnOnce() -> Result<T>) -> Result<T> {
        let result = way();
        let others = self.running.fetch_sub(1, Ordering::Relaxed) > 1;
        if let Err(error) = &result
            && others
            && !interrupt::is_set()
        {
            self.ui.tell(error);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::ui::Verbosity;

    /// The needs of a product config that stands in the workspace's configs/.
    fn needed(config: &str, wanted: &Wanted) -> Vec<&'static str> {
        let workspace = Workspace::load(&Dirs::find()).unwrap();
        let path = workspace.root.join("configs").join(config);
        let product = config::load(&workspace, &path, &Overrides::default()).unwrap();
        let ui = Ui::new(Verbosity::Quiet);
        let build = Build::new(&workspace, &product, false, &ui);
        needs(&build, wanted).unwrap().iter().map(|need| need.package).collect()
    }

    #[test]
    fn all_that_a_command_needs_is_known_at_its_start() {
        let all = needed("jetson-agx-xavier.yaml", &Wanted::ALL);
        let stages = [&trusty::NEEDS[..], &l4t::NEEDS, &packages::CLIENT_APPS, &packages::ROOTFS].concat();
        for need in stages {
            assert!(all.contains(&need.package), "{} in {all:?}", need.package);
        }
        assert_eq!(all.contains(&qemu::NEED.package), packages::is_root());
        let desk = needed("desk.yaml", &Wanted::ALL);
        assert!(desk.contains(&"mmdebstrap") && !desk.contains(&trusty::NEEDS[0].package), "{desk:?}");
        assert!(needed("desk.yaml", &Wanted { secure_os: true, ..Wanted::default() }).is_empty());
    }

    #[test]
    fn a_failure_is_told_when_it_happens_if_others_still_work() {
        let ui = Ui::new(Verbosity::Normal);
        let ways = Ways::new(2, &ui);
        let failed = |text: &str| -> Result<()> { Err(Error::check(text)) };
        let first = ways.run(|| failed("first\n  | why")).unwrap_err();
        let last = ways.run(|| failed("last\n  | why")).unwrap_err();
        let both = ui.untold(&Error::all([first, last]).unwrap());
        assert_eq!(both.to_string(), "first (shown above)\nerror: last\n  | why");
    }
}
