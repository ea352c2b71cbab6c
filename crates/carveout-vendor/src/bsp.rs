//! NVIDIA's BSP: what a build needs of `Linux_for_Tegra`, copied, checked for being whole and of a known release.

use crate as vendor;
use crate::board_conf::{self, BoardConf};
use crate::errors::{BoardConfError, BspError};
use crate::release::Release;
use crate::{Vendor, copy, license, release};
use carveout_host::error::Result;
use carveout_product::Build;
use carveout_product::{Board, L4tBoard, RootfsKind};
use stage_cache::{Key, Output, stamps};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The BSP's top folder, in its tarball and by custom.
const TOP: &str = "Linux_for_Tegra";
/// A script that every BSP has, by which its top folder is known.
const MARK: &str = "flash.sh";
/// Nothing of these is needed: the sample root filesystem's place, what NVIDIA's tools leave behind, what is for others.
const NOT_NEEDED: [&str; 15] = [
    "rootfs/",
    "source/",
    "bootloader/ramdisk_tmp/",
    "bootloader/signed/",
    "bootloader/temp_user_dir/",
    "bootloader/__pycache__/",
    "bootloader/payloads_t18x/",
    "bootloader/payloads_t19x/",
    "bootloader/rollback/",
    "bootloader/mfi_",
    "bootloader/mnt/",
    "bootloader/system.img",
    "bootloader/encrypted_signed/",
    "kernel/kernel_headers",
    "tools/ota_tools/",
];
/// The kernel. Not every snapshot of a BSP has it and the initrd.
pub const KERNEL: &str = "kernel/Image";
/// The initrd.
pub const INITRD: &str = "bootloader/l4t_initrd.img";
/// Both, which a bundle without root filesystem can do without: it is then no full flash.
pub const KERNEL_FILES: [&str; 2] = [KERNEL, INITRD];

/// What a board's boot image is made of, but U-Boot.
pub fn kernel(conf: &BoardConf) -> &'static [&'static str] {
    if conf.u_boot { &[] } else { &KERNEL_FILES }
}

/// What flash.sh and its helpers need for any board, whatever the scope.
const NEEDED: [&str; 14] = [
    "flash.sh",
    "nvmassflashgen.sh",
    license::FILE,
    release::FILE,
    "bootloader/tegraflash.py",
    "bootloader/tegraflash_internal.py",
    "bootloader/tegrasign_v3.py",
    "bootloader/tegrabct_v2",
    "bootloader/tegradevflash_v2",
    "bootloader/tegrahost_v2",
    "bootloader/tegraparser_v2",
    "bootloader/tegrarcm_v2",
    "bootloader/mkbootimg",
    "bootloader/chkbdinfo",
];

/// What is known of a BSP.
pub struct Bsp {
    /// The stage's result: the copied parts.
    pub output: Output,
    /// Its release.
    pub release: Release,
    /// What the user has named, for errors.
    pub given: PathBuf,
    /// What its board file says.
    pub conf: BoardConf,
}

impl Bsp {
    /// A digest of what its files hold, for people: the same whether a file is there itself or by a link. The image that flash.sh
    /// would sign is not among them where that is another than the stock one: ours takes its place.
    pub fn contents(&self) -> Result<String> {
        let mut key = Key::default();
        for path in stamps(&self.output.dir)?.into_keys().filter(|path| *path != self.conf.secure_os) {
            let full = self.path(&path);
            if full.is_file() {
                key = key.with_file(&path, &full)?;
            }
        }
        Ok(key.digest())
    }

    /// A file of it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.output.dir.join(name)
    }
}

/// Copies and checks the BSP.
pub fn run(build: &Build) -> Result<Bsp> {
    let l4t = build.product.l4t()?;
    let board = build.product.board.l4t()?;
    let given = vendor::locate(build, Vendor::Bsp)?;
    let debs = build.product.rootfs.as_ref().is_some_and(|rootfs| rootfs.kind != RootfsKind::Tarball);
    let wanted = |path: &str| is_needed(path, debs);
    let top = if given.is_dir() { top(&given)? } else { given.clone() };
    let key = Key::of(crate::code(file!())).with("given", vendor::stamp(&top, wanted)?).with("debs", debs);
    let output = build.cache.stage("bsp", key, |work| {
        let opened = vendor::open(&top, &["*/rootfs/*"], work.log)?;
        let from = self::top(&opened.dir)?;
        // Told before a copy is made: what is wrong with a tree is wrong with its copy.
        Release::of(&from)?;
        whole(build, &from, &given, conf_of(board, &from).as_ref().ok())?;
        copy::tree(&from, work.out, &wanted)
    })?;
    let conf = conf_of(board, &output.dir);
    // The copy may have been made for another board.
    whole(build, &output.dir, &given, conf.as_ref().ok())?;
    license::accepted(l4t, &output.dir, &build.dirs(), build.ui)?;
    let release = Release::of(&output.dir)?;
    let conf = conf?;
    same_configs(&build.product.board, board, &conf)?;
    Ok(Bsp { output, release, given: top, conf })
}

