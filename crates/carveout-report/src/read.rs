//! Everything of a report that the bundle itself says.

use crate::errors::ReportError;
use crate::report::{Changes, Package, Report};
use bundle::{FileEntry, Manifest, PublicKey, Role, Side, Source};
use carveout_field::verify::{check, signed, unreadable};
use carveout_host::error::Result;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use tegra_flash::Layout;
use tegra_flash::slots::SECURE_OS;
use trusty_image::Plan;
use trusty_image::plan::{PlannedApp, Request};

impl Report {
    /// Verifies a bundle, and the one before, and takes out what a report shows; with a key, who has made it must
    /// be its owner. Flash records are not in it.
    pub fn read(bundle: &Path, previous: Option<&Path>, key: Option<&PublicKey>) -> Result<Self> {
        let (manifest, authenticity) = signed(bundle, key)?;
        let contents = contents(bundle, &manifest)?;
        let signature = authenticity.into();
        let side = Side { texts: texts(&manifest, &contents), manifest };
        let changes = previous.map(|old| changes(old, &side)).transpose()?;
        let manifest = side.manifest;
        let layout = layout(bundle, &manifest, &contents)?;
        let plan = plan(bundle, &manifest, &contents, &layout)?;
        let locks = files(&manifest, Role::PackageLock).filter_map(|file| contents.get(&file.path));
        let packages = locks.flat_map(|bytes| packages(&String::from_utf8_lossy(bytes))).collect();
        Ok(Self { manifest, signature, plan, layout, packages, changes, records: Vec::new() })
    }
}

type Contents = BTreeMap<String, Vec<u8>>;

fn files(manifest: &Manifest, role: Role) -> impl Iterator<Item = &FileEntry> {
    manifest.files.iter().filter(move |file| file.role == role)
}

/// The files that a report looks into. What was verified may have been changed since: that is an error.
fn contents(bundle: &Path, manifest: &Manifest) -> Result<Contents> {
    let mut contents = Contents::new();
    let source = Source::open(bundle).map_err(unreadable)?;
    let read = source.for_each(&mut |path, reader| {
        let entry = manifest.file(path).filter(|file| is_read(file.role));
        if let Some(file) = entry {
            let mut bytes = Vec::new();
            reader.take(file.size).read_to_end(&mut bytes)?;
            if bundle::sha256(&bytes) != file.sha256 {
                return Err(std::io::Error::other(format!("{path} has been changed since it was verified")));
            }
            contents.insert(path.to_owned(), bytes);
        }
        Ok(())
    });
    read.map_err(unreadable)?;
    Ok(contents)
}

fn is_read(role: Role) -> bool {
    matches!(role, Role::TrustedApp | Role::BootConfig | Role::Layout | Role::PackageLock)
}

/// What [`bundle::diff`] compares besides the manifest.
fn texts(manifest: &Manifest, contents: &Contents) -> Contents {
    let compared = [Role::BootConfig, Role::PackageLock];
    let compared = compared.into_iter().flat_map(|role| files(manifest, role));
    compared.filter_map(|file| Some((file.path.clone(), contents.get(&file.path)?.clone()))).collect()
}

fn changes(old: &Path, new: &Side) -> Result<Changes> {
    let manifest = check(old)?;
    let from = manifest.bundle_name();
    let old = Side::read(&Source::open(old).map_err(unreadable)?, manifest).map_err(unreadable)?;
    Ok(Changes { from, diff: bundle::diff(&old, new) })
}

fn layout(bundle: &Path, manifest: &Manifest, contents: &Contents) -> Result<Layout> {
    let file = files(manifest, Role::Layout).find_map(|file| Some((file, contents.get(&file.path)?)));
    let Some((file, bytes)) = file else {
        return Err(ReportError::NoLayout { bundle: bundle.into() }.into());
    };
    Layout::parse(&String::from_utf8_lossy(bytes)).map_err(|e| {
        let (bundle, file) = (bundle.into(), file.path.clone());
        ReportError::WrongLayout { bundle, file, source: e.into() }.into()
    })
}

/// Plans what the bundle holds, as `plan` does for what will be built.
fn plan(bundle: &Path, manifest: &Manifest, contents: &Contents, layout: &Layout) -> Result<Plan> {
    let apps = manifest.trusted_apps.iter().map(|entry| {
        let elf = contents.get(&entry.file).map(Vec::as_slice).unwrap_or_default();
        let app = trusty_image::inspect(elf).map_err(|findings| {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            let (bundle, file) = (bundle.into(), entry.file.clone());
            ReportError::WrongApp { bundle, file, source: first.into() }
        })?;
        Ok(PlannedApp {
            name: entry.name.clone(),
            app,
            file_size: elf.len() as u64,
            heap_demand: entry.heap_demand,
        })
    });
    let request = Request {
        soc: manifest.soc(),
        tzdram: manifest.tzdram,
        stock: manifest.stock(),
        apps: apps.collect::<Result<_>>()?,
        image: files(manifest, Role::SecureOs).next().map(|file| file.size),
        partition: layout.partition(SECURE_OS[0]).and_then(|partition| partition.size.number()),
    };
    Ok(Plan::new(&request))
}

/// The lines of `packages.lock`: name, version, architecture and checksum.
fn packages(lock: &str) -> Vec<Package> {
    let package = |line: &str| {
        let mut fields = line.split_whitespace().map(str::to_owned);
        Some(Package {
            name: fields.next()?,
            version: fields.next().unwrap_or_default(),
            architecture: fields.next().unwrap_or_default(),
        })
    };
    lock.lines().filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read() {
        let read = packages("adduser\t3.134\tall\tabc\n\napt\t2.6.1\n");
        let told = read.iter().map(|p| (p.name.as_str(), p.version.as_str(), p.architecture.as_str()));
        assert_eq!(told.collect::<Vec<_>>(), [("adduser", "3.134", "all"), ("apt", "2.6.1", "")]);
    }
}
