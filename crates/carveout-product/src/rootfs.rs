//! What a product says of its root filesystem, checked.

use super::file::RootfsFile;
pub use super::file::RootfsKind;
use super::locate::Step::{self, Index, Key};
use super::mirror::{self, Mirror, MirrorsFile};
use super::report::Reporter;
use carveout_host::error::Result;
use carveout_host::size::{Size, human};
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
    let at = |steps: &[Step], what: &str| {
        let path: Vec<Step> = [Key("rootfs")].iter().chain(steps).copied().collect();
        reporter.at(&path, what)
    };
    let debian = file.kind == RootfsKind::Debian;
    match (&file.suite, &file.tarball) {
        (None, _) if debian => return Err(at(&[], "kind debian needs a suite, such as bookworm")),
        (_, Some(_)) if debian => return Err(at(&[Key("tarball")], "kind debian takes no tarball")),
        (_, None) if !debian => {
            return Err(at(
                &[],
                "this kind needs a tarball: the path of NVIDIA's sample root filesystem, or of your own",
            ));
        }
        (Some(_), _) if !debian => return Err(at(&[Key("suite")], "only kind debian has a suite")),
        _ => {}
    }
    if !debian && !file.packages.is_empty() {
        return Err(at(&[Key("packages")], "only kind debian has packages"));
    }
    if file.kind == RootfsKind::L4tSample && !has_l4t {
        return Err(at(
            &[Key("kind")],
            "l4t-sample needs NVIDIA's BSP: choose board jetson-agx-xavier, or another kind",
        ));
    }
    let suite = file.suite.clone().unwrap_or_default();
    if debian && !is_word(&suite) {
        return Err(at(&[Key("suite")], &format!("`{suite}` is no Debian suite, such as bookworm")));
    }
    for (index, package) in file.packages.iter().enumerate() {
        if !is_word(package) {
            let what = format!("`{package}` is no package name: a-z, 0-9, + - . are allowed");
            return Err(at(&[Key("packages"), Index(index)], &what));
        }
    }
    let size = image_size(&file.size).map_err(|what| at(&[Key("size")], &what))?;
    let there = |key, path: &Option<PathBuf>| {
        let found = path.as_ref().map(|path| {
            let full = reporter.path.parent().unwrap_or(Path::new(".")).join(path);
            carveout_host::files::open(&full).map_err(|e| at(&[Key(key)], &e.message)).map(|_| full)
        });
        found.transpose()
    };
    let none = MirrorsFile::default();
    let mirrors = mirror::check(reporter, file.mirror.as_ref().unwrap_or(&none), &suite, is_word)?;
    if !mirrors.is_empty() && !debian {
        return Err(at(&[Key("mirror")], "only kind debian has a mirror"));
    }
    if !mirrors.is_empty() && file.lock.is_none() {
        let what = "a mirror has the versions that rootfs.lock pins, and there is no rootfs.lock: add `lock: FILE`, the \
                    rootfs/packages.lock of an earlier bundle, or take the mirror out";
        return Err(at(&[Key("mirror")], what));
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
pub fn image_size(text: &str) -> Result<u64, String> {
    let size: Size = text.parse()?;
    if (MIN_SIZE..=MAX_SIZE).contains(&size.0) && size.0.is_multiple_of(BLOCK) {
        return Ok(size.0);
    }
    let (least, most) = (human(MIN_SIZE), human(MAX_SIZE));
    Err(format!("{} bytes; allowed are {least} to {most}, a multiple of 4096", size.0))
}

fn is_word(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && text.chars().all(inner)
}
