//! NVIDIA's BSP: its release, its carve-out, and what it lacks.

use super::explain::{Explained, container};
use crate::config::{Board, boards};
use crate::error::{At, Error, Result};
use crate::size::human;
use crate::vendor::release::Release;
use crate::workspace;
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use tegra_bct::{MiscCfg, TZDRAM_ALIGNMENT, TZDRAM_SIZE};

/// What a full flash needs besides what every BSP has.
const FULL: [&str; 2] = ["kernel/Image", "bootloader/l4t_initrd.img"];

/// The top folder of a BSP, if a folder is one or holds one.
pub fn find(path: &Path) -> Option<PathBuf> {
    let candidates = [path.to_owned(), path.join("Linux_for_Tegra")];
    candidates.into_iter().find(|dir| dir.join("flash.sh").is_file() && dir.join("bootloader").is_dir())
}

/// Explains a BSP's tree, for the L4T board that carveout knows.
pub fn explain(bsp: &Path) -> Result<Explained> {
    let root = workspace::root();
    let release = Release::of(bsp)?;
    let mut text = format!("NVIDIA's BSP, L4T {release}\n");
    let mut configs = Vec::new();
    let mut lacks: Vec<String> =
        FULL.iter().filter(|name| !bsp.join(name).is_file()).map(|n| (*n).to_owned()).collect();
    let mut images = Vec::new();
    for name in boards(&root) {
        let board = Board::load(&root, &name)?.map_err(Error::usage)?;
        let Some(l4t) = &board.l4t else { continue };
        let _ = writeln!(text, "  for board {name} ({})", l4t.flash_name);
        for path in [&board.cold_boot, &board.flash] {
            // flash.sh takes the one below t186ref; a copy in bootloader/ is overwritten by it.
            let copy = Path::new("bootloader").join(path.file_name().unwrap_or_default());
            for (file, in_force) in [(path.as_path(), true), (&copy, false)] {
                let full = bsp.join(file);
                if !full.is_file() {
                    if in_force {
                        lacks.push(file.display().to_string());
                    }
                    continue;
                }
                let bytes = fs::read(&full).at(&full)?;
                let said = MiscCfg::parse(&bytes)
                    .and_then(|cfg| Ok((cfg.get(TZDRAM_SIZE)?, cfg.get(TZDRAM_ALIGNMENT)?)));
                let shown = match &said {
                    Ok((size, alignment)) => {
                        format!("carve-out {}, alignment {}", human(*size), human(*alignment))
                    }
                    Err(error) => error.to_string().replace('\n', "; "),
                };
                let force = if in_force { "in force" } else { "a copy, not read by flash.sh" };
                let _ = writeln!(text, "    {} ({force}): {shown}", file.display());
                configs.push(json!({ "file": file, "in_force": in_force, "tzdram": said.ok(), }));
            }
        }
        let path = bsp.join(&l4t.secure_os);
        match fs::read(&path) {
            Ok(image) => match container(&image) {
                Ok((shown, value)) => {
                    let _ = write!(text, "    {}: {shown}", l4t.secure_os.display());
                    images.push(value);
                }
                Err(what) => drop(writeln!(text, "    {}: {what}", l4t.secure_os.display())),
            },
            Err(_) => lacks.push(l4t.secure_os.display().to_string()),
        }
        let _ = writeln!(text, "    layout {}: cargo xtask inspect shows it", board.layout.display());
    }
    for name in &lacks {
        let _ = writeln!(text, "  lacks {name}");
    }
    let json = json!({ "kind": "bsp", "release": release.to_string(), "boot_config": configs, "secure_os": images, "lacks": lacks });
    Ok((text, json))
}
