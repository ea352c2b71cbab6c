//! What is emulated: a bundle, a secure-os image by itself, or a virt device's secure-os partition.

use crate::error::{Error, Result};
use crate::tools::read_limited;
use bundle::{ARCHIVE_MAGIC, AppEntry, ExtractError, Role, Source, SourceError};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How a device is named, rather than a bundle.
const VIRT: &str = "virt:";
/// Bytes of a partition entry in a GPT.
const GPT_ENTRY: u32 = 128;
/// Largest image, in bytes.
const MAX_IMAGE: u64 = 64 << 20;
/// The partition that holds the image.
const PARTITION: &str = "secure-os";
/// The one that holds the boot config.
const BOOT_CONFIG: &str = "MB1_BCT";

/// A secure-os image, and what is known of it.
pub struct Target {
    /// Its bytes.
    pub image: Vec<u8>,
    /// The trusted apps, if a bundle says.
    pub apps: Vec<AppEntry>,
    /// Client apps: file names and Debian packages.
    pub debs: Vec<(String, Vec<u8>)>,
    /// The carve-out in bytes, if its boot config is there.
    pub tzdram: Option<u64>,
    /// What of it is free for the kernel when all trusted apps are loaded, in bytes, if a bundle says.
    pub memory: Option<u64>,
    /// The kernel with its symbols, if a bundle has it.
    pub kernel: Option<Vec<u8>>,
}

impl Target {
    /// Reads `BUNDLE`, an image or `virt:FILE`.
    pub fn open(target: &str) -> Result<Self> {
        let virt = target.strip_prefix(VIRT);
        let path = Path::new(virt.unwrap_or(target));
        let metadata =
            std::fs::metadata(path).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(Error::usage(format!("{}: neither a file nor a folder", path.display())));
        }
        if virt.is_some() {
            return device(path);
        }
        let mut magic = [0; ARCHIVE_MAGIC.len()];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
        if metadata.is_file() && (read.is_err() || magic != ARCHIVE_MAGIC) {
            let image = read_limited(path, MAX_IMAGE)?;
            let container = trusty_image::Container::parse(&image);
            let known = container.is_ok() || image.starts_with(b"NVTOSP");
            if !known && trusty_image::tasks::find(&image).is_empty() {
                return Err(Error::usage(format!("{target}: no bundle, and no image with trusted apps"))
                    .remedy("emulate takes a bundle's folder or .tar.zst, a secure-os image (NVTOSP) or an lk.bin"));
            }
            return Ok(Self {
                image,
                apps: Vec::new(),
                debs: Vec::new(),
                tzdram: None,
                memory: None,
                kernel: None,
            });
        }
        of_bundle(path)
    }

    /// The trusted apps in the image with the names that are known, or the UUID's.
    pub fn trusted_apps(&self) -> Vec<(String, Vec<u8>)> {
        let container = trusty_image::Container::parse(&self.image);
        let os = container.map_or(self.image.as_slice(), |container| container.os);
        let name = |elf: &[u8]| {
            let uuid = trusty_image::inspect(elf).ok()?.manifest.uuid;
            let known = self.apps.iter().find(|app| app.uuid == uuid).map(|app| app.name.clone());
            let stock = || trusty_image::stock::name(uuid).map(str::to_owned);
            Some(known.or_else(stock).unwrap_or_else(|| uuid.to_string()))
        };
        let elves = trusty_image::tasks::find(os).into_iter();
        elves.filter_map(|elf| Some((name(elf)?, elf.to_vec()))).collect()
    }

    /// Names of the trusted apps, as `UUID=NAME`.
    pub fn names(&self) -> Vec<String> {
        self.apps.iter().map(|app| format!("{}={}", app.uuid, app.name)).collect()
    }
}

fn of_bundle(path: &Path) -> Result<Target> {
    let named = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let source = Source::open(path).map_err(|e| Error::usage(e.to_string()))?;
    let wanted = |file: &bundle::FileEntry| {
        matches!(file.role, Role::SecureOs | Role::ClientApp | Role::KernelSymbols)
    };
    let (manifest, files) = bundle::extract(&source, wanted).map_err(|e| match e {
        ExtractError::Source(SourceError::NotABundle(_)) => Error::usage(e.to_string()),
        other => Error::check(named(&other)).remedy("cargo xtask verify tells all that is wrong with it"),
    })?;
    let (mut image, mut debs, mut kernel) = (None, Vec::new(), None);
    for (entry, bytes) in files {
        match entry.role {
            Role::SecureOs => image = Some(bytes),
            Role::KernelSymbols => kernel = Some(bytes),
            _ => debs.push((entry.path.rsplit('/').next().unwrap_or_default().to_owned(), bytes)),
        }
    }
    let image = image.ok_or_else(|| Error::check(named(&"has no secure-os image")))?;
    let tzdram = Some(manifest.tzdram.size);
    let memory = u64::try_from(manifest.plan.memory.free).ok();
    Ok(Target { image, apps: manifest.trusted_apps, debs, tzdram, memory, kernel })
}

/// Bytes of an entry, as the disk's GPT header says: the reader panics at others.
fn entry_size(path: &Path) -> std::io::Result<u32> {
    let mut header = [0; 88];
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(512))?;
    file.read_exact(&mut header)?;
    Ok(trusty_image::bytes::u32_at(&header, 84).unwrap_or_default())
}

fn device(path: &Path) -> Result<Target> {
    let named = |e: &dyn std::fmt::Display| Error::usage(format!("{}: {e}", path.display()));
    if entry_size(path).map_err(|e| named(&e))? != GPT_ENTRY {
        return Err(named(&"no virt device: a GPT disk image with entries of 128 bytes is expected"));
    }
    let disk = gpt::GptConfig::new()
        .writable(false)
        .open(path)
        .map_err(|e| named(&format!("no virt device, which is a GPT disk image: {e}")))?;
    let read = |name: &str| -> Result<Option<Vec<u8>>> {
        let Some(partition) = disk.partitions().values().find(|partition| partition.name == name) else {
            return Ok(None);
        };
        let block = *disk.logical_block_size();
        let start = partition.bytes_start(block).map_err(|e| named(&e))?;
        let length = partition.bytes_len(block).map_err(|e| named(&e))?;
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            file.take(length.min(MAX_IMAGE)).read_to_end(&mut bytes)
        });
        read.map(|_| Some(bytes)).map_err(|e| named(&e))
    };
    let mut image = read(PARTITION)?.ok_or_else(|| named(&format!("has no partition {PARTITION}")))?;
    // The partition is larger than the image in it.
    match trusty_image::container::announced_size(&image) {
        Some(size) => image.truncate(size),
        None => {
            return Err(Error::check(format!(
                "{}: partition {PARTITION} holds no secure-os image",
                path.display()
            )));
        }
    }
    // Of a virt device the boot config itself lies there, and zeroes behind it.
    let tzdram = read(BOOT_CONFIG)?.and_then(|bytes| {
        let text = bytes.split(|byte| *byte == 0).next()?;
        tegra_bct::MiscCfg::parse(text).ok()?.get(tegra_bct::TZDRAM_SIZE).ok()
    });
    Ok(Target { image, apps: Vec::new(), debs: Vec::new(), tzdram, memory: None, kernel: None })
}
