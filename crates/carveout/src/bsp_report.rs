//! NVIDIA's BSP: its release, its carve-out, and what it lacks, for each board that carveout knows.

use carveout_build::errors::ProductError;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::size::human;
use carveout_host::text::Text;
use carveout_product::{Board, L4tBoard, boards};
use carveout_report::inspect::found::{BspBoard, Found};
use carveout_report::inspect::rows::BspConfig;
use carveout_report::inspect::{Explained, secure_os};
use carveout_vendor::bsp::{INITRD, KERNEL, missing};
use carveout_vendor::release;
use carveout_vendor::release::Release;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tegra_bct::MiscCfg;

/// What a full flash needs besides what every build needs.
const FULL: [&str; 2] = [KERNEL, INITRD];
/// What tells a BSP, even a half-unpacked one: two of these.
const MARKS: [&str; 5] = ["flash.sh", "bootloader/t186ref", "nv_tegra", "kernel/dtb", "apply_binaries.sh"];

/// The top folder of a BSP, if a folder is one or holds one, whole or not.
pub fn find(path: &Path) -> Option<PathBuf> {
    let candidates = [path.to_owned(), path.join("Linux_for_Tegra")];
    let marks = |dir: &PathBuf| MARKS.iter().filter(|mark| dir.join(mark).exists()).count();
    candidates.into_iter().find(|dir| marks(dir) >= 2)
}

/// Explains a BSP's tree. One that lacks what a build needs is a check that failed.
pub fn explain(bsp: &Path, dirs: &Dirs) -> Result<Explained> {
    // Boards are the workspace's own.
    let root = dirs.workspace();
    let release = if bsp.join(release::FILE).exists() { Some(Release::of(bsp)?) } else { None };
    let shown = release.map_or("release unknown".into(), |release| release.to_string());
    let mut text = Text::block(&format!("NVIDIA's BSP, L4T {shown}\n"));
    if root.is_none() {
        text.push_str(
            "  boot config and secure-os: told in a workspace of carveout, which knows the boards\n",
        );
    }
    let (mut rows, mut whole) = (Vec::new(), true);
    let mut known = Vec::new();
    for (root, name) in root.iter().flat_map(|root| boards(root).into_iter().map(move |name| (root, name))) {
        let board = Board::load(root, &name)?.map_err(|why| ProductError::Board { why })?;
        known.push(board);
    }
    let known: Vec<_> = known.iter().filter_map(|board| Some((board, board.l4t.as_ref()?))).collect();
    let is_there = |l4t: &L4tBoard| bsp.join(format!("{}.conf", l4t.flash_name)).exists();
    let some = known.iter().any(|(_, l4t)| is_there(l4t));
    for (board, l4t) in known {
        // A BSP may be for some boards alone.
        if some && !is_there(l4t) {
            let _ = writeln!(text, "  not for board {}: it has no {}.conf", board.name, l4t.flash_name);
            continue;
        }
        let row = of_board(bsp, board, l4t, &rows, &mut text)?;
        whole &= row.lacks.is_empty();
        rows.push(row);
    }
    for name in FULL.iter().filter(|name| !bsp.join(name).is_file()) {
        let _ = writeln!(text, "  lacks {name}: what is built of it is not for a full flash");
    }
    if !whole {
        text.push_str("  this BSP is not whole: unpack NVIDIA's tarball again, or name the tarball itself\n");
    }
    let lacks = FULL.iter().filter(|name| !bsp.join(name).is_file()).map(|name| (*name).to_owned()).collect();
    let found = Found::Bsp { release: release.map(|r| r.to_string()), whole, boards: rows, lacks };
    Ok(if whole { Explained::new(text, found) } else { Explained::failed(text, found) })
}

