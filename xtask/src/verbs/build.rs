//! `image`, and the verbs of single stages.

use super::Outcome;
use crate::cli::{BuildArgs, ImageArgs};
use crate::config::{self, Overrides, Product};
use crate::error::{At, Error, Result};
use crate::host::{self, Need};
use crate::stage::Output;
use crate::stages::bundle::Parts;
use crate::stages::{Build, boot_config, bundle, client_apps, home, plan, rootfs, secure_os, trusted_apps};
use crate::ui::Ui;
use crate::workspace::Workspace;
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
    let without_rootfs = args.without.iter().any(|part| part == "rootfs");
    let path = with_build(&args.build, without_rootfs, ui, |build| {
        ensure_host(build, true)?;
        let parts = all(build)?;
        bundle::run(build, &parts, &from_here(&args.output_dir))
    })?;
    ui.table();
    let archive = format!("{}.tar.zst", path.display());
    let json = json!({ "bundle": path, "archive": archive, "stages": ui.rows() });
    Ok(Outcome { line: Some(path.display().to_string()), json, ..Outcome::default() })
}

/// Builds one stage and what it needs.
pub fn part(part: Part, args: &BuildArgs, ui: &Ui) -> Result<Outcome> {
    let output = with_build(args, false, ui, |build| match part {
        Part::TrustedApps => {
            let apps = trusted_apps::run(build)?;
            plan::check(build, &plan::of(build, &apps, None)?)?;
            Ok(apps)
        }
        Part::SecureOs => secure(build).map(|(_, image)| image),
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
            rootfs::run(build, wanted, rootfs::base(build, wanted)?, &client_apps::run(build)?)
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
    let overrides = Overrides { tzdram: args.tzdram.map(|s| s.0), board: args.board.clone(), without_rootfs };
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
fn from_here(dir: &Path) -> PathBuf {
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
    let logs = home(&build.workspace.root).join("logs");
    std::fs::create_dir_all(&logs).at(&logs)?;
    host::ensure(&needs, build.offline, &logs.join("host.log"), build.ui)
}

/// Trusted apps and secure-os image, whose plan has no errors.
fn secure(build: &Build) -> Result<(Output, Output)> {
    let apps = trusted_apps::run(build)?;
    // What is wrong with the apps is told before the image is made of them.
    plan::check(build, &plan::of(build, &apps, None)?)?;
    let image = secure_os::run(build, &apps)?;
    plan::check(build, &plan::of(build, &apps, Some(&image))?)?;
    Ok((apps, image))
}

/// All stages, independent ones side by side.
fn all(build: &Build) -> Result<Parts> {
    thread::scope(|scope| {
        let secure = scope.spawn(|| secure(build));
        let base = scope.spawn(|| build.product.rootfs.as_ref().map(|r| rootfs::base(build, r)).transpose());
        let clients = scope.spawn(|| client_apps::run(build));
        let boot_config = boot_config::run(build);
        let clients = join(clients);
        let base = join(base);
        let (base, base_failed) = match base {
            Ok(base) => (base, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let rootfs = match (&build.product.rootfs, base, &clients) {
            (Some(wanted), Some(base), Ok(clients)) => {
                Some(rootfs::run(build, wanted, base, clients)).transpose()
            }
            _ => Ok(None),
        };
        // What failed first in the order of the stages is told; all others have ended by now.
        let (trusted_apps, secure_os): (Output, Output) = join(secure)?;
        let (boot_config, client_apps) = (boot_config?, clients?);
        base_failed?;
        Ok(Parts { trusted_apps, secure_os, boot_config, client_apps, rootfs: rootfs? })
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| {
        Err(Error::check("a stage has panicked: this is a bug of carveout, please report it"))
    })
}
