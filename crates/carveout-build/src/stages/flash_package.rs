//! The flash package of an L4T board: what NVIDIA's tools sign, for each module, and the proof that MB1 will read the
//! configured carve-out.

mod collect;
mod names;
mod pkc;
mod trace;

pub use names::{LACKS, LAYOUT, MADE_OF, PARTITIONS, SECURE_LAYOUT};
pub use pkc::Pkc;

use super::app_partition::app_size;
use super::{boot_config, secure_os};
use crate::errors::FlashError;
use carveout_host::error::{At, Error, Result};
use carveout_host::packages;
use carveout_host::tools::scratch;
use carveout_product::Build;
use carveout_product::{L4t, Module};
use carveout_vendor::bsp;
use carveout_vendor::bsp::Bsp;
use carveout_vendor::l4t;
use carveout_vendor::l4t::{Keys, Run};
use names::{IDENTIFY, ROOT_UUID, ROOTFS, SLOT_B};
use stage_cache::EPOCH;
use stage_cache::{Key, Output};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tegra_bct::mb1;
use tegra_flash::Ekb;
use tegra_flash::slots::MB1_BCT;
use trusty_image::Soc;

/// Both generated boot configs: of the cold boot, and while flashing.
const BCTS: [&str; 2] = ["mb1_cold_boot_bct_MB1_sigheader.bct.encrypt", "mb1_bct_MB1_sigheader.bct.encrypt"];
/// What the flash packages are made of.
pub struct FlashPackageParts<'a> {
    /// NVIDIA's BSP.
    pub bsp: &'a Bsp,
    /// Boot config and layout.
    pub boot_config: &'a Output,
    /// The secure-os image.
    pub secure_os: &'a Output,
    /// The key that signs.
    pub pkc: &'a Pkc,
}

/// A directory for each module, by its name.
pub fn run(build: &Build, parts: &FlashPackageParts) -> Result<Output> {
    let l4t = build.product.l4t()?;
    // Once, before the modules' threads: apt-get stands no company.
    ensure_host(build)?;
    let mut packages = Vec::new();
    let results: Vec<Result<(&Module, Output)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = l4t
            .modules
            .iter()
            .map(|module| scope.spawn(move || Ok((module, package(build, l4t, module, parts)?))))
            .collect();
        threads.into_iter().map(crate::threads::join).collect()
    });
    for result in results {
        packages.push(result?);
    }
    let key = packages
        .iter()
        .fold(Key::of(crate::code(file!())), |key, (module, part)| key.with(&module.name, &part.content));
    build.cache.stage("flash packages", key, |work| {
        packages.iter().try_for_each(|(module, part)| {
            carveout_vendor::copy::tree(&part.dir, &work.out.join(&module.name), &|path| {
                !path.starts_with('.')
            })
        })
    })
}

fn package(build: &Build, l4t: &L4t, module: &Module, parts: &FlashPackageParts) -> Result<Output> {
    let unchanged = unchanged(build, module, parts.bsp)?;
    let sbk = match &l4t.sbk_key {
        Some(path) => bundle::sha256(bundle::hash_file(path).at(path)?.sha256.as_bytes()),
        None => String::new(),
    };
    let ekb = ekb(l4t, parts.bsp)?;
    let key = Key::of(crate::code(file!()))
        .with("bsp", &parts.bsp.output.content)
        .with("ekb", ekb.as_deref().map(bundle::sha256).unwrap_or_default())
        .with("boot config", &parts.boot_config.content)
        .with("secure-os", &parts.secure_os.content)
        .with("unchanged boot config", &unchanged.content)
        .with("app size", app_size(build)?)
        .with("with rootfs", build.product.rootfs.is_some())
        // Digests of keys, not keys: but of an SBK's 16 bytes even that is not kept.
        .with("pkc", parts.pkc.digest()?)
        .with("sbk", sbk)
        .with("board", format!("{:?}", build.product.board.l4t()?))
        .with("module", format!("{:?}", module.id));
    build.cache.stage(&format!("flash package {}", module.name), key, |work| {
        let scratch = scratch("flash")?;
        let run = prepare(build, parts.bsp, scratch.path())?;
        let lacks = stand_in(scratch.path(), parts.bsp)?;
        insert(build, parts, scratch.path())?;
        if let Some(ekb) = &ekb {
            let to = scratch.path().join(&parts.bsp.conf.ekb);
            remove(&to)?;
            fs::write(&to, ekb).at(&to)?;
        }
        parts.pkc.prepare(&run)?;
        let keys = Keys { pkc: parts.pkc.path(), sbk: l4t.sbk_key.as_deref() };
        // What is encrypted cannot be read back: then the proof is of the same files, signed without keys.
        let plain = keys.sbk.map(|_| run.sign(module, work.log)).transpose()?;
        // Put aside: the run with keys makes that folder anew.
        let aside = scratch.path().join("signed without keys");
        if let Some(signed) = &plain {
            prove(build, signed, &unchanged.dir)?;
            fs::rename(signed, &aside).at(signed)?;
        }
        let folder = parts.pkc.explained(run.mass_flash(module, keys, work.log))?;
        match keys {
            Keys { sbk: Some(_), .. } => encrypted(build, &folder)?,
            _ => prove(build, &folder, &unchanged.dir)?,
        }
        used(&folder, keys)?;
        let bootloader = scratch.path().join("bootloader");
        let written = collect::package(&folder, &bootloader, work.out)?;
        let (bsp, secure_os, ekb) = (parts.bsp, parts.secure_os, ekb.as_deref());
        let traced = trace::Traced { bsp, secure_os, ekb, bootloader: &bootloader };
        traced.write(&written, plain.map_or(work.out, |_| aside.as_path()), work.out)?;
        // The recovery loader of t186 reads an EEPROM itself.
        if run.soc == Soc::T194 {
            let identify = parts.pkc.explained(run.identify(keys, work.log))?;
            collect::identify(&identify, &work.out.join(IDENTIFY))?;
        }
        let path = work.out.join(LACKS);
        fs::write(&path, lacks.join("\n")).at(&path)
    })
}

