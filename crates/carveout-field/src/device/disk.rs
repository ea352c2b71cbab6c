//! The file that is a virt device: found, locked, opened, made anew.

use crate::errors::{BundleError, VirtError};
use bundle::{Manifest, NotAFile};
use carveout_host::error::{At, Error, Result};
use carveout_host::files::{NewFile, OUTPUT};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::Path;
use tegra_bct::MiscCfg;
use tegra_flash::Layout;
use virt_device::{Device, DeviceError, DevicePart, STATE};

/// How a device is named, rather than a bundle or a board.
pub const VIRT: &str = "virt:";
/// Largest boot config that is read.
const MAX_CFG: u64 = 1 << 20;
/// Types of a layout's entries that are no partitions.
const TABLES: [&str; 3] = ["protective_master_boot_record", "primary_gpt", "secondary_gpt"];

/// The file of `virt:FILE`.
pub fn file(target: &str) -> Option<&Path> {
    target.strip_prefix(VIRT).map(Path::new)
}

/// A path that leads where one before it leads, to a file that is there or will be.
pub fn named_twice<'a>(paths: &[&'a Path]) -> Option<&'a Path> {
    let real = |path: &Path| {
        let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let new = || Some(fs::canonicalize(parent).ok()?.join(path.file_name()?));
        fs::canonicalize(path).ok().or_else(new).unwrap_or_else(|| path.to_owned())
    };
    let mut seen = BTreeSet::new();
    paths.iter().find(|path| !seen.insert(real(path))).copied()
}

/// What a device's error means for people.
pub fn failed(path: &Path, error: DeviceError) -> Error {
    if let DeviceError::Io(error) = &error {
        return Error::io(path, error);
    }
    let path = path.to_owned();
    let failed = match error {
        DeviceError::NoTable(_) => VirtError::NotADevice { path, source: error.into() },
        DeviceError::Missing(_) => VirtError::NoPartition { path, source: error.into() },
        DeviceError::TooSmall { needed, .. } => VirtError::TooSmall { path, needed, source: error.into() },
        DeviceError::TooLarge { .. } => VirtError::PartitionTooSmall { path, source: error.into() },
        DeviceError::Layout { .. } => VirtError::LayoutTooLarge { path, source: error.into() },
        DeviceError::Number(_) => VirtError::ImpossibleState { path, source: error.into() },
        DeviceError::Contents { .. } => VirtError::ReadBackDiffers { path, source: error.into() },
        DeviceError::Source { .. } => VirtError::InputChanged { path, source: error.into() },
        DeviceError::NoPrevious => VirtError::NoPrevious { path, source: error.into() },
        DeviceError::Format(_) => VirtError::NewerState { path, source: error.into() },
        _ => VirtError::StateTooLarge { path, source: error.into() },
    };
    failed.into()
}

/// Opens a device for writing, which nobody else does meanwhile.
pub fn open(path: &Path) -> Result<Device<File>> {
    let file = bundle::open_with(path, OpenOptions::new().read(true).write(true));
    let file = file.map_err(|e| missing(path, &e))?;
    lock(path, &file)?;
    device(path, file)
}

/// Opens a device for reading.
pub fn read(path: &Path) -> Result<Device<File>> {
    let file = bundle::open(path).map_err(|e| missing(path, &e))?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Err(VirtError::BeingFlashed { path: path.into() }.into()),
        // Not every filesystem has locks.
        Err(TryLockError::Error(_)) | Ok(()) => {}
    }
    device(path, file)
}

fn device(path: &Path, file: File) -> Result<Device<File>> {
    let length = file.metadata().at(path)?.len();
    Device::open(file, length).map_err(|e| failed(path, e))
}

fn missing(path: &Path, error: &io::Error) -> Error {
    let other = error.get_ref().is_some_and(|inner| inner.is::<NotAFile>());
    if other || error.kind() == io::ErrorKind::NotFound {
        return failed(path, DeviceError::NoTable(error.to_string()));
    }
    Error::io(path, error)
}

