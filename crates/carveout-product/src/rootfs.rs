//! What a product says of its root filesystem, checked.

use super::file::RootfsFile;
pub use super::file::RootfsKind;
use super::locate::Step::{self, Index, Key};
use super::mirror::{self, Mirror, MirrorsFile};
use super::report::Reporter;
use crate::errors::{ConfigError, RootfsError};
use carveout_host::error::{Error, Result};
use carveout_host::size::Size;
use std::path::{Path, PathBuf};

/// Smallest image that holds a minimal Debian.
const MIN_SIZE: u64 = 256 << 20;
/// Far more than the eMMC of any Jetson.
const MAX_SIZE: u64 = 1 << 40;
/// Sizes of filesystems are whole blocks.
const BLOCK: u64 = 4096;

/// A root filesystem.
#[derive(Clone, Debug)]
pub struct Rootfs {
    /// How it is made.
    pub kind: RootfsKind,
    /// Debian's name of the release; empty for other kinds.
    pub suite: String,
    /// Debian packages besides the minimal set.
    pub packages: Vec<String>,
    /// The tarball of the other kinds.
    pub tarball: Option<PathBuf>,
    /// Bytes of the image.
    pub size: u64,
    /// The `packages.lock` that the result must equal.
    pub lock: Option<PathBuf>,
    /// Archives that have what the lock pins, besides the host's own.
    pub mirrors: Vec<Mirror>,
}

pub fn check(reporter: &Reporter, file: &RootfsFile, has_l4t: bool) -> Result<Rootfs> {
    let at = |steps: &[Step], fault: Error| {
        let path: Vec<Step> = [Key("rootfs")].iter().chain(steps).copied().collect();
        reporter.at(&path, fault)
    };
    let wrong = |steps: &[Step], fault: RootfsError| Err(at(steps, fault.into()));
    let debian = file.kind == RootfsKind::Debian;
    match (&file.suite, &file.tarball) {
        (None, _) if debian => return wrong(&[], RootfsError::NoSuite),
        (_, Some(_)) if debian => return wrong(&[Key("tarball")], RootfsError::TarballNotAllowed),
        (_, None) if !debian => return wrong(&[], RootfsError::NoTarball),
        (Some(_), _) if !debian => return wrong(&[Key("suite")], RootfsError::SuiteNotAllowed),
        _ => {}
    }
    if !debian && !file.packages.is_empty() {
        return wrong(&[Key("packages")], RootfsError::PackagesNotAllowed);
    }
    if file.kind == RootfsKind::L4tSample && !has_l4t {
        return wrong(&[Key("kind")], RootfsError::SampleNeedsL4t);
    }
    let suite = file.suite.clone().unwrap_or_default();
    if debian && !is_word(&suite) {
        return wrong(&[Key("suite")], RootfsError::NotASuite { suite, example: "bookworm".into() });
    }
    for (index, package) in file.packages.iter().enumerate() {
        if !is_word(package) {
            let package = package.clone();
            return wrong(&[Key("packages"), Index(index)], RootfsError::NotAPackage { package });
        }
    }
    let size = image_size(&file.size).map_err(|fault| at(&[Key("size")], fault.into()))?;
    let there = |key, path: &Option<PathBuf>| {
        let found = path.as_ref().map(|path| {
            let full = reporter.path.parent().unwrap_or(Path::new(".")).join(path);
            match carveout_host::files::open(&full) {
                Ok(_) => Ok(full),
                Err(e) => {
                    Err(at(&[Key(key)], ConfigError::FileUnreadable { source: e.message.into() }.into()))
                }
            }
        });
        found.transpose()
    };
    let none = MirrorsFile::default();
    let mirrors = mirror::check(reporter, file.mirror.as_ref().unwrap_or(&none), &suite, is_word)?;
    if !mirrors.is_empty() && !debian {
        return wrong(&[Key("mirror")], RootfsError::MirrorNotAllowed);
    }
    if !mirrors.is_empty() && file.lock.is_none() {
        return wrong(&[Key("mirror")], RootfsError::MirrorWithoutLock);
    }
    Ok(Rootfs {
        kind: file.kind,
        mirrors,
        suite,
        packages: file.packages.clone(),
        tarball: there("tarball", &file.tarball)?,
        size,
        lock: there("lock", &file.lock)?,
    })
}

/// Bytes of a root filesystem's image, or of the partition for one.
pub fn image_size(text: &str) -> Result<u64, ConfigError> {
    let size: Size =
        text.parse().map_err(|source: String| ConfigError::NotASize { source: source.into() })?;
    if (MIN_SIZE..=MAX_SIZE).contains(&size.0) && size.0.is_multiple_of(BLOCK) {
        return Ok(size.0);
    }
    Err(ConfigError::ImageSizeOutOfRange { bytes: size.0, least: MIN_SIZE, most: MAX_SIZE })
}

fn is_word(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && text.chars().all(inner)
}
