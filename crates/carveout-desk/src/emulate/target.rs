//! What is emulated: a bundle, a secure-os image by itself, or a virt device's secure-os partition.

use crate::errors::{ImageError, TargetError};
use crate::image::has_kernel;
use crate::symbols::KnownApp;
use bundle::{AppEntry, ExtractError, PublicKey, Role, Source, SourceError};
use carveout_field::device::disk;
use carveout_field::verify;
use carveout_host::error::{At, Result};
use carveout_host::tools::read_limited;
use carveout_host::ui::Ui;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use trusty_image::Tzdram;
use virt_device::{Device, DevicePart};

/// Largest image, in bytes.
const MAX_IMAGE: u64 = 64 << 20;

/// A secure-os image, and what is known of it.
#[derive(Clone, Default)]
pub struct EmulationTarget {
    /// Its bytes.
    pub image: Vec<u8>,
    /// The trusted apps, if a bundle says.
    pub apps: Vec<AppEntry>,
    /// Client apps: file names and Debian packages, in the product's order.
    pub debs: Vec<(String, Vec<u8>)>,
    /// Whether it is a virt device, whose client apps are in its root filesystem.
    pub device: bool,
    /// The carve-out, if its boot config is there.
    pub tzdram: Option<Tzdram>,
    /// What of it is free for the kernel when all trusted apps are loaded, in bytes, if a bundle says.
    pub memory: Option<u64>,
    /// The kernel with its symbols, if a bundle has it.
    pub kernel: Option<Vec<u8>>,
    /// Trusted apps with their debug information, by their paths in the bundle.
    pub symbols: BTreeMap<String, Vec<u8>>,
    /// Where sources of trusted apps in C lie, and what their debug information calls these places.
    pub sources: Vec<(PathBuf, String)>,
}

impl EmulationTarget {
    /// Reads `BUNDLE`, an image or `virt:FILE`. A bundle is verified, and by a key who made it.
    pub fn open(target: &str, key: Option<&PublicKey>, bundles: Option<&Path>, ui: &Ui) -> Result<Self> {
        let virt = disk::file(target);
        let path = virt.unwrap_or(Path::new(target));
        let metadata =
            std::fs::metadata(path).map_err(|source| TargetError::NotFound { path: path.into(), source })?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(TargetError::NeitherFileNorFolder { path: path.into() }.into());
        }
        if virt.is_some() {
            let mut device = disk::read(path)?;
            device.boot_unwritten();
            return Self::of_device(path, &mut device, key, bundles, ui);
        }
        if metadata.is_file() && !bundle::is_archive(path) {
            ensure_no_key(target, key)?;
            let image = read_limited(path, MAX_IMAGE)?;
            let container = trusty_image::Container::parse(&image);
            if let Err(error @ trusty_image::ContainerError::Optee) = container {
                return Err(TargetError::Optee { target: target.into(), source: error.into() }.into());
            }
            let known = container.is_ok() || image.starts_with(b"NVTOSP");
            if !known && trusty_image::tasks::find(&image).is_empty() {
                return Err(TargetError::NoTrustedApps { target: target.into() }.into());
            }
            return Ok(Self { image, ..Self::default() });
        }
        of_bundle(path, key, ui)
    }

    /// What a virt device serves: what it has booted.
    pub fn of_device(
        path: &Path,
        device: &mut Device<File>,
        key: Option<&PublicKey>,
        bundles: Option<&Path>,
        ui: &Ui,
    ) -> Result<Self> {
        let failed = |e| disk::failed(path, e);
        let mut read = |part: DevicePart| -> Result<Vec<u8>> {
            let placed = device.state().current().and_then(|active| active.parts.get(&part));
            let size = placed.map_or(MAX_IMAGE, |placed| placed.size.min(MAX_IMAGE));
            let mut bytes = Vec::new();
            device.read(part, Some(size)).map_err(failed)?.read_to_end(&mut bytes).at(path)?;
            Ok(bytes)
        };
        let mut image = read(DevicePart::SecureOs)?;
        // The partition is larger than the image in it.
        match trusty_image::container::announced_size(&image) {
            Some(size) => image.truncate(size),
            None => {
                let partition =
                    DevicePart::SecureOs.partition(device.current(DevicePart::SecureOs)).to_string();
                return Err(TargetError::EmptyPartition { path: path.into(), partition }.into());
            }
        }
        // Of a virt device the boot config itself lies there, and zeroes behind it.
        let size = read(DevicePart::BootConfig).ok().and_then(|bytes| {
            let text = bytes.split(|byte| *byte == 0).next()?;
            tegra_bct::MiscCfg::parse(text).ok()?.tzdram().ok().map(|[size, _]| size)
        });
        let tzdram = size.map(|size| tzdram(&path.display().to_string(), size)).transpose()?;
        let flashed = match device.state().current() {
            Some(active) => bundle_of(&active.bundle, &active.digest, key, bundles, ui)?,
            None => None,
        };
        if flashed.is_none() {
            ensure_no_key(&format!("{}", path.display()), key)?;
        }
        if let Some(bundle) = flashed {
            return Ok(Self { image, device: true, tzdram, kernel: None, ..bundle });
        }
        Ok(Self { image, device: true, tzdram, ..Self::default() })
    }

    /// The trusted apps in the image with the names that are known, or the UUID's.
    pub fn trusted_apps(&self) -> Vec<KnownApp> {
        let container = trusty_image::Container::parse(&self.image);
        let os = container.map_or(self.image.as_slice(), |container| container.os);
        let app = |elf: &[u8]| {
            let uuid = trusty_image::inspect(elf).ok()?.manifest.uuid;
            let known = self.apps.iter().find(|app| app.uuid == uuid);
            let stock = || trusty_image::stock::name(uuid).map(str::to_owned);
            let name = known.map(|app| app.name.clone()).or_else(stock).unwrap_or_else(|| uuid.to_string());
            let debug = known.and_then(|app| self.symbols.get(&app.symbols()).cloned());
            let ports = known.map(|app| app.ports.iter().map(|port| port.name.clone()).collect());
            Some(KnownApp { name, uuid, elf: elf.to_vec(), debug, ports: ports.unwrap_or_default() })
        };
        trusty_image::tasks::find(os).into_iter().filter_map(app).collect()
    }

    /// What the emulator's program is to know of the trusted apps, as its options. Their files with debug information are written to
    /// a folder of ours.
    pub fn options(&self, dir: &Path) -> Result<Vec<String>> {
        let mut options = Vec::new();
        // Of an image with a kernel NVIDIA's own is asked, or nobody.
        if !has_kernel(&self.image) {
            options.push("--hwkey-agent".into());
        }
        for app in &self.apps {
            options.push(format!("--name={}={}", app.uuid, app.name));
            if let Some(symbols) = self.symbols.get(&app.symbols()) {
                let path = dir.join(format!("{}.debug", app.uuid));
                carveout_host::files::put(&path, symbols)?;
                options.push(format!("--debug={}={}", app.uuid, path.display()));
            }
        }
        Ok(options)
    }
}