fn of_board(
    bsp: &Path,
    board: &Board,
    l4t: &L4tBoard,
    before: &[BspBoard],
    text: &mut Text,
) -> Result<BspBoard> {
    let _ = writeln!(text, "  for board {} ({})", board.name, l4t.flash_name);
    let lacks = missing(board, l4t, bsp);
    let mut configs = Vec::new();
    let mut in_force = Vec::new();
    for path in board.boot_configs() {
        // flash.sh takes the one below t186ref; a copy in bootloader/ is overwritten by it.
        let copy = Path::new("bootloader").join(path.file_name().unwrap_or_default());
        for (file, force) in [(path.as_path(), true), (&copy, false)] {
            let full = bsp.join(file);
            if !full.is_file() {
                continue;
            }
            let bytes = carveout_host::files::read(&full)?;
            let said = MiscCfg::parse(&bytes)
                .and_then(|cfg| cfg.tzdram())
                .map(|[size, alignment]| (size, alignment));
            let what = match &said {
                Ok((size, alignment)) => {
                    format!("carve-out {}, alignment {}", human(*size), human(*alignment))
                }
                Err(error) => error.to_string().replace('\n', "; "),
            };
            let word = if force { "in force" } else { "a copy, not read by flash.sh" };
            let _ = writeln!(text, "    {} ({word}): {what}", file.display());
            let said = said.ok();
            if force {
                in_force.push(said);
            }
            configs.push(BspConfig { file: file.into(), in_force: force, tzdram: said });
        }
    }
    let differ = matches!(in_force.as_slice(), [Some(one), Some(other)] if one != other);
    if differ {
        let _ = writeln!(
            text,
            "    warning: the carve-out of cold boot is not that of flashing; image sets both to what the product config says"
        );
    }
    let image = l4t.secure_os.as_path();
    let mut secure_os = Value::Null;
    if let Ok(bytes) = carveout_host::files::read(&bsp.join(image)) {
        match secure_os::container(&bytes) {
            Ok(explained) => {
                secure_os = explained.json;
                if before.iter().any(|row| row.secure_os == secure_os) {
                    let _ = writeln!(text, "    {}: as above", image.display());
                } else {
                    let _ = writeln!(text, "    {}:", image.display());
                    text.push(&explained.text.indented().indented().indented());
                }
            }
            Err(what) => drop(writeln!(text, "    {}: {what}", image.display())),
        }
    }
    if bsp.join(&board.layout).is_file() {
        let _ = writeln!(text, "    layout {}: cargo xtask inspect shows it", board.layout.display());
    }
    for name in &lacks {
        let _ = writeln!(text, "    lacks {name}");
    }
    Ok(BspBoard {
        board: board.name.clone(),
        boot_config: configs,
        carve_outs_differ: differ,
        secure_os,
        lacks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_unpacked_bsp_lists_all_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let bsp = dir.path().join("Linux_for_Tegra");
        let put = |name: &str, text: &str| {
            let path = bsp.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("flash.sh", "");
        put("nv_tegra/bsp_version", "BSP_BRANCH=32\nBSP_MAJOR=7\nBSP_MINOR=2\n");
        let cfg = |size| format!("carveout.tzdram.size = {size};\ncarveout.tzdram.alignment = 0x100000;\n");
        put("bootloader/t186ref/BCT/tegra194-mb1-bct-misc-l4t.cfg", &cfg("0x2000000"));
        put("bootloader/t186ref/BCT/tegra194-mb1-bct-misc-flash.cfg", &cfg("0x1000000"));
        let outcome = explain(&find(dir.path()).unwrap(), &Dirs::find()).unwrap();
        let text = &outcome.text;
        assert!(outcome.failed, "{text}");
        for words in [
            "NVIDIA's BSP, L4T R32.7.2",
            "tegra194-mb1-bct-misc-l4t.cfg (in force): carve-out 32 MiB, alignment 1 MiB",
            "tegra194-mb1-bct-misc-flash.cfg (in force): carve-out 16 MiB, alignment 1 MiB",
            "warning: the carve-out of cold boot is not that of flashing",
            "lacks bootloader/tegrabct_v2",
            "lacks bootloader/t186ref/cfg/flash_t194_sdmmc.xml",
            "lacks jetson-agx-xavier-devkit.conf",
            "lacks kernel/Image",
            "this BSP is not whole",
        ] {
            assert!(text.as_str().contains(words), "{words} in {text}");
        }
        assert_eq!(outcome.json["whole"], false);
        assert_eq!(outcome.json["boards"][0]["carve_outs_differ"], true);
    }
}
