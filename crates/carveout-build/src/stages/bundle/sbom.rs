//! The bundle's SBOM: what its apps are linked of, by cargo; its Debian packages, by their lock; NVIDIA's parts.

use super::parts::BundleParts;
use crate::errors::BundleError;
use attestation::{Crate, Member, Vendor};
use bundle::{Manifest, Role};
use carveout_host::error::{At, Result};
use carveout_host::toolchain::RustTarget;
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::lock::CrateSource;
use carveout_product::workspace::{Linked, Unclear};
use carveout_product::{AppSource, Build, ClientApp};
use carveout_rootfs as rootfs;
use std::collections::BTreeSet;
use std::fs;

/// The SBOM of a bundle with these files.
pub fn text(build: &Build, parts: &BundleParts, manifest: &Manifest) -> Result<String> {
    let product = build.product;
    let mut members = Vec::new();
    for app in &product.trusted_apps {
        let file = bundle::trusted_app(&app.name);
        members.push(match app.source {
            AppSource::Package(_) => member(build, &app.name, RustTarget::TrustedApp, file)?,
            AppSource::Elf(_) | AppSource::C(_) => {
                Member { name: app.name.clone(), version: String::new(), file, crates: BTreeSet::new() }
            }
        });
    }
    for ClientApp { name, deb } in &product.client_apps {
        let of = |file: &&bundle::FileEntry| {
            file.role == Role::ClientApp && file.path.starts_with(&format!("client-apps/{name}_"))
        };
        let file = manifest.files.iter().find(of).map(|file| file.path.clone()).unwrap_or_default();
        members.push(match deb {
            None => member(build, name, RustTarget::ClientApp, file)?,
            Some(deb) => {
                let (name, version) = (name.clone(), deb.version.clone());
                Member { name, version, file, crates: BTreeSet::new() }
            }
        });
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
fn member(build: &Build, name: &str, target: RustTarget, file: String) -> Result<Member> {
    let lines = cargo::tree(&build.workspace.root, name, target.triple(), build.offline)?;
    let linked = build.workspace.graph.linked(&lines).map_err(|unclear| match unclear {
        Unclear::Line(line) => BundleError::TreeLine { name: name.into(), line },
        Unclear::Origin(name, version) => BundleError::UnknownOrigin { name, version },
    })?;
    let mut crates: BTreeSet<Crate> = linked.into_iter().map(described).collect();
    let own = crates.iter().find(|found| found.name == name).cloned();
    let own = own.ok_or_else(|| BundleError::NotInTree { name: name.into() })?;
    crates.remove(&own);
    Ok(Member { name: name.into(), version: own.version, file, crates })
}

fn described(Linked { license, locked }: Linked) -> Crate {
    let sha256 = locked.checksum.clone();
    let source = match &locked.source {
        CrateSource::Path => attestation::CrateSource::Path,
        CrateSource::CratesIo => attestation::CrateSource::CratesIo(sha256),
        CrateSource::Registry(index) => attestation::CrateSource::Registry { index: index.clone(), sha256 },
        CrateSource::Git { url, rev, .. } => {
            attestation::CrateSource::Git { url: url.clone(), rev: rev.clone() }
        }
    };
    Crate { name: locked.name.clone(), version: locked.version.clone(), license: license.into(), source }
}
