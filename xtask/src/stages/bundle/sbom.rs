//! The bundle's SBOM: what its apps are linked of, by cargo; its Debian packages, by their lock; NVIDIA's parts.

use super::super::Build;
use super::{Parts, rootfs, trusted_apps};
use crate::config::AppSource;
use crate::error::{At, Error, Result};
use crate::toolchain::Target;
use crate::tools::cargo;
use attestation::{Crate, Member, Vendor};
use bundle::{Manifest, Role};
use std::collections::BTreeSet;
use std::fs;

/// The SBOM of a bundle with these files.
pub fn text(build: &Build, parts: &Parts, manifest: &Manifest) -> Result<String> {
    let product = build.product;
    let mut members = Vec::new();
    for app in &product.trusted_apps {
        let file = format!("trusted-apps/{}", trusted_apps::file_name(app));
        members.push(match app.source {
            AppSource::Package(_) => member(build, &app.name, Target::TrustedApp, file)?,
            AppSource::Elf(_) => {
                Member { name: app.name.clone(), version: String::new(), file, crates: BTreeSet::new() }
            }
        });
    }
    for name in &product.client_apps {
        let of = |file: &&bundle::FileEntry| {
            file.role == Role::ClientApp && file.path.starts_with(&format!("client-apps/{name}_"))
        };
        let file = manifest.files.iter().find(of).map(|file| file.path.clone()).unwrap_or_default();
        members.push(member(build, name, Target::ClientApp, file)?);
    }
    let lock = parts.rootfs.as_ref().map(|part| part.dir.join(rootfs::LOCK));
    let lock = lock.map(|path| fs::read_to_string(&path).at(&path)).transpose()?;
    let vendors = parts.l4t.iter().map(|l4t| Vendor {
        name: "L4T BSP".into(),
        version: l4t.bsp.release.to_string(),
        supplier: "NVIDIA".into(),
    });
    Ok(attestation::sbom(manifest, &members, lock.as_deref(), &vendors.collect::<Vec<_>>()))
}

/// A package of the workspace and what is linked into it.
fn member(build: &Build, name: &str, target: Target, file: String) -> Result<Member> {
    let lines = cargo::tree(&build.workspace.root, name, target.triple(), build.offline)?;
    let mut crates = BTreeSet::new();
    for line in lines.lines() {
        let (package, license) = line.split_once('|').unwrap_or((line, ""));
        let mut words = package.split_whitespace();
        let (Some(found), Some(version)) = (words.next(), words.next().and_then(|v| v.strip_prefix('v')))
        else {
            return Err(Error::check(format!("cargo tree says of {name}: `{line}`")));
        };
        // Behind a package that was told before stands (*).
        let license = license.trim_end_matches(" (*)").to_owned();
        let sha256 = build.workspace.checksum(found, version);
        crates.insert(Crate { name: found.into(), version: version.into(), license, sha256 });
    }
    let own = crates.iter().find(|found| found.name == name).cloned();
    let own = own.ok_or_else(|| Error::check(format!("cargo tree does not tell of {name}")))?;
    crates.remove(&own);
    Ok(Member { name: name.into(), version: own.version, file, crates })
}
