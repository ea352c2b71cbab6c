//! `image`, and the verbs of single stages.

use super::Outcome;
use super::yocto::{self, Engine};
use crate::cli::{BuildArgs, ImageArgs};
use crate::config::{self, Overrides, Product};
use crate::desk::boot_check;
use crate::error::{Error, Result};
use crate::host::{self, Need};
use crate::stage::Output;
use crate::stages::bsp::{self, Bsp};
use crate::stages::bundle::{L4tParts, Parts};
use crate::stages::flash_package::Pkc;
use crate::stages::{
    Build, boot_config, bundle, client_apps, flash_package, kernel, logs, plan, rootfs, secure_os,
    trusted_apps,
};
use crate::ui::Ui;
use crate::workspace::Workspace;
use ::bundle::DeskBoot;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

/// A single stage's verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `trusted-apps`
    TrustedApps,
    /// `secure-os`
    SecureOs,
    /// `client-apps`
    ClientApps,
    /// `rootfs`
    Rootfs,
}

/// Builds a bundle.
pub fn image(args: &ImageArgs, ui: &Ui) -> Result<Outcome> {
    yocto::suits(args.engine, &args.build, args.layers.is_some() || args.kas.is_some(), args.host_toolchain)?;
    if args.engine == Engine::Bitbake {
        return Ok(built(&yocto::image(args, ui)?, ui));
    }
    let path = local(&args.build, &args.without, !args.no_boot, &args.output_dir, ui)?;
    Ok(built(&path, ui))
}

/// Builds a bundle by itself; its folder.
pub fn local(args: &BuildArgs, without: &[String], boot: bool, out: &Path, ui: &Ui) -> Result<PathBuf> {
    let without_rootfs = without.iter().any(|part| part == "rootfs");
    with_build(args, without_rootfs, ui, |build| make(build, boot, out))
}

/// A product's bundle; its folder.
pub fn make(build: &Build, boot: bool, out: &Path) -> Result<PathBuf> {
    ensure_host(build, true)?;
    let parts = all(build, boot)?;
    bundle::run(build, &parts, &from_here(out))
}

fn built(path: &Path, ui: &Ui) -> Outcome {
    ui.table();
    let archive = format!("{}.tar.zst", path.display());
    let json = json!({ "bundle": path, "archive": archive, "stages": ui.rows() });
    Outcome { line: Some(path.display().to_string()), json, ..Outcome::default() }
}

/// Builds one stage and what it needs.
pub fn part(part: Part, args: &BuildArgs, ui: &Ui) -> Result<Outcome> {
    let output = with_build(args, false, ui, |build| match part {
        Part::TrustedApps => {
            let apps = trusted_apps::run(build)?;
            plan::check(build, &plan::of(build, &apps, None, None)?)?;
            Ok(apps)
        }
        Part::SecureOs => secure(build, bsp(build)?.as_ref()).map(|(_, image)| image),
        Part::ClientApps => {
            ensure_host(build, false)?;
            client_apps::run(build)
        }
        Part::Rootfs => {
            ensure_host(build, true)?;
            let Some(wanted) = &build.product.rootfs else {
                let what = format!("{}: this product has no rootfs", build.product.path.display());
                return Err(Error::usage(what));
            };
            let bsp = bsp(build)?;
            let base = rootfs::base(build, wanted, bsp.as_ref())?;
            rootfs::run(build, wanted, bsp.as_ref(), base, &client_apps::run(build)?)
        }
    })?;
    ui.table();
    let json = json!({ "directory": output.dir, "stages": ui.rows() });
    Ok(Outcome { line: Some(output.dir.display().to_string()), json, ..Outcome::default() })
}

/// Loads a product and hands over its build.
pub fn with_build<T>(
    args: &BuildArgs,
    without_rootfs: bool,
    ui: &Ui,
    run: impl FnOnce(&Build) -> Result<T>,
) -> Result<T> {
    let workspace = Workspace::load()?;
    let overrides = Overrides {
        tzdram: args.tzdram.map(|s| s.0),
        board: args.board.clone(),
        without_rootfs,
        bsp: args.bsp.clone(),
        sources: args.sources.clone(),
        accept_license: args.accept_license,
    };
    let product = load(&workspace, &args.config, &overrides)?;
    run(&Build::new(&workspace, &product, args.offline, ui))
}

/// A config relative to where we are, or else to the workspace: `cargo xtask` works in any of its folders.
fn load(workspace: &Workspace, path: &Path, overrides: &Overrides) -> Result<Product> {
    let in_workspace = workspace.root.join(path);
    let path = if path.exists() || !in_workspace.exists() { path.to_owned() } else { in_workspace };
    config::load(workspace, &path, overrides)
}

