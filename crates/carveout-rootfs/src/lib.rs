//! The root filesystem: a base (Debian, NVIDIA's sample, or a tarball), the client apps installed, an ext4 image, the list of
//! its packages.

pub mod errors;
pub mod ext4;
pub mod identity;
mod init;
mod l4t;
mod lock;
pub mod mmdebstrap;
mod pins;
pub mod sparse;
mod tarball;

use self::init::{DEVICES, INIT, OTHER_INITS};
use self::lock::Sums;
use self::pins::{Known, Pins};
use self::tarball::{INSTALLED, SUMS};
use crate::errors::RootfsError;
use crate::mmdebstrap::Archives;
use carveout_host::error::{At, Result};
use carveout_host::packages;
use carveout_host::tools::dpkg::Control;
use carveout_host::tools::namespace::Folder;
use carveout_product::Build;
use carveout_product::{Rootfs, RootfsKind};
use carveout_vendor::bsp::Bsp;
use stage_cache::EPOCH;
use stage_cache::{Key, Output, Work};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The stage whose result changes seldom, and takes minutes.
pub const BASE_STAGE: &str = "rootfs base";

/// Name of the image.
pub const IMAGE: &str = "system.img";
/// Name of the list of packages.
pub const LOCK: &str = "packages.lock";
const BASE: &str = "base.tar";
/// The slow part: all without our own packages.
pub fn base(build: &Build, rootfs: &Rootfs, bsp: Option<&Bsp>) -> Result<Output> {
    match rootfs.kind {
        RootfsKind::Debian => debian(build, rootfs, bsp),
        RootfsKind::L4tSample => match bsp {
            Some(bsp) => sample(build, rootfs, bsp),
            None => Err(build.product.board.has_no_l4t()),
        },
        RootfsKind::Tarball => given(build, given_path(build, rootfs)?),
    }
}

fn target<'a>(build: &'a Build, bsp: &'a Bsp) -> Result<l4t::RootfsTarget<'a>> {
    let board = build.product.board.l4t()?;
    let module = build.product.l4t()?.modules.first();
    let none = || RootfsError::NoModule { board: build.product.board.name.clone() };
    Ok(l4t::RootfsTarget { bsp, board, module: module.ok_or_else(none)? })
}

fn debian(build: &Build, rootfs: &Rootfs, bsp: Option<&Bsp>) -> Result<Output> {
    let selection = match bsp {
        Some(bsp) => Some(l4t::debian(&target(build, bsp)?, rootfs)?),
        None => None,
    };
    let mut packages = selection.as_ref().map_or_else(|| rootfs.packages.clone(), |s| s.packages.clone());
    packages.sort();
    packages.dedup();
    let mut key = Key::of(crate::code(file!()))
        .with("suite", &rootfs.suite)
        .with("packages", packages.join(","))
        .with("epoch", EPOCH)
        .with("mmdebstrap", mmdebstrap::version()?);
    if let Some(selection) = &selection {
        key = selection.parts.digest_into(key.with("scripts", mmdebstrap::recipe()))?;
    }
    let pins = rootfs.lock.as_ref().map(|lock| Pins::read(lock)).transpose()?.unwrap_or_default();
    // Without mirrors a base is the archive of its day, for whatever lock: most locks are of the same day.
    let preferences = if rootfs.mirrors.is_empty() { String::new() } else { pins.preferences() };
    if !rootfs.mirrors.is_empty() {
        key = key.with("preferences", bundle::sha256(preferences.as_bytes()));
        for (index, mirror) in rootfs.mirrors.iter().enumerate() {
            key = key.with(format!("mirror {index}"), format!("{} {}", mirror.url, mirror.suites.join(",")));
            if let Some(path) = &mirror.key {
                key = key.with_file(&format!("mirror {index} key"), path)?;
            }
        }
    }
    build.cache.stage(BASE_STAGE, key, |work| {
        if build.offline {
            return Err(RootfsError::BaseNotCached.into());
        }
        packages::ensure_arm64(build.ui)?;
        let explained = |error| mmdebstrap::explained(error, rootfs, &build.product.path);
        let archives = Archives::new(&rootfs.suite, &rootfs.mirrors, &preferences)?;
        if let Some(known) = known(&archives, work).map_err(explained)? {
            pins::ensure_known(rootfs, &packages, &known, &build.product.path)?;
            if let Some(lock) = &rootfs.lock {
                pins::ensure_there(rootfs, lock, &pins, &known, &build.product.path)?;
            }
        }
        let parts = selection.as_ref().map(|selection| &selection.parts);
        let out = work.out.join(BASE);
        let made = mmdebstrap::base(&rootfs.suite, &packages, &archives, parts, EPOCH, &out, work);
        made.map_err(explained).map_err(l4t::explained)?;
        let Some(selection) = &selection else { return Ok(()) };
        let mut sums = Sums::default();
        sums.add_debs(&selection.debs)?;
        sums.write(&work.out.join(SUMS))
    })
}

