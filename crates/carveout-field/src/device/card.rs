//! An SD card, or a file that will be copied to one: chosen with care, because a wrong disk would be lost.

use crate::errors::CardError;
use carveout_host::error::{At, Error, Result};
use carveout_host::files::{NewFile, OUTPUT};
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How a card is named.
pub const CARD: &str = "card:";
/// Where the kernel tells of disks.
const BLOCK: &str = "/sys/class/block";
/// Disks that are cards or images although the kernel does not call them removable: those in a built-in reader, and loop devices.
const LIKE_CARDS: [&str; 2] = ["mmcblk", "loop"];

/// The path of `card:PATH`.
pub fn path(target: &str) -> Option<&Path> {
    target.strip_prefix(CARD).map(Path::new)
}

/// What is written to.
pub enum Target {
    /// A new file, which takes its name when all is well.
    File(NewFile),
    /// A card.
    Disk(File),
}

/// Whether a path is a card, after it was looked at; else it is a file, there or not. A disk must be a card, and a file that is there an
/// image of such a card. Nothing is written.
pub fn is_disk(path: &Path, is_image: impl Fn(&mut File) -> bool) -> Result<bool> {
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // The name of a disk that is not there, or was mistyped, is no name for a file in memory.
            let folder = path.parent().and_then(|parent| fs::canonicalize(parent).ok());
            let of_disks = |folder: &PathBuf| folder.starts_with("/dev") && !folder.starts_with("/dev/shm");
            if folder.as_ref().is_some_and(of_disks) {
                return Err(CardError::NoDisk { path: path.into() }.into());
            }
            return Ok(false);
        }
        Err(error) => return Err(Error::io(path, &error)),
    };
    if kind.is_block_device() {
        let name = ensure_card(path)?;
        if fs::read_to_string(Path::new(BLOCK).join(name).join("ro")).is_ok_and(|ro| ro.trim() == "1") {
            return Err(CardError::WriteProtected { path: path.into() }.into());
        }
        return Ok(true);
    }
    if !kind.is_file() {
        return Err(CardError::OtherKind { path: path.into() }.into());
    }
    // One that nobody may write to is kept, too, and told before anything is written.
    OpenOptions::new().write(true).open(path).at(path)?;
    if !is_image(&mut carveout_host::files::open(path)?) {
        return Err(CardError::NoImage { path: path.into() }.into());
    }
    Ok(false)
}

/// Opens a card, or an image of one, for reading.
pub fn read(path: &Path) -> Result<File> {
    let kind = fs::metadata(path).at(path)?.file_type();
    match kind.is_file() {
        true => carveout_host::files::open(path),
        false if kind.is_block_device() => File::open(path).at(path),
        false => Err(CardError::OtherKind { path: path.into() }.into()),
    }
}

impl Target {
    /// Opens a card for writing, which nobody else uses, or begins a file. `needed` bytes. A file that is there is replaced only if it is an
    /// image of such a card.
    pub fn open(path: &Path, needed: u64, is_image: impl Fn(&mut File) -> bool) -> Result<Self> {
        if is_disk(path, is_image)? { Self::disk(path, needed) } else { Self::file(path, needed) }
    }

    fn file(path: &Path, needed: u64) -> Result<Self> {
        let file = NewFile::create(path, OUTPUT)?;
        file.file().set_len(needed).at(path)?;
        Ok(Self::File(file))
    }

    fn disk(path: &Path, needed: u64) -> Result<Self> {
        // The kernel refuses what is mounted.
        let exclusive = i32::try_from(OFlags::EXCL.bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).write(true).custom_flags(exclusive).open(path);
        let mut disk = match opened {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                return Err(CardError::InUse { path: path.into() }.into());
            }
            opened => opened.at(path)?,
        };
        let size = disk.seek(SeekFrom::End(0)).at(path)?;
        if size < needed {
            return Err(CardError::TooSmall { path: path.into(), size, needed }.into());
        }
        Ok(Self::Disk(disk))
    }

    /// For reading and writing.
    pub fn disk_mut(&mut self) -> Result<File> {
        match self {
            Self::File(file) => OpenOptions::new().read(true).write(true).open(file.path()).at(file.path()),
            Self::Disk(disk) => disk.try_clone().map_err(|error| Error::io(Path::new("the card"), &error)),
        }
    }

    /// Whether what is not written is zero already.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Ends: a file gets its name.
    pub fn end(self) -> Result<()> {
        match self {
            Self::File(file) => file.publish(),
            Self::Disk(_) => Ok(()),
        }
    }
}

/// Refuses a disk that is not a card. The kernel's name of it.
fn ensure_card(path: &Path) -> Result<String> {
    let real = fs::canonicalize(path).at(path)?;
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ensure_card_in(Path::new(BLOCK), path, &name).map(|()| name)
}

fn ensure_card_in(block: &Path, path: &Path, name: &str) -> Result<()> {
    let folder: PathBuf = block.join(name);
    if folder.join("partition").exists() {
        return Err(CardError::APartition { path: path.into() }.into());
    }
    let removable = fs::read_to_string(folder.join("removable")).unwrap_or_default();
    let is_card = removable.trim() == "1" || LIKE_CARDS.iter().any(|like| name.starts_with(like));
    if is_card { Ok(()) } else { Err(CardError::NotRemovable { path: path.into() }.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn only_cards_are_written_to() {
        let block = tempfile::tempdir().unwrap();
        for (name, removable) in [("sda", "0\n"), ("sdb", "1\n"), ("mmcblk0", "0\n"), ("sdb1", "")] {
            fs::create_dir(block.path().join(name)).unwrap();
            fs::write(block.path().join(name).join("removable"), removable).unwrap();
        }
        fs::write(block.path().join("sdb1/partition"), "1\n").unwrap();
        let code = |name: &str| {
            let path = Path::new("/dev").join(name);
            ensure_card_in(block.path(), &path, name).map_err(|error| error.code)
        };
        assert_eq!((code("sdb"), code("mmcblk0")), (Ok(()), Ok(())));
        assert_eq!(code("sda").unwrap_err(), "field::card::not-removable");
        assert_eq!(code("sdb1").unwrap_err(), "field::card::a-partition");
        assert_eq!(code("nvme0n1").unwrap_err(), "field::card::not-removable");
    }

    #[test]
    fn a_file_that_is_no_image_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "letters").unwrap();
        let is_image = |file: &mut File| {
            let mut begin = [0; 4];
            file.read_exact(&mut begin).is_ok() && begin == *b"card"
        };
        let code = |path: &Path| Target::open(path, 4096, is_image).err().unwrap().code;
        assert_eq!(code(&path), "field::card::no-card-image");
        assert_eq!(code(dir.path()), "field::card::neither-file-nor-disk");
        assert_eq!(code(Path::new("/dev/null")), "field::card::neither-file-nor-disk");
        assert_eq!(fs::read(&path).unwrap(), b"letters");
        fs::write(&path, "card and more").unwrap();
        let target = Target::open(&path, 4096, is_image).unwrap();
        assert!(target.is_empty() && fs::metadata(&path).unwrap().len() == 13, "not yet");
        target.end().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 4096);
    }
}
