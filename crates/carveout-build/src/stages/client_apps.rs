//! Client apps: static aarch64 programs in Debian packages, and finished packages.

use crate::errors::StageError;
use carveout_host::error::{At, Result};
use carveout_host::toolchain::RustTarget;
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::CrossBuild;
use carveout_product::{Build, ClientApp, Deb};
use stage_cache::EPOCH;
use stage_cache::{Key, Output};
use std::fs;
use std::path::PathBuf;

/// The cargo-deb that packs them.
pub const CARGO_DEB: (&str, &str) = ("cargo-deb", "3.8.0");

/// The directory with the packages.
pub fn run(build: &Build) -> Result<Output> {
    let mut key = Key::of(crate::code(file!()));
    let mut parts = Vec::new();
    for ClientApp { name, deb } in &build.product.client_apps {
        match deb {
            Some(deb) => key = key.with_file(&deb.file_name(name), &deb.path)?,
            None => {
                let part = package(build, name)?;
                key = key.with(name, &part.content);
                parts.push(part);
            }
        }
    }
    build.cache.stage("client apps", key, |work| {
        for part in &parts {
            for deb in part.files("deb")? {
                let to = work.out.join(deb.file_name().unwrap_or_default());
                fs::copy(&deb, &to).at(&to)?;
            }
        }
        for ClientApp { name, deb } in &build.product.client_apps {
            let Some(deb) = deb else { continue };
            let to = work.out.join(deb.file_name(name));
            fs::copy(&deb.path, &to).at(&deb.path)?;
            // What was checked is what ships.
            let (now, copied) = Deb::read(&to)?;
            if now != *name || copied.file_name(name) != deb.file_name(name) {
                return Err(StageError::DebChanged { path: deb.path.clone() }.into());
            }
        }
        Ok(())
    })
}

/// One of them: a directory with its package.
pub fn package(build: &Build, name: &str) -> Result<Output> {
    let toolchain = build.toolchains.get(RustTarget::ClientApp)?;
    let key = Key::of(crate::code(file!())).with("cargo-deb", CARGO_DEB.1);
    let key = build.workspace.source_key(name, key.with_all(toolchain.versions()?))?;
    build.cache.stage(&format!("client app {name}"), key, |work| {
        let cargo_deb = cargo_deb(build, work.log)?;
        let cross = CrossBuild {
            root: &build.workspace.root,
            package: name,
            profile: "client",
            target_dir: &build.cargo_dir("client"),
            toolchain: &toolchain,
            offline: build.offline,
            ui: build.ui,
        };
        cross.run(work.log)?;
        cargo::deb(&cargo_deb, &cross, EPOCH, work.out, work.log).map(|_| ())
    })
}

fn cargo_deb(build: &Build, log: &std::path::Path) -> Result<PathBuf> {
    let (name, version) = CARGO_DEB;
    cargo::helper(&build.dirs().tools(), name, version, build.offline, log)
}