/// What archives have, asked before minutes are spent: mmdebstrap looks for a product's packages last. `None` where nobody knows
/// which archives mmdebstrap takes.
fn known(archives: &Archives, work: &Work) -> Result<Option<Known>> {
    let scratch = Folder::new(work.scratch()?)?;
    let Some(lists) = archives.index(scratch.path(), work.log)? else { return Ok(None) };
    let reader = BufReader::new(File::open(&lists).at(&lists)?);
    Ok(Some(Known::read(reader).at(&lists)?))
}

/// NVIDIA's sample root filesystem with what apply_binaries.sh puts into it.
fn sample(build: &Build, rootfs: &Rootfs, bsp: &Bsp) -> Result<Output> {
    let selection = l4t::sample(&target(build, bsp)?)?;
    let path = given_path(build, rootfs)?;
    let examined = given(build, path)?;
    if !tarball::has_dpkg(&examined.dir)? {
        return Err(RootfsError::SampleWithoutDpkg { path: path.into() }.into());
    }
    let key = Key::of(crate::code(file!()))
        .with("tarball", &examined.content)
        .with("scripts", mmdebstrap::recipe())
        .with("epoch", EPOCH)
        .with("mmdebstrap", mmdebstrap::version()?);
    let key = selection.parts.digest_into(key)?;
    build.cache.stage(BASE_STAGE, key, |work| {
        packages::ensure_arm64(build.ui)?;
        let installed = mmdebstrap::sample(path, &selection.parts, EPOCH, &work.out.join(BASE), work)?;
        let file = work.out.join(INSTALLED);
        fs::write(&file, installed).at(&file)?;
        let mut sums = Sums::read(&examined.dir.join(SUMS))?;
        sums.add_debs(&selection.debs)?;
        sums.write(&work.out.join(SUMS))
    })
}

/// What can be told of a tarball.
fn given(build: &Build, path: &Path) -> Result<Output> {
    let sha256 = bundle::hash_file(path).at(path)?.sha256;
    let key = Key::of(crate::code(file!())).with("tarball", &sha256);
    let examined =
        build.cache.stage("rootfs tarball", key, |work| tarball::examine(build, path, &sha256, work))?;
    let apps = build.product.client_names();
    // Told now, before anything is built for it.
    if !apps.is_empty() && !tarball::has_dpkg(&examined.dir)? {
        let config = build.product.path.clone();
        return Err(RootfsError::AppsWithoutDpkg { path: path.into(), apps, config }.into());
    }
    Ok(examined)
}

fn given_path<'a>(build: &Build, rootfs: &'a Rootfs) -> Result<&'a Path> {
    let missing = || RootfsError::NoTarball { path: build.product.path.clone() }.into();
    rootfs.tarball.as_deref().ok_or_else(missing)
}

/// The image and the list of its packages. If the packages are not the pinned ones, the base may only be an old one: then
/// it is made anew, once.
pub fn run(
    build: &Build,
    rootfs: &Rootfs,
    bsp: Option<&Bsp>,
    old_base: Output,
    apps: &Output,
) -> Result<Output> {
    let differs = Cell::new(false);
    let result = finish(build, rootfs, &old_base, apps, &differs);
    // With mirrors it is made of what is pinned, whatever day it is.
    let from_archive = rootfs.kind == RootfsKind::Debian && rootfs.mirrors.is_empty() && !build.offline;
    if !differs.get() || !old_base.reused || !from_archive {
        return result;
    }
    build.ui.note("the packages are not the pinned ones: the archive is asked anew");
    let new_base = build.cache.renew(&old_base, || base(build, rootfs, bsp))?;
    finish(build, rootfs, &new_base, apps, &differs)
}

