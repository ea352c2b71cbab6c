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
    /// The partition of it that is mounted at `/`.
    pub root: Option<String>,
}

impl Opened {
    /// Opens the disk that is named, or that of the root filesystem.
    pub fn open(named: Option<&Path>, write: bool) -> Result<Self, UpdateError> {
        let root = of_root();
        let own = root.as_ref().ok().filter(|(disk, _)| named.is_none_or(|named| named == disk));
        let mounted = own.and_then(|(_, partition)| partition.clone());
        let path = match named {
            Some(path) => path.to_owned(),
            None => root?.0,
        };
        let failed = |source| UpdateError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new().read(true).write(write).open(&path).map_err(failed)?;
        // Of a block device the metadata tells no size.
        let size = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let device = Device::open(file, size);
        let device = device.map_err(|source| UpdateError::Device { path: path.clone(), source })?;
        Ok(Self { path, device, root: mounted })
    }

    /// An error of the device, with its name.
    pub fn failed(&self, source: DeviceError) -> UpdateError {
        UpdateError::Device { path: self.path.clone(), source }
    }
}

/// The whole disk that has the partition which is mounted at `/`, and that partition's name.
fn of_root() -> Result<(PathBuf, Option<String>), UpdateError> {
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
    let told = fs::read_to_string(folder.join("uevent")).unwrap_or_default();
    Ok((Path::new("/dev").join(name), partition_name(&told)))
}

/// The partition's name, as the kernel tells it.
fn partition_name(uevent: &str) -> Option<String> {
    uevent.lines().find_map(|line| line.strip_prefix("PARTNAME=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_called_as_their_table_says() {
        let told = "MAJOR=254\nMINOR=5\nDEVNAME=vda5\nDEVTYPE=partition\nPARTN=5\nPARTNAME=APP_b\n";
        assert_eq!(partition_name(told).as_deref(), Some("APP_b"));
        assert_eq!(partition_name("MAJOR=8\n"), None);
    }
}