/// An output folder: relative to the workspace if it is the default one, else to where we are.
pub fn from_here(dir: &Path) -> PathBuf {
    if dir.starts_with("target") { crate::workspace::root().join(dir) } else { dir.into() }
}

/// Installs or names what the host lacks for this product.
fn ensure_host(build: &Build, with_rootfs: bool) -> Result<()> {
    let mut needs: Vec<Need> = Vec::new();
    if !build.product.client_apps.is_empty() {
        needs.extend(host::CLIENT_APPS);
    }
    if with_rootfs && build.product.rootfs.is_some() {
        needs.extend(host::ROOTFS);
        if !host::is_root() {
            needs.extend(host::UNPRIVILEGED);
            host::ensure_subordinate_ids()?;
        }
    }
    let logs = logs(&build.workspace.root)?;
    host::ensure(&needs, build.offline, &logs.join("host.log"), build.ui)
}

/// NVIDIA's BSP, for a board that has L4T.
pub fn bsp(build: &Build) -> Result<Option<Bsp>> {
    build.product.board.l4t.is_some().then(|| bsp::run(build)).transpose()
}

/// Trusted apps and secure-os image, whose plan has no errors.
fn secure(build: &Build, bsp: Option<&Bsp>) -> Result<(Output, Output)> {
    let apps = trusted_apps::run(build)?;
    // What is wrong with the apps is told before the image is made of them.
    plan::check(build, &plan::of(build, &apps, None, bsp)?)?;
    let image = image_of(build, bsp, &apps)?;
    plan::check(build, &plan::of(build, &apps, Some(&image), bsp)?)?;
    Ok((apps, image))
}

/// The secure-os image of these trusted apps.
pub fn image_of(build: &Build, bsp: Option<&Bsp>, apps: &Output) -> Result<Output> {
    match bsp {
        Some(bsp) => kernel::run(build, bsp, apps),
        None => secure_os::run(build, apps),
    }
}

/// All stages, independent ones side by side.
fn all(build: &Build, boot: bool) -> Result<Parts> {
    // First: what is wrong with them is told before anything is built.
    let pkc = Pkc::open(build)?;
    let bsp = bsp(build)?;
    let (bsp_ref, boot_config) = (bsp.as_ref(), boot_config::run(build, bsp.as_ref())?);
    thread::scope(|scope| {
        let base = scope
            .spawn(|| build.product.rootfs.as_ref().map(|r| rootfs::base(build, r, bsp_ref)).transpose());
        let clients = scope.spawn(|| client_apps::run(build));
        let secure = scope.spawn(|| {
            let (apps, image) = secure(build, bsp_ref)?;
            let desk_boot = match bsp_ref {
                None => None,
                Some(_) if boot => Some(boot_check::run(build, &apps, &image)?),
                Some(_) => Some(DeskBoot::Skipped),
            };
            let parts =
                |bsp| flash_package::Parts { bsp, boot_config: &boot_config, secure_os: &image, pkc: &pkc };
            let packages = bsp_ref.map(|bsp| flash_package::run(build, &parts(bsp))).transpose()?;
            Ok((apps, image, desk_boot, packages))
        });
        let clients = join(clients);
        let base = join(base);
        let (base, base_failed) = match base {
            Ok(base) => (base, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let rootfs = match (&build.product.rootfs, base, &clients) {
            (Some(wanted), Some(base), Ok(clients)) => {
                Some(rootfs::run(build, wanted, bsp_ref, base, clients)).transpose()
            }
            _ => Ok(None),
        };
        // What failed first in the order of the stages is told; all others have ended by now.
        let (trusted_apps, secure_os, desk_boot, packages) = join(secure)?;
        let client_apps = clients?;
        base_failed?;
        Ok((trusted_apps, secure_os, desk_boot, packages, client_apps, rootfs?))
    })
    .map(|(trusted_apps, secure_os, desk_boot, packages, client_apps, rootfs)| {
        let sources = build.sources.get().cloned().unwrap_or_default();
        let l4t = bsp.zip(packages).map(|(bsp, packages)| L4tParts { bsp, packages, sources });
        Parts { trusted_apps, secure_os, boot_config, client_apps, rootfs, l4t, desk_boot }
    })
}

/// A stage's result, when its thread has ended.
pub fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| {
        Err(Error::check("a stage has panicked: this is a bug of carveout, please report it"))
    })
}