/// Only a bundle is signed.
fn ensure_no_key(target: &str, key: Option<&PublicKey>) -> Result<()> {
    if key.is_none() {
        return Ok(());
    }
    Err(TargetError::KeyWithoutBundle { target: target.into() }.into())
}

fn of_bundle(path: &Path, key: Option<&PublicKey>, ui: &Ui) -> Result<EmulationTarget> {
    // Whole, before anything of it runs: its programs run on this host.
    let (verified, authenticity) = verify::signed(path, key)?;
    ui.note(&authenticity.text());
    let source = Source::open(path).map_err(|error| TargetError::NoBundle { source: error.into() })?;
    let wanted = |file: &bundle::FileEntry| {
        matches!(file.role, Role::SecureOs | Role::ClientApp | Role::KernelSymbols | Role::TrustedAppSymbols)
    };
    let (manifest, files) = bundle::extract(&source, wanted).map_err(|error| match error {
        ExtractError::Source(SourceError::NotABundle(_)) => TargetError::NoBundle { source: error.into() },
        other => TargetError::BadBundle { path: path.into(), source: other.into() },
    })?;
    if manifest.digest != verified.digest {
        return Err(TargetError::BundleChanged { path: path.into() }.into());
    }
    let (mut image, mut debs, mut kernel, mut symbols) = (None, Vec::new(), None, BTreeMap::new());
    for (entry, bytes) in files {
        match entry.role {
            Role::SecureOs => image = Some(bytes),
            Role::KernelSymbols => kernel = Some(bytes),
            Role::TrustedAppSymbols => drop(symbols.insert(entry.path.clone(), bytes)),
            _ => debs.push((entry.path.rsplit('/').next().unwrap_or_default().to_owned(), bytes)),
        }
    }
    // Whoever is named first is meant where none is named.
    let place = |file: &str| {
        let name = bundle::package_name(file);
        manifest.client_apps.iter().position(|known| known == name).unwrap_or(usize::MAX)
    };
    debs.sort_by_key(|(file, _): &(String, Vec<u8>)| (place(file), file.clone()));
    let image = image.ok_or_else(|| TargetError::NoSecureOs { path: path.into() })?;
    let tzdram = Some(manifest.tzdram);
    let memory = u64::try_from(manifest.plan.memory.free).ok();
    Ok(EmulationTarget {
        image,
        apps: manifest.trusted_apps,
        debs,
        tzdram,
        memory,
        kernel,
        symbols,
        ..EmulationTarget::default()
    })
}

/// The carve-out of this size in bytes. `name`: where it stands.
pub fn tzdram(name: &str, size: u64) -> Result<Tzdram> {
    Tzdram::of_size(size)
        .map_err(|source| ImageError::BadTzdramSize { name: name.into(), source: source.into() }.into())
}

/// The bundle that a device was flashed with, if the workspace still has that very one: what the device does not know of its
/// parts is read there.
fn bundle_of(
    name: &str,
    digest: &str,
    key: Option<&PublicKey>,
    bundles: Option<&Path>,
    ui: &Ui,
) -> Result<Option<EmulationTarget>> {
    // A device of anybody's says this name.
    let Some(bundles) = bundles.filter(|_| bundle::is_plain(name, bundle::VERSION)) else {
        return Ok(None);
    };
    let folder = bundles.join(name);
    let manifest = carveout_host::files::read_to_string(&folder.join(bundle::MANIFEST)).unwrap_or_default();
    if bundle::sha256(manifest.as_bytes()) != digest {
        return Ok(None);
    }
    match of_bundle(&folder, key, ui) {
        Err(error) if key.is_none() => {
            let why = error.message.replace('\n', "\n  ");
            ui.note(&format!("{} is not used: {why}", folder.display()));
            Ok(None)
        }
        other => other.map(Some),
    }
}
