//! The file that is a virt device: found, locked, opened, made anew.

use bundle::{Manifest, NotAFile};
use carveout_host::error::{At, Error, Result};
use carveout_host::files::{NewFile, OUTPUT};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use tegra_flash::Layout;
use virt_device::{Device, DeviceError, STATE};

/// How a device is named, rather than a bundle or a board.
pub const VIRT: &str = "virt:";
/// Types of a layout's entries that are no partitions.
const TABLES: [&str; 3] = ["protective_master_boot_record", "primary_gpt", "secondary_gpt"];

/// The file of `virt:FILE`.
pub fn file(target: &str) -> Option<&Path> {
    target.strip_prefix(VIRT).map(Path::new)
}

/// What a device's error means for people.
pub fn failed(path: &Path, error: DeviceError) -> Error {
    let message = format!("{}: {error}", path.display());
    match error {
        DeviceError::Io(error) => Error::io(path, &error),
        DeviceError::NoTable(_) | DeviceError::Missing(_) => Error::usage(message).remedy(
            "name a virt device, or a file that is not there yet: cargo xtask flash BUNDLE --to virt:FILE makes one",
        ),
        DeviceError::TooSmall { needed, .. } => Error::usage(message)
            .remedy(format!("truncate -s {needed} {}, or name a file that is not there yet", path.display())),
        DeviceError::TooLarge { .. } => Error::check(message)
            .remedy("flash with --scope full, which gives the partitions their new sizes"),
        DeviceError::Layout { .. } => {
            Error::check(message).remedy("give the partition its size in the board's layout, and build anew")
        }
        DeviceError::Number(_) => Error::check(message)
            .remedy("restore a backup of it, or remove the file and flash a bundle: that makes a new device"),
        DeviceError::Contents { .. } => Error::check(message).remedy(
            "what is active is as it was; see whether the disk under the file is sound, and flash again",
        ),
        DeviceError::Source { .. } => Error::check(message)
            .remedy("what is active is as it was; get the bundle anew, it has changed since it was verified"),
        DeviceError::NoPrevious => Error::check(message)
            .remedy("a bundle can be gone back to until the next flash begins; flash the one that is wanted"),
        _ => Error::check(message),
    }
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
        Err(TryLockError::WouldBlock) => return Err(in_use(path, "it is being flashed")),
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

fn in_use(path: &Path, what: &str) -> Error {
    Error::check(format!("{}: in use: {what}", path.display()))
        .remedy("wait until that has ended, or end it, and run the command again")
}

fn lock(path: &Path, file: &File) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(in_use(path, "another carveout flashes or reads it"));
        }
        Err(TryLockError::Error(error)) => return Err(Error::io(path, &error)),
        Ok(()) => {}
    }
    // What the kernel serves to a mounted filesystem must not change below it.
    let own = fs::canonicalize(path).at(path)?;
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file")).unwrap_or_default();
        if Path::new(backing.trim_end()) == own {
            let name = entry.file_name().to_string_lossy().into_owned();
            return Err(in_use(path, &format!("it is attached as /dev/{name} (losetup -d /dev/{name})")));
        }
    }
    Ok(())
}

/// Partitions that a layout gives a device, names with sizes.
pub fn partitions(manifest: &Manifest, layout: &str) -> Result<Vec<(String, u64)>> {
    let board = &manifest.board;
    let wrong = |what: String| Error::check(format!("the layout of board {board}: {what}"));
    let layout = Layout::parse(layout).map_err(|e| wrong(e.to_string()))?;
    let mut partitions = Vec::new();
    for partition in layout.partitions().filter(|p| !TABLES.contains(&p.kind.as_str())) {
        let size = partition.size.number().filter(|size| *size > 0);
        match size {
            Some(size) => partitions.push((partition.name.clone(), size)),
            // A product without a root filesystem.
            None if partition.size.number() == Some(0) => {}
            None => return Err(wrong(format!("partition {} has no size", partition.name))),
        }
    }
    if !partitions.iter().any(|(name, _)| name == STATE) {
        return Err(wrong(format!("there is no partition {STATE} for the flash state")));
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
                let blank = is_blank(path, &old)?;
                let known = !blank && Device::open(old.try_clone().at(path)?, size).is_ok();
                if !blank && !known {
                    return Err(Error::usage(format!(
                        "{}: holds something else than a virt device: it is not overwritten",
                        path.display()
                    ))
                    .remedy("name another file, or remove this one"));
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
pub fn is_blank(path: &Path, file: &File) -> Result<bool> {
    match seek(file, SeekFrom::Data(0)) {
        Err(Errno::NXIO) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(Error::io(path, &error.into())),
    }
}
