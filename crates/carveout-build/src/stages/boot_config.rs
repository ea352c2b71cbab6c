//! Boot config and partition layout: the board's files with the carve-out set and placeholders filled.

use super::app_partition::app_size;
use crate::errors::BootConfigError;
use carveout_host::error::{At, Error, Result};
use carveout_product::{Build, RootfsKind};
use carveout_vendor::bsp::Bsp;
use stage_cache::{Key, Output};
use std::fs;
use std::path::{Path, PathBuf};
use tegra_bct::MiscCfg;
use tegra_flash::slots::{APP, KERNEL, MB1_BCT, SECURE_OS};
use tegra_flash::{Layout, TooSmall, guids};
use trusty_image::{Soc, Tzdram};

/// Bytes around the partitions of the virt board's disk: MBR, both GPTs, alignment.
const DISK_EXTRA: u64 = 4 << 20;
const SECTOR: u64 = 512;

/// The directory with both misc cfgs and the layout. Those of an L4T board come out of its BSP.
pub fn run(build: &Build, bsp: Option<&Bsp>) -> Result<Output> {
    let product = build.product;
    let board = &product.board;
    let rootfs = product.rootfs.as_ref().map_or(0, |rootfs| rootfs.size);
    let [cold_boot, flash, layout] = [&board.cold_boot, &board.flash, &board.layout]
        .map(|path| bsp.map_or_else(|| path.clone(), |bsp| bsp.path(path)));
    let misc = if cold_boot == flash { vec![&cold_boot] } else { vec![&cold_boot, &flash] };
    told(build, &misc)?;
    let needed = if bsp.is_some() { L4T_PARTITIONS } else { VIRT_PARTITIONS };
    let text = fs::read_to_string(&layout).at(&layout)?;
    let parsed = ensure_partitions(&shown(bsp, &layout), &text, needed, |line| build.ui.note(line));
    let parsed = parsed.map_err(|fault| board.at("layout", fault))?;
    if let Some(bsp) = bsp {
        ensure_files(bsp, &shown(Some(bsp), &layout), &parsed)?;
        let kind = product.rootfs.as_ref().map(|rootfs| rootfs.kind);
        if parsed.partition(APP[1]).is_some() && kind.is_some_and(|kind| kind != RootfsKind::Tarball) {
            let (path, layout) = (product.path.clone(), shown(Some(bsp), &layout));
            return Err(BootConfigError::TwoRoots { path, layout }.into());
        }
        ensure_room(build, &shown(Some(bsp), &layout), &parsed)?;
    }
    let key = Key::of(crate::code(file!()))
        .with_file("cold boot", &cold_boot)?
        .with_file("flash", &flash)?
        .with_file("layout", &layout)?
        .with("tzdram", format!("{} {}", product.tzdram.size(), product.tzdram.alignment()))
        .with("rootfs size", rootfs)
        .with("board", &board.name);
    build.cache.stage("boot config", key, |work| {
        for path in misc {
            let bytes = fs::read(path).at(path)?;
            let edited = edit(&bytes, product.tzdram);
            let (found, edited) = edited
                .map_err(|e| BootConfigError::MiscConfig { file: shown(bsp, path), source: e.into() })?;
            if found != board.soc() {
                let (file, board_name) = (shown(bsp, path), board.name.clone());
                let (found, soc) = (found.to_string(), board.soc().to_string());
                let board = board_name;
                return Err(BootConfigError::OtherSoc { file, found, board, soc }.into());
            }
            let to = work.out.join(name(path));
            fs::write(&to, edited).at(&to)?;
        }
        let text = fs::read_to_string(&layout).at(&layout)?;
        let filled = match bsp {
            None => fill(&text, rootfs),
            // NVIDIA's scripts fill in the rest.
            Some(_) => guids::with_guids(&text, |device, name| guid(&board.name, device, name)),
        };
        let filled = filled.map_err(|e| unreadable(layout.display().to_string(), e))?;
        let to = work.out.join(name(&layout));
        fs::write(&to, filled).at(&to)
    })
}

/// Tells what is odd in the misc cfgs, whether the stage is built or reused.
fn told(build: &Build, cfgs: &[&PathBuf]) -> Result<()> {
    for path in cfgs {
        let bytes = fs::read(path).at(path)?;
        let warnings = MiscCfg::parse(&bytes).map(|cfg| cfg.warnings().to_vec()).unwrap_or_default();
        for warning in warnings {
            build.ui.note(&format!("note: {}: {warning}", name(path)));
        }
    }
    Ok(())
}

/// Partitions that every bundle of an L4T board is written to. The virt board has no kernel of its own.
const L4T_PARTITIONS: &[&str] = &[MB1_BCT[0], SECURE_OS[0], KERNEL[0], APP[0]];
const VIRT_PARTITIONS: &[&str] = &[MB1_BCT[0], SECURE_OS[0]];