/// The product's own EKB. A board that is signed for gets none whose keys everybody has.
fn ekb(l4t: &L4t, bsp: &Bsp) -> Result<Option<Vec<u8>>> {
    let name = &bsp.conf.ekb;
    if let Some(path) = &l4t.ekb {
        if name.is_empty() {
            return Err(FlashError::NoEkbFile { ekb: path.clone() }.into());
        }
        return carveout_keys::ekb::read_file(path).map(Some);
    }
    let path = bsp.path(name);
    if l4t.pkc_key.is_none() || name.is_empty() || !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(&path).at(&path)?;
    let known = Ekb::parse(&bytes).and_then(Result::ok).and_then(|ekb| ekb.sample_keys()).is_some();
    if known { Err(FlashError::KnownEkb { file: name.clone() }.into()) } else { Ok(None) }
}

/// The boot configs of the BSP as it is, to compare with.
fn unchanged(build: &Build, module: &Module, bsp: &Bsp) -> Result<Output> {
    let key = Key::of(crate::code(file!()))
        .with("bsp", &bsp.output.content)
        .with("app size", app_size(build)?)
        .with("board", format!("{:?}", build.product.board.l4t()?))
        .with("module", format!("{:?}", module.id));
    build.cache.stage(&format!("unchanged boot config {}", module.name), key, |work| {
        let scratch = scratch("flash")?;
        let run = prepare(build, bsp, scratch.path())?;
        // Neither kernel nor initrd shapes a boot config.
        stand_in_for(scratch.path())?;
        let signed = run.sign(module, work.log)?;
        BCTS.iter().try_for_each(|name| {
            let (from, to) = (made(&signed, name)?, work.out.join(name));
            fs::copy(&from, &to).at(&from).map(|_| ())
        })
    })
}

fn ensure_host(build: &Build) -> Result<()> {
    packages::ensure(&l4t::NEEDS, build.offline, &build.dirs().home().join("logs/host.log"), build.ui)
}

fn prepare<'a>(build: &'a Build, bsp: &'a Bsp, dir: &'a Path) -> Result<Run<'a>> {
    let board = build.product.board.l4t()?;
    l4t::copy_bsp(&bsp.output.dir, dir)?;
    let rootfs = dir.join("rootfs/etc");
    fs::create_dir_all(&rootfs).at(&rootfs)?;
    // Of a layout with two of them flash.sh takes a second one, and boots each by the identity of its partition.
    let bootloader = dir.join("bootloader");
    for slot in ["", SLOT_B] {
        let path = bootloader.join(format!("{ROOTFS}{slot}"));
        fs::write(&path, "stands for the root filesystem").at(&path)?;
    }
    for (slot, guid) in boot_config::root_guids(build, bsp)? {
        let path = bootloader.join(format!("{ROOT_UUID}{slot}"));
        fs::write(&path, format!("{guid}\n")).at(&path)?;
    }
    Ok(Run {
        dir,
        epoch: EPOCH,
        board: &board.flash_name,
        conf: &bsp.conf,
        soc: board.soc,
        root_device: &board.root_device,
        app_size: app_size(build)?,
    })
}

