//! The bundle's SBOM: what its apps are linked of, by cargo; its Debian packages, by their lock; NVIDIA's parts.

use super::{Parts, rootfs};
use crate::errors::BundleError;
use attestation::{Crate, Member, Vendor};
use bundle::{Manifest, Role};
use carveout_host::error::{At, Result};
use carveout_host::toolchain::Target;
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::lock::CrateSource;
use carveout_product::AppSource;
use carveout_product::Build;
use std::collections::BTreeSet;
use std::fs;

/// The SBOM of a bundle with these files.
pub fn text(build: &Build, parts: &Parts, manifest: &Manifest) -> Result<String> {
    let product = build.product;
    let mut members = Vec::new();
    for app in &product.trusted_apps {
        let file = bundle::trusted_app(&app.name);
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
            return Err(BundleError::TreeLine { name: name.into(), line: line.into() }.into());
        };
        // Behind a package that was told before stands (*).
        let license = license.trim_end_matches(" (*)").to_owned();
        let source = source(build, found, version, package)?;
        crates.insert(Crate { name: found.into(), version: version.into(), license, source });
    }
    let own = crates.iter().find(|found| found.name == name).cloned();
    let own = own.ok_or_else(|| BundleError::NotInTree { name: name.into() })?;
    crates.remove(&own);
    Ok(Member { name: name.into(), version: own.version, file, crates })
}

/// Where a crate comes from, by the lock file. `package` is cargo tree's line of it, which tells apart what has one name and version.
fn source(build: &Build, name: &str, version: &str, package: &str) -> Result<attestation::CrateSource> {
    let behind = package.split_once(" (").map(|(_, behind)| behind);
    let kind = |source: &CrateSource| match behind {
        None => *source == CrateSource::CratesIo,
        Some(text) if text.starts_with('/') => *source == CrateSource::Path,
        Some(text) if text.starts_with("registry `") => matches!(source, CrateSource::Registry(_)),
        // A procedural macro says so in place of where it comes from.
        Some(text) => match source {
            CrateSource::Git { url, .. } => text.starts_with(url.as_str()),
            _ => true,
        },
    };
    let all = build.workspace.locked(name, version);
    let found = match &all[..] {
        [only] => Some(*only),
        several => several.iter().find(|locked| kind(&locked.source)).copied(),
    };
    let locked =
        found.ok_or_else(|| BundleError::UnknownOrigin { name: name.into(), version: version.into() })?;
    let sha256 = locked.checksum.clone();
    Ok(match &locked.source {
        CrateSource::Path => attestation::CrateSource::Path,
        CrateSource::CratesIo => attestation::CrateSource::CratesIo(sha256),
        CrateSource::Registry(index) => attestation::CrateSource::Registry { index: index.clone(), sha256 },
        CrateSource::Git { url, rev, .. } => {
            attestation::CrateSource::Git { url: url.clone(), rev: rev.clone() }
        }
    })
}
