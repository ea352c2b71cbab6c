//! The folder `flash/` of a bundle: what all modules get once, what one gets in a folder of its own, and the wrapper that
//! calls carveout.

use super::super::app_partition::app_size;
use super::super::flash_package::{LACKS, LAYOUT, MADE_OF, PARTITIONS, SECURE_LAYOUT};
use super::super::kernel;
use super::parts::L4tParts;
use crate::errors::{BundleError, failed};
use bundle::{
    COMMON, Device, FLASH, FlashPackage, Fused, MadeOf, ModuleEntry, Recovery, Role, UPDATE_PAYLOAD, Writer,
};
use carveout_host::error::{At, Result};
use carveout_product::Build;
use carveout_product::Eks;
use carveout_product::Module;
use stage_cache::{Output, stamps};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tegra_flash::payload::{Payload, PayloadEntry};
use tegra_flash::slots::KERNEL;
use tegra_flash::update::{PAYLOAD_VERSION, part_version};

/// Files of ours for a flash host, in the common folder's parent.
const OWN: [(&str, &str); 2] = [
    ("flash.sh", include_str!("../../scripts/flash.sh")),
    ("README.txt", include_str!("../../scripts/flash-readme.txt")),
];
/// Files of a package that are for building the bundle alone.
const INTERNAL: [&str; 3] = [LACKS, MADE_OF, PARTITIONS];

/// The layout of the first module: all have the same partitions.
pub fn layout(build: &Build, packages: &Output) -> Result<PathBuf> {
    let modules = &build.product.l4t()?.modules;
    let folder = packages.dir.join(modules.first().map(|module| module.name.as_str()).unwrap_or_default());
    let secure = folder.join(SECURE_LAYOUT);
    Ok(if secure.exists() { secure } else { folder.join(LAYOUT) })
}

/// Adds the folder, and tells what the manifest says of it.
pub fn add(build: &Build, parts: &L4tParts, secure_os: &Output, writer: &mut Writer) -> Result<Device> {
    let (l4t, board) = (build.product.l4t()?, build.product.board.l4t()?);
    let mut packages = Vec::new();
    for module in &l4t.modules {
        packages.push((module, Package::read(&parts.packages.dir.join(&module.name))?));
    }
    let lacks = packages.first().map(|(_, package)| package.lacks.clone()).unwrap_or_default();
    for (index, (module, package)) in packages.iter().enumerate() {
        for (name, sha256) in &package.files {
            let shared = packages.iter().all(|(_, other)| other.files.get(name) == Some(sha256));
            if shared && index > 0 {
                continue;
            }
            let folder = if shared { COMMON } else { module.name.as_str() };
            let partitions: Vec<&str> = package.partitions_of(name);
            // What is made of a stand-in must not get onto a board.
            if !lacks.is_empty() && partitions.iter().any(|name| KERNEL.contains(name)) {
                continue;
            }
            let path = format!("{FLASH}/{folder}/{name}");
            writer.add(Role::Flash, &path, &package.folder.join(name), &partitions).map_err(failed)?;
            if let Some(made_of) = package.made_of.get(name) {
                writer.made_of(made_of.clone());
            }
        }
    }
    let scratch = carveout_host::tools::scratch("bundle")?;
    for (name, text) in OWN {
        let from = scratch.path().join(name);
        fs::write(&from, told(text, &board.recovery)).at(&from)?;
        writer.add(Role::Flash, &format!("{FLASH}/{name}"), &from, &[]).map_err(failed)?;
    }
    let entry = |module: &Module| ModuleEntry {
        name: module.name.clone(),
        id: module.id.clone(),
        fits: module.fits.clone(),
        update_specs: module.update_specs(board),
    };
    let device = Device {
        modules: l4t.modules.iter().map(entry).collect(),
        soc: board.soc,
        recovery: Some(board.recovery.clone()),
        fused: match (&l4t.pkc_key, &l4t.sbk_key) {
            (None, _) => Fused::No,
            (Some(_), None) => Fused::Pkc,
            (Some(_), Some(_)) => Fused::PkcSbk,
        },
        app_size: app_size(build)?,
        lacks,
        stock_trusted_apps: kernel::stock_uuids(secure_os, build.product.trusted_apps.len())?,
        flash_package: FlashPackage::Modules,
        update_eks: l4t.eks == Eks::Write,
    };
    update(&device, &parts.bsp.release.to_string(), writer)?;
    Ok(device)
}

/// A text of ours about a board.
fn told(text: &str, board: &Recovery) -> String {
    text.replace("@NAME@", &board.name).replace("@USB@", &board.usb_product).replace("@HOW@", &board.how)
}

/// Adds the payload that updates a running device: the very files that a flash writes.
fn update(device: &Device, release: &str, writer: &mut Writer) -> Result<()> {
    let version = part_version(release);
    let version =
        version.ok_or_else(|| BundleError::Update { source: format!("{release} is no release").into() })?;
    let parts = bundle::update_parts(writer.files(), device)
        .map_err(|error| BundleError::Update { source: error.into() })?;
    if parts.is_empty() {
        return Ok(());
    }
    let mut contents = BTreeMap::new();
    for (path, _) in parts.iter().map(|part| part.file) {
        let from = writer.folder().join(path);
        contents.insert(path, fs::read(&from).at(&from)?);
    }
    let entries = parts.iter().map(|part| PayloadEntry {
        partition: part.partition.into(),
        version,
        operation: part.operation,
        spec: part.spec.into(),
        data: contents.get(part.file.0).map_or(&[], Vec::as_slice),
    });
    let payload = Payload { version: PAYLOAD_VERSION, entries: entries.collect() };
    let bytes = payload.to_bytes().map_err(|error| BundleError::Update { source: error.into() })?;
    let scratch = carveout_host::tools::scratch("update")?;
    let from = scratch.path().join("payload");
    fs::write(&from, bytes).at(&from)?;
    writer.add(Role::Update, UPDATE_PAYLOAD, &from, &[]).map_err(failed)
}

/// A module's flash package.
struct Package {
    folder: PathBuf,
    /// SHA-256 of each file.
    files: BTreeMap<String, String>,
    /// Partition and file.
    partitions: Vec<(String, String)>,
    lacks: Vec<String>,
    /// What signed files were made of, by file.
    made_of: BTreeMap<String, MadeOf>,
}

impl Package {
    fn read(folder: &Path) -> Result<Self> {
        let lines = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path)
                .at(&path)
                .map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        };
        let mut files = BTreeMap::new();
        for name in stamps(folder)?.into_keys().filter(|name| !INTERNAL.contains(&name.as_str())) {
            let path = folder.join(&name);
            files.insert(name, bundle::hash_file(&path).at(&path)?.sha256);
        }
        let pair = |line: String| line.split_once(' ').map(|(name, file)| (name.to_owned(), file.to_owned()));
        let partitions: Vec<(String, String)> = lines(PARTITIONS)?.into_iter().filter_map(pair).collect();
        if partitions.is_empty() {
            return Err(BundleError::NoPartitions { path: folder.join(PARTITIONS) }.into());
        }
        let path = folder.join(MADE_OF);
        let text = fs::read_to_string(&path).at(&path)?;
        let made_of =
            serde_json::from_str(&text).map_err(|e| BundleError::MadeOf { path, source: e.into() })?;
        Ok(Self { folder: folder.into(), files, partitions, lacks: lines(LACKS)?, made_of })
    }

    fn partitions_of(&self, file: &str) -> Vec<&str> {
        let of = self.partitions.iter().filter(|(_, name)| name == file);
        of.map(|(partition, _)| partition.as_str()).collect()
    }
}