/// Refuses a layout that lacks a partition that is written: NVIDIA's tools would flash what is left, and the board would not
/// boot. Tells what is assumed of it.
fn ensure_partitions(
    shown: &str,
    text: &str,
    needed: &[&str],
    note: impl Fn(&str),
) -> Result<Layout, BootConfigError> {
    let parsed = Layout::parse(text).map_err(|e| unreadable(shown.into(), e))?;
    for device in parsed.devices.iter().filter(|device| device.sector_size_assumed) {
        note(&format!("note: {shown}: device {} has no sector_size: 512 bytes are assumed", device.kind));
    }
    let lacks = parsed.lacks(needed);
    if lacks.is_empty() {
        return Ok(parsed);
    }
    let lacks = lacks.into_iter().map(str::to_owned).collect();
    Err(BootConfigError::NoPartition { layout: shown.into(), lacks })
}

/// Files that flash.sh makes itself, or that stand for the bundle's root filesystem, by how they begin.
const MADE: [&str; 5] =
    ["system.img", "boot.img", "kernel_", "emmc_bootblob_ver.txt", "qspi_bootblob_ver.txt"];
/// Where flash.sh takes the files from that a layout names.
const FOLDERS: [&str; 2] = ["bootloader", "bootloader/t186ref"];

/// Refuses a partition with a file that is not there: NVIDIA's tools would say so late, without its name.
fn ensure_files(bsp: &Bsp, shown: &str, layout: &Layout) -> Result<()> {
    let named = layout.partitions().filter_map(|partition| Some((partition, partition.file.as_deref()?)));
    for (partition, file) in named {
        // In capitals it is one that flash.sh fills in, for slot B with `_b` behind it.
        let is_name = file.trim_end_matches("_b").contains(|c: char| c.is_ascii_lowercase());
        let there = FOLDERS.iter().any(|folder| bsp.path(folder).join(file).is_file());
        if is_name && !there && !MADE.iter().any(|made| file.starts_with(made)) {
            return Err(BootConfigError::NoFile {
                layout: shown.into(),
                line: partition.line,
                partition: partition.name.clone(),
                file: file.into(),
            }
            .into());
        }
    }
    Ok(())
}

/// Refuses a root filesystem for which the board's storage has no room, before anything is built for it.
fn ensure_room(build: &Build, shown: &str, layout: &Layout) -> Result<()> {
    let app = app_size(build)?;
    let Some(small) = layout.too_small(app) else { return Ok(()) };
    let TooSmall { device, size, others, app: most } = small;
    let (product, board) = (build.product, &build.product.board);
    let key = if product.rootfs.is_some() { "rootfs.size" } else { "l4t.app_size" };
    let (layout, device) = (shown.to_owned(), device.to_owned());
    let Some(most) = most.filter(|most| *most > 0) else {
        return Err(board.at("layout", BootConfigError::NoRoom { layout, device, size, others }));
    };
    let fault = BootConfigError::NoRoomForApp { key, app, most, layout, device, size, others };
    // What the product does not say is the board's.
    if product.rootfs.is_none() && board.l4t()?.app_size == app {
        return Err(board.at(key, fault));
    }
    Err(Error::from(fault).within(format_args!("{}: {key}", product.path.display())))
}

fn unreadable(layout: String, error: tegra_flash::LayoutError) -> BootConfigError {
    BootConfigError::Layout { layout, source: error.into() }
}

/// The path of a file as the user knows it: that of the BSP's copy is ours.
fn shown(bsp: Option<&Bsp>, path: &Path) -> String {
    let within = bsp.and_then(|bsp| Some((bsp, path.strip_prefix(&bsp.output.dir).ok()?)));
    match within {
        Some((bsp, inner)) if bsp.given.is_dir() => bsp.given.join(inner).display().to_string(),
        Some((bsp, inner)) => format!("{} in {}", inner.display(), bsp.given.display()),
        None => path.display().to_string(),
    }
}

/// The GUID of a partition: the same for each build, as version 8 of RFC 9562 allows.
fn guid(board: &str, device: &str, partition: &str) -> String {
    let digest = bundle::sha256(format!("carveout {board} {device} {partition}").as_bytes());
    let digits = |range: std::ops::Range<usize>| digest.get(range).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", digits(0..8), digits(8..12), digits(13..16), digits(17..20), digits(20..32))
}