fn lock(path: &Path, file: &File) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(VirtError::InUse { path: path.into() }.into()),
        Err(TryLockError::Error(error)) => return Err(Error::io(path, &error)),
        Ok(()) => {}
    }
    // What the kernel serves to a mounted filesystem must not change below it.
    let own = fs::canonicalize(path).at(path)?;
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file")).unwrap_or_default();
        if Path::new(backing.trim_end()) == own {
            let device = entry.file_name().to_string_lossy().into_owned();
            return Err(VirtError::Attached { path: path.into(), device }.into());
        }
    }
    Ok(())
}

/// The carve-out of the active boot config: of a virt device the cfg itself lies there, and zeros behind it.
pub fn carve_out(device: &mut Device<File>) -> Option<u64> {
    let mut bytes = Vec::new();
    device.read(DevicePart::BootConfig, Some(MAX_CFG)).ok()?.read_to_end(&mut bytes).ok()?;
    let text = bytes.split(|byte| *byte == 0).next()?;
    MiscCfg::parse(text).ok()?.tzdram().ok().map(|[size, _]| size)
}

/// Partitions that a layout gives a device, names with sizes.
pub fn partitions(manifest: &Manifest, layout: &str) -> Result<Vec<(String, u64)>> {
    let board = || manifest.board.clone();
    let layout =
        Layout::parse(layout).map_err(|e| BundleError::BadLayout { board: board(), source: e.into() })?;
    let mut partitions = Vec::new();
    for partition in layout.partitions().filter(|p| !TABLES.contains(&p.kind.as_str())) {
        let size = partition.size.number().filter(|size| *size > 0);
        match size {
            Some(size) => partitions.push((partition.name.clone(), size)),
            // A product without a root filesystem.
            None if partition.size.number() == Some(0) => {}
            None => {
                let partition = partition.name.clone();
                return Err(BundleError::PartitionWithoutSize { board: board(), partition }.into());
            }
        }
    }
    if !partitions.iter().any(|(name, _)| name == STATE) {
        return Err(BundleError::NoStatePartition { board: board(), partition: STATE }.into());
    }
    Ok(partitions)
}

/// Whether a device has these partitions.
pub fn has(device: &Device<File>, partitions: &[(String, u64)]) -> bool {
    let sizes = |size: u64| size.checked_next_multiple_of(512);
    device.partitions().len() == partitions.len()
        && partitions.iter().all(|(name, size)| {
            device.partitions().get(name).is_some_and(|space| Some(space.size) == sizes(*size))
        })
}

/// A device that is made anew beside its name, which it gets when it is whole. Until then what had the name is as it was.
pub struct Fresh {
    /// The new device.
    pub device: Device<File>,
    new: NewFile,
    // What has the name is nobody else's meanwhile.
    _old: Option<File>,
}

impl Fresh {
    /// Makes a device with these partitions, as large as the old one at least. What is there must be a device or blank.
    pub fn new(path: &Path, partitions: &[(String, u64)]) -> Result<Self> {
        let needed = virt_device::needed(partitions).map_err(|e| failed(path, e))?;
        let (old, size) = match bundle::open_with(path, OpenOptions::new().read(true).write(true)) {
            Ok(old) => {
                lock(path, &old)?;
                let size = old.metadata().at(path)?.len();
                let blank = has_only_holes(path, &old)?;
                let known = !blank && Device::open(old.try_clone().at(path)?, size).is_ok();
                if !blank && !known {
                    return Err(VirtError::HoldsOther { path: path.into() }.into());
                }
                // A blank file of some size stands for a disk of that size.
                if blank && size > 0 && size < needed {
                    return Err(failed(path, DeviceError::TooSmall { size, needed }));
                }
                (Some(old), size.max(needed))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, needed),
            Err(error) => return Err(missing(path, &error)),
        };
        let new = NewFile::create(path, OUTPUT)?;
        let file = new.file().try_clone().at(path)?;
        file.set_len(size).at(path)?;
        // Whoever gets at it by its new name waits until we have ended.
        lock(new.path(), &file)?;
        let device = Device::create(file, size, partitions).map_err(|e| failed(path, e))?;
        Ok(Self { device, new, _old: old })
    }

    /// Gives the device its name.
    pub fn publish(self) -> Result<()> {
        self.new.publish()
    }
}

/// Whether a file has nothing but holes.
pub fn has_only_holes(path: &Path, file: &File) -> Result<bool> {
    match seek(file, SeekFrom::Data(0)) {
        Err(Errno::NXIO) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(Error::io(path, &error.into())),
    }
}