/// flash.sh takes boot configs and layout that its board file names: they must be those that carveout changes.
fn same_configs(board: &Board, l4t: &L4tBoard, conf: &BoardConf) -> Result<()> {
    if conf.chip != l4t.soc.chip() {
        let (chip, board_file, board) = (conf.chip.escape_debug().to_string(), board, board.name.clone());
        let (file, soc) = (format!("{}.conf", l4t.flash_name), l4t.soc.to_string());
        return Err(board_file.at("l4t.soc", BoardConfError::OtherChip { file, chip, board, soc }));
    }
    const KEYS: [(&str, &str); 3] = [
        ("MISC_COLD_BOOT_CONFIG", "boot_config.cold_boot"),
        ("MISC_CONFIG", "boot_config.flash"),
        ("EMMC_CFG", "layout"),
    ];
    let ours = [&board.cold_boot, &board.flash, &board.layout];
    let [cold_boot, flash, layout] = &conf.configs;
    // Without one of the cold boot, flash.sh takes the other for both.
    let named = [if cold_boot.is_empty() { flash } else { cold_boot }, flash, layout];
    for ((path, value), (key, of_board)) in ours.into_iter().zip(named).zip(KEYS) {
        // A board without a file of its own for flashing says one for both.
        let of_board =
            if of_board == KEYS[1].1 && board.cold_boot == board.flash { KEYS[0].1 } else { of_board };
        if path.file_name() != Some(OsStr::new(value)) {
            let (value, name) = (value.escape_debug().to_string(), board.name.clone());
            let file = format!("{}.conf", l4t.flash_name);
            let fault = BoardConfError::OtherConfig { file, key, value, board: name, path: path.clone() };
            return Err(board.at(of_board, fault));
        }
    }
    Ok(())
}

/// A full flash needs kernel and initrd: told before anything is built for it.
pub fn ensure_kernel(build: &Build, bsp: &Bsp) -> Result<()> {
    let missing = kernel(&bsp.conf).iter().copied().filter(|name| !bsp.path(name).is_file());
    let missing: Vec<&str> = missing.collect();
    if build.product.rootfs.is_none() || missing.is_empty() {
        return Ok(());
    }
    let missing = missing.into_iter().map(str::to_owned).collect();
    Err(BspError::NoKernel { path: bsp.given.clone(), missing }.into())
}

/// The folder that holds flash.sh.
fn top(given: &Path) -> Result<PathBuf> {
    let candidates = [given.to_owned(), given.join(TOP)];
    let found = candidates.into_iter().find(|dir| dir.join(MARK).is_file());
    found.ok_or_else(|| BspError::NoBsp { path: given.into(), mark: MARK, top: TOP }.into())
}

fn is_needed(path: &str, debs: bool) -> bool {
    if NOT_NEEDED.iter().any(|other| path.starts_with(other)) || path.contains("/__pycache__/") {
        return false;
    }
    let packed = [".deb", ".tbz2"].iter().any(|end| path.ends_with(end));
    (debs || !packed) && !path.ends_with(".img.raw")
}

/// All that a build for a board needs and a BSP's tree has not.
pub fn missing(board: &Board, l4t: &L4tBoard, bsp: &Path) -> Vec<String> {
    lacks(board, l4t, bsp, conf_of(l4t, bsp).as_ref().ok())
}

/// What the BSP's file of a board says.
fn conf_of(l4t: &L4tBoard, bsp: &Path) -> Result<BoardConf> {
    board_conf::read(bsp, &l4t.flash_name, &l4t.root_device)
}

/// The same with what the BSP's file of the board says, if it can be read.
fn lacks(board: &Board, l4t: &L4tBoard, bsp: &Path, conf: Option<&BoardConf>) -> Vec<String> {
    let own = [&l4t.secure_os, &board.cold_boot, &board.flash, &board.layout];
    let own = own.into_iter().map(|path| path.to_string_lossy().into_owned());
    let own_conf = std::iter::once(format!("{}.conf", l4t.flash_name));
    let all = NEEDED.iter().map(|name| (*name).to_owned()).chain(own_conf).chain(own);
    let mut missing: Vec<String> = all.chain(board_conf::sourced(bsp, &l4t.flash_name)).collect();
    missing.extend(conf.iter().flat_map(|conf| conf.files().cloned()));
    missing.retain(|name| !bsp.join(name).is_file());
    missing
}

/// Names all that is missing, at once.
fn whole(build: &Build, bsp: &Path, given: &Path, conf: Option<&BoardConf>) -> Result<()> {
    let board = &build.product.board;
    let l4t = board.l4t()?;
    let path = given.to_owned();
    let file = format!("{}.conf", l4t.flash_name);
    if !bsp.join(&file).exists() {
        let fault = BspError::OtherBoards { path, file, board: board.name.clone() };
        return Err(board.at("l4t.flash_name", fault));
    }
    let mut missing = lacks(board, l4t, bsp, conf);
    // A wrong name in the board's file is as likely as a file that the BSP lacks.
    let named = [
        ("l4t.secure_os", &l4t.secure_os),
        ("boot_config.cold_boot", &board.cold_boot),
        ("boot_config.flash", &board.flash),
        ("layout", &board.layout),
    ];
    for (key, path) in named {
        let place = missing.iter_mut().filter(|name| **name == path.to_string_lossy());
        place.take(1).for_each(|name| *name = format!("{name} ({key} of {})", board.place(key)));
    }
    if missing.is_empty() { Ok(()) } else { Err(BspError::NotWhole { path, missing }.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_stays_behind() {
        for needed in
            ["flash.sh", "bootloader/tegrabct_v2", "kernel/Image", "nv_tegra/bsp_version", "bootloader/"]
        {
            assert!(is_needed(needed, false), "{needed}");
        }
        for other in [
            "rootfs/",
            "rootfs/etc/x",
            "bootloader/system.img.raw",
            "bootloader/signed/x",
            "nv_tegra/config.tbz2",
        ] {
            assert!(!is_needed(other, false), "{other}");
        }
        assert!(is_needed("nv_tegra/config.tbz2", true));
    }
}