/// The identities of the partitions with root filesystems, by the slot's suffix: flash.sh boots by them where there are two.
pub fn root_guids(build: &Build, bsp: &Bsp) -> Result<Vec<(&'static str, String)>> {
    let board = &build.product.board;
    let path = bsp.path(&board.layout);
    let text = fs::read_to_string(&path).at(&path)?;
    let layout = Layout::parse(&text).map_err(|e| unreadable(shown(Some(bsp), &path), e))?;
    let found = APP.into_iter().zip(["", "_b"]).filter_map(|(name, slot)| {
        let device = layout.devices.iter().find(|device| device.partitions.iter().any(|p| p.name == name))?;
        Some((slot, guid(&board.name, &device.kind, name)))
    });
    Ok(found.collect())
}

/// A file's own name.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A misc config with the carve-out, and the SoC that it is for.
fn edit(bytes: &[u8], tzdram: Tzdram) -> Result<(Soc, Vec<u8>), tegra_bct::CfgErrors> {
    let mut cfg = MiscCfg::parse(bytes)?;
    cfg.set_tzdram(tzdram)?;
    Ok((cfg.soc(), cfg.as_bytes().to_vec()))
}

/// Fills in the size of APP, and that of a disk that holds all partitions.
fn fill(text: &str, rootfs: u64) -> Result<String, tegra_flash::LayoutError> {
    let layout = Layout::parse(text)?;
    let sizes = layout.partitions().filter_map(|p| p.size.number()).chain([rootfs, DISK_EXTRA]);
    let sectors = sizes.fold(0, u64::saturating_add).div_ceil(SECTOR);
    let (rootfs, sectors) = (rootfs.to_string(), sectors.to_string());
    let values = [
        ("APPSIZE", rootfs.as_str()),
        ("APPFILE", "rootfs/system.img"),
        ("\"EMMCSECTORS\"", sectors.as_str()),
    ];
    let filled = tegra_flash::layout::substitute(text, &values).replace("EMMCSECTORS", &sectors);
    Layout::parse(&filled).map(|_| filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_filled() {
        let text = fs::read_to_string(
            carveout_host::dirs::Dirs::find().root().unwrap().join("configs/boards/virt/flash_virt.xml"),
        )
        .unwrap();
        let filled = fill(&text, 1 << 30).unwrap();
        let layout = Layout::parse(&filled).unwrap();
        assert_eq!(layout.partition("APP").unwrap().size.number(), Some(1 << 30));
        assert!(!filled.contains("APPSIZE") && !filled.contains("APPFILE") && !filled.contains("EMMC"));
        let sectors = layout.devices[0].sectors.number().unwrap();
        assert!(sectors * 512 > (1 << 30) + 2 * 2_621_440);
    }

    /// Integrators who boot from another medium drop partitions of NVIDIA's layout.
    #[test]
    fn a_layout_without_what_is_written_is_refused_by_name() {
        let layout = |names: &[&str]| {
            let one = |name: &&str| format!("<partition name='{name}' type='x'><size> 1 </size></partition>");
            let rows: String = names.iter().map(one).collect();
            format!("<partition_layout><device type='sdmmc_user'>{rows}</device></partition_layout>")
        };
        let notes = std::cell::RefCell::new(Vec::new());
        let check = |names: &[&str]| {
            ensure_partitions("flash.xml", &layout(names), L4T_PARTITIONS, |line| {
                notes.borrow_mut().push(line.to_owned())
            })
            .map(drop)
            .map_err(Error::from)
        };
        assert_eq!(check(L4T_PARTITIONS), Ok(()));
        assert_eq!(
            notes.borrow().as_slice(),
            ["note: flash.xml: device sdmmc_user has no sector_size: 512 bytes are assumed"]
        );
        let error = check(&["MB1_BCT", "APP"]).unwrap_err();
        assert_eq!(error.exit, carveout_host::error::Exit::Usage);
        assert_eq!(error.message, "flash.xml: the layout has no partition secure-os, no partition kernel");
    }

    #[test]
    fn guids_are_of_version_8() {
        let guid = guid("jetson-agx-xavier", "sdmmc_user", "APP");
        assert_eq!(guid.parse::<uuid::Uuid>().unwrap().get_version_num(), 8);
        assert_eq!(guid.parse::<uuid::Uuid>().unwrap().get_variant(), uuid::Variant::RFC4122);
        assert_ne!(guid, super::guid("jetson-agx-xavier", "sdmmc_boot", "APP"));
    }

    #[test]
    fn both_keys_are_set() {
        let tzdram = Tzdram::of_size(64 << 20).unwrap();
        let edited = edit(b"carveout.tzdram.size = 1;\ncarveout.tzdram.alignment = 2; # x\n", tzdram);
        let text = String::from_utf8(edited.unwrap().1).unwrap();
        assert_eq!(text, "carveout.tzdram.size = 0x04000000;\ncarveout.tzdram.alignment = 0x00100000; # x\n");
        assert!(
            edit(b"carveout.tzdram.size = 1;\n", tzdram)
                .unwrap_err()
                .to_string()
                .contains("alignment` is missing")
        );
    }
}
