//! What NVIDIA supplies and the user has: the BSP and the public sources, as a folder or a tarball.
//!
//! It is found in this order: `--bsp` and `--sources`; the product config; the environment; the pinned download. It is only
//! read: what a build needs of it is copied.

pub mod board_conf;
pub mod bsp;
pub mod c_app;
pub mod copy;
pub mod errors;
pub mod l4t;
pub mod license;
pub mod release;
pub mod sources;
pub mod trusty;

use crate::errors::VendorError;
use carveout_host::error::{At, Result};
use carveout_host::tools::curl;
use carveout_host::tools::curl::{Size, Url};
use carveout_host::tools::{run, scratch, shell};
use carveout_product::Build;
use carveout_product::{Download, Product};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// Bytes of a download, at most: what R32 has is far smaller.
const MAX_DOWNLOAD: u64 = 2 << 30;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// `Linux_for_Tegra` of NVIDIA's BSP.
    Bsp,
    /// NVIDIA's public sources.
    Sources,
}

impl Vendor {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bsp => "NVIDIA's L4T BSP",
            Self::Sources => "NVIDIA's L4T public sources",
        }
    }

    /// The option that names it.
    pub fn option(self) -> &'static str {
        match self {
            Self::Bsp => "--bsp",
            Self::Sources => "--sources",
        }
    }

    /// The environment variable that names it.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Bsp => "CARVEOUT_L4T_BSP",
            Self::Sources => "CARVEOUT_L4T_SOURCES",
        }
    }

    fn given(self, product: &Product) -> Option<PathBuf> {
        let given = match self {
            Self::Bsp => product.l4t.as_ref().and_then(|l4t| l4t.bsp.clone()),
            Self::Sources => product.sources.clone(),
        };
        given.or_else(|| std::env::var_os(self.variable()).filter(|v| !v.is_empty()).map(PathBuf::from))
    }

    fn download<'a>(self, build: &'a Build) -> Result<&'a Download> {
        let board = build.product.board.l4t()?;
        Ok(match self {
            Self::Bsp => &board.downloads.bsp,
            Self::Sources => &board.downloads.sources,
        })
    }
}

/// Where it lies: what is given, or what has been downloaded, now if need be.
pub fn locate(build: &Build, vendor: Vendor) -> Result<PathBuf> {
    if let Some(path) = vendor.given(build.product) {
        return match fs::metadata(&path) {
            Ok(_) => fs::canonicalize(&path).at(&path),
            Err(source) => {
                let (name, option, variable) = (vendor.name(), vendor.option(), vendor.variable());
                Err(VendorError::GivenUnreadable { name, path, source, option, variable }.into())
            }
        };
    }
    // A board without L4T has none to download.
    let Some(l4t) = &build.product.l4t else {
        let (name, option, variable) = (vendor.name(), vendor.option(), vendor.variable());
        return Err(VendorError::NotGiven { name, option, variable }.into());
    };
    let download = vendor.download(build)?;
    let url = Url::parse(&download.url)?;
    let folder = downloads(build);
    let file = folder.join(url.file_name()?);
    if !file.exists() && build.offline {
        return Err(VendorError::NotDownloaded { name: vendor.name(), option: vendor.option() }.into());
    }
    license::before_download(l4t, &url, &build.dirs(), build.ui)?;
    fs::create_dir_all(&folder).at(&folder)?;
    curl::fetch(&url, &download.sha256, Size::AtMost(MAX_DOWNLOAD), &file, build.ui)?;
    Ok(file)
}

/// Whether something is neither given nor downloaded yet.
pub fn must_download(build: &Build) -> Result<bool> {
    for vendor in [Vendor::Bsp, Vendor::Sources] {
        if vendor.given(build.product).is_none() && !downloaded(build, vendor.download(build)?)?.exists() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where a download lies.
fn downloaded(build: &Build, download: &Download) -> Result<PathBuf> {
    Ok(downloads(build).join(Url::parse(&download.url)?.file_name()?))
}

fn downloads(build: &Build) -> PathBuf {
    build.dirs().home().join("downloads")
}

/// Whether both BSP and sources are given, so that nothing need be downloaded.
pub fn at_hand(build: &Build) -> bool {
    [Vendor::Bsp, Vendor::Sources].into_iter().all(|vendor| vendor.given(build.product).is_some())
}

/// A folder to read from: the given one, or a tarball's contents in a scratch folder.
pub struct Opened {
    /// The folder.
    pub dir: PathBuf,
    _scratch: Option<carveout_host::tools::Scratch>,
}

/// Opens a folder or a tarball; of a tarball, what matches `without` stays packed.
pub fn open(path: &Path, without: &[&str], log: &Path) -> Result<Opened> {
    if path.is_dir() {
        return Ok(Opened { dir: path.into(), _scratch: None });
    }
    let scratch = scratch("vendor")?;
    unpack(path, scratch.path(), without, log)?;
    Ok(Opened { dir: scratch.path().into(), _scratch: Some(scratch) })
}

/// Unpacks a tarball, whatever compresses it.
pub fn unpack(tarball: &Path, into: &Path, without: &[&str], log: &Path) -> Result<()> {
    let sh = shell(into)?;
    let exclude = without.iter().map(|pattern| format!("--exclude={pattern}"));
    let exclude: Vec<String> = exclude.collect();
    let what = format!("unpacking {}", tarball.display());
    let cmd = cmd!(sh, "tar --no-same-owner {exclude...} -xf {tarball}");
    run(&what, cmd, log).map_err(|error| {
        error.remedy("the file may be cut short or be no tarball: compare its size or sha256 with NVIDIA's, fetch it again")
    })
}

/// The input of a stage that reads a tree or a tarball: enough to see that it has changed.
pub fn stamp(path: &Path, keep: impl Fn(&str) -> bool) -> Result<String> {
    if !path.is_dir() {
        let file = fs::metadata(path).at(path)?;
        // Tools may set the time of the contents back (`cp -p`, `rsync -t`); when the file was changed, the filesystem alone says.
        let changed = (file.ctime(), file.ctime_nsec());
        return Ok(format!("{} {} {:?} {changed:?}", path.display(), file.len(), file.modified().at(path)?));
    }
    let stamps = stage_cache::stamps(path)?;
    let kept = stamps.iter().filter(|(name, _)| keep(name));
    let lines: String = kept.map(|(name, stamp)| format!("{name} {stamp:?}\n")).collect();
    Ok(format!("{} {}", path.display(), bundle::sha256(lines.as_bytes())))
}

include!(concat!(env!("OUT_DIR"), "/code.rs"));