fn finish(
    build: &Build,
    rootfs: &Rootfs,
    base: &Output,
    apps: &Output,
    differs: &Cell<bool>,
) -> Result<Output> {
    let for_board = build.product.board.l4t.is_some();
    let mut key = Key::of(crate::code(file!()))
        .with("kind", format!("{:?}", rootfs.kind))
        .with("base", &base.content)
        .with("client apps", &apps.content)
        .with("size", rootfs.size)
        .with("sparse", for_board)
        .with("epoch", EPOCH)
        .with("mke2fs", ext4::version()?)
        .with("scripts", mmdebstrap::recipe() + &ext4::recipe());
    if let Some(lock) = &rootfs.lock {
        key = key.with_file("packages.lock", lock)?;
    }
    build.cache.stage("rootfs", key, |work| {
        let debs = apps.files("deb")?;
        let temporary = work.out.join("final.tar");
        let (text, tar) = match rootfs.kind {
            RootfsKind::Debian => (finish_debian(build, base, &debs, &temporary, work)?, temporary.clone()),
            RootfsKind::L4tSample => {
                finish_given(build, base, &base.dir.join(BASE), &debs, &temporary, work)?
            }
            RootfsKind::Tarball => {
                finish_given(build, base, given_path(build, rootfs)?, &debs, &temporary, work)?
            }
        };
        let path = work.out.join(LOCK);
        fs::write(&path, &text).at(&path)?;
        if let Some(pinned) = &rootfs.lock {
            let ours =
                debs.iter().map(|deb| Ok(Control::read(deb)?.name)).collect::<Result<BTreeSet<_>>>()?;
            pins::enforce(rootfs, pinned, &text, &ours, &build.product.path).map_err(|refused| {
                differs.set(refused.of_archive);
                *refused.error
            })?;
        }
        let image = work.out.join(IMAGE);
        if for_board {
            let raw = work.out.join("raw.img");
            ext4::image(&tar, rootfs.size, EPOCH, &raw, work)?;
            sparse::from_ext4(&raw, &image)?;
            fs::remove_file(&raw).at(&raw)?;
        } else {
            ext4::image(&tar, rootfs.size, EPOCH, &image, work)?;
        }
        identity::find(&image, work.out)?;
        if tar == temporary { fs::remove_file(&temporary).at(&temporary) } else { Ok(()) }
    })
}

/// Returns the list of packages.
fn finish_debian(build: &Build, base: &Output, debs: &[PathBuf], tar: &Path, work: &Work) -> Result<String> {
    packages::ensure_arm64(build.ui)?;
    let finished = mmdebstrap::finish(&base.dir.join(BASE), debs, EPOCH, tar, work)?;
    let packages = lock::wholly_installed(&finished.installed)?;
    if let Some(note) = boots(&packages) {
        build.ui.note(note);
    }
    let own = base.dir.join(SUMS);
    let mut sums = if own.exists() { Sums::read(&own)? } else { Sums::default() };
    sums.add_lists(&finished.lists, &packages)?;
    sums.add_debs(debs)?;
    lock::text(&packages, &sums)
}

/// What keeps these packages from booting well. That may be wanted: it is said, not refused.
fn boots(packages: &lock::Packages) -> Option<&'static str> {
    let has = |name: &str| packages.iter().any(|package| package.split('\t').next() == Some(name));
    if !has(INIT) && !OTHER_INITS.iter().any(|name| has(name)) {
        return Some(
            "rootfs: no package has an init, the image does not boot: add systemd-sysv and udev to rootfs.packages",
        );
    }
    let waits =
        "rootfs: systemd without udev waits 90 s for the console's device: add udev to rootfs.packages";
    (has(INIT) && !has(DEVICES)).then_some(waits)
}

/// Returns the list of packages, and what the image is made of: the tarball itself where nothing is to be installed.
fn finish_given(
    build: &Build,
    base: &Output,
    given: &Path,
    debs: &[PathBuf],
    tar: &Path,
    work: &Work,
) -> Result<(String, PathBuf)> {
    let mut sums = Sums::read(&base.dir.join(SUMS))?;
    sums.add_debs(debs)?;
    if debs.is_empty() {
        let path = base.dir.join(INSTALLED);
        let installed = fs::read_to_string(&path).at(&path)?;
        return Ok((lock::text_of_given(&lock::installed(&installed), &sums), given.into()));
    }
    packages::ensure_arm64(build.ui)?;
    let installed = mmdebstrap::finish_given(given, debs, EPOCH, tar, work)?;
    Ok((lock::text_of_given(&lock::installed(&installed), &sums), tar.into()))
}

include!(concat!(env!("OUT_DIR"), "/code.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_boot_well_is_said() {
        let packages = |names: &[&str]| names.iter().map(|name| format!("{name}\t1\tarm64")).collect();
        assert!(boots(&packages(&["bash"])).unwrap().contains("does not boot"));
        assert!(boots(&packages(&["systemd-sysv", "udevil"])).unwrap().contains("add udev"));
        assert_eq!(boots(&packages(&["systemd-sysv", "udev"])), None);
        assert_eq!(boots(&packages(&["sysvinit-core"])), None);
    }
}
