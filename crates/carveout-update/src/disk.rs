//! The device's disk: the one that the root filesystem is on.

use crate::error::UpdateError;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use virt_device::{Device, DeviceError};

/// A device that is open.
pub struct Opened {
    /// Its disk.
    pub path: PathBuf,
    /// The device.
    pub device: Device<File>,
}

impl Opened {
    /// Opens the disk that is named, or that of the root filesystem.
    pub fn open(named: Option<&Path>, write: bool) -> Result<Self, UpdateError> {
        let path = named.map_or_else(of_root, |path| Ok(path.to_owned()))?;
        let failed = |source| UpdateError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new().read(true).write(write).open(&path).map_err(failed)?;
        // Of a block device the metadata tells no size.
        let size = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let device = Device::open(file, size);
        let device = device.map_err(|source| UpdateError::Device { path: path.clone(), source })?;
        Ok(Self { path, device })
    }

    /// An error of the device, with its name.
    pub fn failed(&self, source: DeviceError) -> UpdateError {
        UpdateError::Device { path: self.path.clone(), source }
    }
}

/// The whole disk that has the partition which is mounted at `/`.
fn of_root() -> Result<PathBuf, UpdateError> {
    let unknown = |reason: String| UpdateError::NoDisk { reason };
    let number = fs::metadata("/").map_err(|error| unknown(format!("/: {error}")))?.dev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let link = format!("/sys/dev/block/{major}:{minor}");
    let folder = fs::canonicalize(&link).map_err(|error| unknown(format!("{link}: {error}")))?;
    if !folder.join("partition").exists() {
        return Err(unknown(format!("{} is no partition of a disk", folder.display())));
    }
    let name = folder.parent().and_then(Path::file_name);
    let name = name.ok_or_else(|| unknown(format!("{} is on no disk", folder.display())))?;
    Ok(Path::new("/dev").join(name))
}