/// Stands in for a kernel or initrd that the BSP lacks, and names it: `bsp::ensure_kernel` has refused that for a full flash.
/// What the boot image is not made of is not missed.
fn stand_in(dir: &Path, bsp: &Bsp) -> Result<Vec<&'static str>> {
    let missing: Vec<&str> =
        bsp::kernel(&bsp.conf).iter().copied().filter(|name| !dir.join(name).is_file()).collect();
    stand_in_for(dir)?;
    Ok(missing)
}

fn stand_in_for(dir: &Path) -> Result<()> {
    for path in bsp::KERNEL_FILES.map(|name| dir.join(name)).into_iter().filter(|path| !path.is_file()) {
        fs::write(&path, [0; 4096]).at(&path)?;
    }
    Ok(())
}

/// Puts boot config, layout and image into the private copy, wherever a copy of them is.
fn insert(build: &Build, parts: &FlashPackageParts, dir: &Path) -> Result<()> {
    let board = &build.product.board;
    for path in board.boot_configs().into_iter().chain([&board.layout]) {
        let name = boot_config::name(path);
        let from = parts.boot_config.dir.join(&name);
        // flash.sh copies t186ref's over the one in bootloader/, which is then no other.
        for to in [dir.join(path), dir.join("bootloader").join(&name)] {
            if to.exists() {
                fs::copy(&from, &to).at(&to)?;
            }
        }
    }
    let l4t = board.l4t()?;
    let to = dir.join(&l4t.secure_os);
    let from = parts.secure_os.dir.join(secure_os::IMAGE);
    remove(&to)?;
    fs::copy(&from, &to).at(&to)?;
    // flash.sh signs what the board's file names. In NVIDIA's tarball that is a link to the image; in a tree that was copied without
    // links it is a file of its own, which may hold anything.
    let named = dir.join(&parts.bsp.conf.secure_os);
    if named == to {
        return Ok(());
    }
    let above = named.strip_prefix(dir).map_or(0, |path| path.components().count().saturating_sub(1));
    let target: PathBuf = (0..above).map(|_| "..").collect::<PathBuf>().join(&l4t.secure_os);
    remove(&named)?;
    let parent = named.parent().unwrap_or(dir);
    fs::create_dir_all(parent).at(parent)?;
    symlink(&target, &named).at(&named)
}

/// Removes a file or a link, if there is one.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, &error)),
        _ => Ok(()),
    }
}

/// What NVIDIA's tools call a file: `.signed` behind it instead of `.encrypt` for boards with a PKC.
fn bct_name(folder: &Path, name: &str) -> String {
    let signed = name.replace(".encrypt", ".signed");
    if folder.join(name).exists() { name.into() } else { signed }
}

/// A file that NVIDIA's tools must have made.
fn made(folder: &Path, name: &str) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(FlashError::NotMade { file: name.into() }.into())
}

/// Reads the boot configs that NVIDIA's tools have made: they must carry the carve-out, and differ in nothing else.
fn prove(build: &Build, made: &Path, unchanged: &Path) -> Result<()> {
    let expected = build.product.tzdram;
    for plain in BCTS {
        let name = bct_name(made, plain);
        let path = self::made(made, &name)?;
        let bct = fs::read(&path).at(&path)?;
        let old = unchanged.join(plain);
        let old = fs::read(&old).at(&old)?;
        let found =
            mb1::read(&bct).map_err(|e| FlashError::BootConfig { file: name.clone(), source: e.into() })?;
        if found != expected {
            return Err(FlashError::OtherCarveOut {
                file: name,
                size: found.size,
                alignment: found.alignment,
                expected_size: expected.size(),
                expected_alignment: expected.alignment(),
            }
            .into());
        }
        mb1::same_but_for_tzdram(&bct, &old)
            .map_err(|e| FlashError::BootConfigDiffers { file: name, source: e.into() })?;
    }
    Ok(())
}

/// NVIDIA's tools take a key that they cannot read for none, and end with success.
fn used(folder: &Path, keys: Keys) -> Result<()> {
    let pairs = collect::written(folder)?;
    let signed = pairs.iter().all(|(_, file)| !file.contains("_sigheader") || file.ends_with(".signed"));
    if keys.pkc.is_some() && (pairs.is_empty() || !signed) {
        return Err(FlashError::NotSigned.into());
    }
    Ok(())
}

/// What was encrypted must not read as it was configured.
fn encrypted(build: &Build, folder: &Path) -> Result<()> {
    for (_, file) in collect::written(folder)?.iter().filter(|(name, _)| MB1_BCT.contains(&name.as_str())) {
        let path = folder.join(file);
        let bct = fs::read(&path).at(&path)?;
        if mb1::read(&bct).is_ok_and(|found| found.size == build.product.tzdram.size()) {
            return Err(FlashError::NotEncrypted { file: file.clone() }.into());
        }
    }
    Ok(())
}
