//! The disk that the guest boots from: a bundle's root filesystem, or a virt device.

use crate::errors::LinuxError;
use bundle::{Role, Source, SourceError};
use carveout_field::device::disk;
use carveout_host::error::{At, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tegra_flash::sparse;
use virt_device::{Device, DevicePart};

/// A disk that is a root filesystem, as the guest's kernel names it.
const WHOLE: &str = "/dev/vda";

/// A disk.
pub struct GuestDisk {
    /// The file.
    pub path: PathBuf,
    /// The root filesystem, as the kernel's command line names it.
    pub root: String,
    /// SHA-256 of what is on it, if that is known: of a bundle's image.
    pub sha256: Option<String>,
    /// The device, which nobody flashes meanwhile.
    pub device: Option<Device<File>>,
}

impl GuestDisk {
    /// Of a bundle or `virt:FILE`. What must be unpacked for it is put into `scratch`.
    pub fn open(target: &str, persist: bool, scratch: &Path) -> Result<Self> {
        match disk::file(target) {
            Some(path) => Self::device(path, persist),
            None if persist => Err(LinuxError::PersistNeedsDevice { target: target.into() }.into()),
            None => Self::bundle(Path::new(target), scratch),
        }
    }

    /// Of an image that no bundle has yet; a sparse one is unpacked into `scratch`.
    pub fn of_image(path: &Path, sparse: bool, scratch: &Path) -> Result<Self> {
        let (root, mut disk) = (WHOLE.to_owned(), path.to_owned());
        if sparse {
            disk = scratch.join("system.img");
            let mut file = carveout_host::files::make(&disk)?;
            let mut from = io::BufReader::with_capacity(1 << 20, bundle::open(path).at(path)?);
            let decoded = sparse::decode(&mut from, &mut file);
            let size =
                decoded.map_err(|e| LinuxError::BadRootfs { path: path.into(), source: e.into() })?.raw_size;
            file.set_len(size).at(&disk)?;
        }
        Ok(Self { path: disk, root, sha256: None, device: None })
    }

    fn device(path: &Path, persist: bool) -> Result<Self> {
        let mut device = if persist { disk::open(path)? } else { disk::read(path)? };
        if persist {
            device.boot().map_err(|error| disk::failed(path, error))?;
        } else {
            device.boot_unwritten();
        }
        let current = device.state().current();
        let app = current.and_then(|current| current.parts.get(&DevicePart::App));
        let app = app.ok_or_else(|| LinuxError::EmptyDevice { path: path.into() })?;
        let root = format!("PARTLABEL={}", DevicePart::App.partition(app.slot));
        if persist {
            device.use_app().map_err(|error| disk::failed(path, error))?;
        }
        Ok(Self { path: std::path::absolute(path).at(path)?, root, sha256: None, device: Some(device) })
    }

    fn bundle(path: &Path, scratch: &Path) -> Result<Self> {
        if path.is_file() && !bundle::is_archive(path) {
            return Err(LinuxError::OnlyAnImage { target: path.display().to_string() }.into());
        }
        let failed = |error: SourceError| LinuxError::BadRootfs { path: path.into(), source: error.into() };
        let source = Source::open(path).map_err(failed)?;
        // Only its manifest: nothing is wanted.
        let (manifest, _) = bundle::extract(&source, |_| false)
            .map_err(|error| LinuxError::BadRootfs { path: path.into(), source: error.into() })?;
        let entry = manifest.files.iter().find(|file| file.role == Role::Rootfs);
        let entry = entry.ok_or_else(|| LinuxError::NoRootfs { path: path.into() })?;
        let sparse = manifest.device.is_some();
        let sha256 = Some(entry.sha256.clone());
        let root = WHOLE.to_owned();
        if let (Source::Folder(folder), false) = (&source, sparse) {
            let path = std::path::absolute(folder.join(&entry.path)).at(folder)?;
            return Ok(Self { path, root, sha256, device: None });
        }
        let image = scratch.join(if sparse { "sparse.img" } else { "system.img" });
        let mut file = carveout_host::files::make(&image)?;
        let mut found = false;
        let read = source.for_each(&mut |name, reader| {
            if name != entry.path {
                return Ok(());
            }
            found = true;
            copy_with_holes(reader, &mut file)?;
            // What follows is not wanted.
            Err(io::ErrorKind::Interrupted.into())
        });
        match read {
            Err(SourceError::Io { error, .. }) if found && error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error).into()),
            Ok(_) => {}
        }
        file.set_len(entry.size).at(&image)?;
        // The very bytes that were verified.
        if bundle::hash_file(&image).at(&image)?.sha256 != entry.sha256 {
            let source = bundle::ExtractError::File(entry.path.clone());
            return Err(LinuxError::BadRootfs { path: path.into(), source: source.into() }.into());
        }
        let disk = Self::of_image(&image, sparse, scratch)?;
        Ok(Self { sha256, ..disk })
    }
}

/// Whether what is named is a virt device.
pub fn is_device(target: &str) -> bool {
    disk::file(target).is_some()
}

/// Copies, and leaves holes where zeros are.
fn copy_with_holes(reader: &mut dyn io::Read, file: &mut File) -> io::Result<()> {
    use io::{Seek, SeekFrom, Write};
    let mut block = vec![0; 64 << 10];
    loop {
        match reader.read(&mut block)? {
            0 => return Ok(()),
            length => {
                let bytes = block.get(..length).unwrap_or_default();
                if bytes.iter().all(|byte| *byte == 0) {
                    file.seek(SeekFrom::Current(length as i64))?;
                } else {
                    file.write_all(bytes)?;
                }
            }
        }
    }
}
