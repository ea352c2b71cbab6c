//! The root filesystem: a Debian base, the client apps installed, an ext4 image, the list of its packages.

mod lock;

use super::bsp::Bsp;
use super::{Build, EPOCH, client_apps};
use crate::config::Rootfs;
use crate::error::{At, Error, Result};
use crate::host;
use crate::stage::{Key, Output};
use crate::tools::{ext4, mmdebstrap};
use std::cell::Cell;
use std::fs;

/// Name of the image.
pub const IMAGE: &str = "system.img";
/// Name of the list of packages.
pub const LOCK: &str = "packages.lock";
const BASE: &str = "base.tar";

/// The slow part: Debian without our own packages.
pub fn base(build: &Build, rootfs: &Rootfs, _bsp: Option<&Bsp>) -> Result<Output> {
    let mut packages = rootfs.packages.clone();
    packages.sort();
    packages.dedup();
    let key = Key::new(1)
        .with("suite", &rootfs.suite)
        .with("packages", packages.join(","))
        .with("epoch", EPOCH)
        .with("mmdebstrap", mmdebstrap::version()?);
    build.cache.stage("rootfs base", key, |work| {
        if build.offline {
            let message = "the root filesystem's base is not there, and --offline forbids to fetch it";
            return Err(Error::environment(message).remedy("run the command once without --offline"));
        }
        host::ensure_arm64(build.ui)?;
        let made = mmdebstrap::base(&rootfs.suite, &packages, EPOCH, &work.out.join(BASE), work.log);
        made.map_err(|error| mmdebstrap::unknown(error, &rootfs.suite, &build.product.path))
    })
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
    if !differs.get() || !old_base.reused || build.offline {
        return result;
    }
    build.ui.note("the packages are not the pinned ones: the archive is asked anew");
    build.cache.forget(old_base)?;
    finish(build, rootfs, &base(build, rootfs, bsp)?, apps, &differs)
}

fn finish(
    build: &Build,
    rootfs: &Rootfs,
    base: &Output,
    apps: &Output,
    differs: &Cell<bool>,
) -> Result<Output> {
    let mut key = Key::new(1)
        .with("base", &base.content)
        .with("client apps", &apps.content)
        .with("size", rootfs.size)
        .with("epoch", EPOCH)
        .with("mke2fs", ext4::version()?)
        .with("scripts", mmdebstrap::recipe() + &ext4::recipe());
    if let Some(lock) = &rootfs.lock {
        key = key.with_file("packages.lock", lock)?;
    }
    build.cache.stage("rootfs", key, |work| {
        host::ensure_arm64(build.ui)?;
        let debs = client_apps::debs(apps)?;
        let tar = work.out.join("final.tar");
        let finished = mmdebstrap::finish(&base.dir.join(BASE), &debs, EPOCH, &tar, work.log)?;
        let text = lock::text(&finished, &debs)?;
        let path = work.out.join(LOCK);
        fs::write(&path, &text).at(&path)?;
        if let Some(pinned) = &rootfs.lock {
            lock::enforce(pinned, &text).inspect_err(|_| differs.set(true))?;
        }
        ext4::image(&tar, rootfs.size, EPOCH, &work.out.join(IMAGE), work.log)?;
        fs::remove_file(&tar).at(&tar)
    })
}
