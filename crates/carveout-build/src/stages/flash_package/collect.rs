//! What is taken out of the folder that NVIDIA's tools have made.

use super::names::{LAYOUT, PARTITIONS, ROOTFS, SECURE_LAYOUT};
use crate::errors::FlashError;
use carveout_host::error::{At, Result};
use carveout_vendor::l4t;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tegra_flash::Layout;

/// What each partition gets: index, device:instance:name, start, size, file, size of the file, …
const INDEX: &str = "flash.idx";
/// How the name of the boot loader that reads an EEPROM begins.
const APPLET: &str = "nvtboot_applet";

/// A partition and the file that it gets.
pub type Written = (String, String);

/// Takes out of NVIDIA's folder what flashing needs: what its scripts and lists name, the tools, the licences. Returns what each
/// partition gets.
pub fn package(folder: &Path, bootloader: &Path, out: &Path) -> Result<Vec<Written>> {
    const LISTS: [&str; 5] = ["nvaflash.sh", "nvmflash.sh", l4t::RCM_LIST, INDEX, SECURE_LAYOUT];
    const LICENSE: &str = "LICENSE";
    const MORE: [&str; 3] = ["chkbdinfo", LAYOUT, "mksparse"];
    let mut names: BTreeSet<String> = LISTS.into_iter().chain(MORE).map(str::to_owned).collect();
    for list in LISTS {
        // A package for fused boards has other lists than one for unfused ones.
        let Ok(text) = fs::read(folder.join(list)) else { continue };
        let text = String::from_utf8_lossy(&text).into_owned();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-+".contains(c)));
        names.extend(words.filter(|word| folder.join(word).is_file()).map(str::to_owned));
    }
    let entries = fs::read_dir(bootloader).at(bootloader)?.flatten();
    names.extend(
        entries.filter_map(|e| e.file_name().into_string().ok()).filter(|name| name.starts_with(LICENSE)),
    );
    // Made anew at each flash, for the very device; a root filesystem is the bundle's own.
    names.retain(|name| {
        !name.starts_with("mbr_")
            && !name.starts_with("gpt_")
            && !name.starts_with(ROOTFS)
            && name != "mfi.log"
    });
    for name in names {
        // A package for fused boards lacks what reads an EEPROM, and the licences.
        let places = [folder.join(&name), bootloader.join(&name)];
        let to = out.join(&name);
        let general = MORE.contains(&name.as_str()) || name.starts_with(LICENSE);
        let from = places.iter().find(|path| path.is_file() && (general || path.starts_with(folder)));
        if let Some(from) = from {
            fs::copy(from, &to).at(from)?;
        }
    }
    let mut partitions = partitions(out)?;
    partitions.extend(written(out)?);
    partitions.sort();
    partitions.dedup();
    let path = out.join(PARTITIONS);
    fs::write(&path, partitions.iter().map(|(name, file)| format!("{name} {file}\n")).collect::<String>())
        .at(&path)?;
    Ok(partitions)
}

/// What each partition gets: out of the index, or out of the layout for fused boards, which names signed files. The index
/// itself has sums of partition tables in it, which are made anew each time.
fn partitions(out: &Path) -> Result<Vec<Written>> {
    let index = out.join(INDEX);
    if !index.exists() {
        let path = out.join(SECURE_LAYOUT);
        let text = fs::read_to_string(&path).at(&path)?;
        let layout = Layout::parse(&text).map_err(|e| FlashError::Layout { path, source: e.into() })?;
        let pair = |p: &tegra_flash::Partition| Some((p.name.clone(), p.file.clone()?));
        return Ok(layout
            .partitions()
            .filter_map(pair)
            .filter(|(_, file)| out.join(file).is_file())
            .collect());
    }
    let text = fs::read_to_string(&index).at(&index)?;
    fs::remove_file(&index).at(&index)?;
    let pair = |line: &str| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let name = fields.get(1)?.rsplit(':').next()?;
        Some((name.to_owned(), (*fields.get(4).filter(|file| !file.is_empty())?).to_owned()))
    };
    Ok(text.lines().filter_map(pair).filter(|(_, file)| out.join(file).is_file()).collect())
}

/// What NVIDIA's script writes besides: the boot configs.
pub fn written(out: &Path) -> Result<Vec<Written>> {
    let path = out.join("nvaflash.sh");
    let text = fs::read(&path).at(&path)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || "\";".contains(c)).collect();
    let triples = words.windows(3).filter(|words| words.first() == Some(&"--write"));
    let pair = |words: &[&str]| Some(((*words.get(1)?).to_owned(), (*words.get(2)?).to_owned()));
    Ok(triples.filter_map(pair).filter(|(_, file)| out.join(file).is_file()).collect())
}

/// What reads a module's EEPROM.
pub fn identify(folder: &Path, out: &Path) -> Result<()> {
    fs::create_dir_all(out).at(out)?;
    let entries = fs::read_dir(folder).at(folder)?.flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let applet = name.starts_with(APPLET) && (name.ends_with(".encrypt") || name.ends_with(".signed"));
        if applet || name == l4t::RCM_LIST || name.ends_with(".rcm") {
            let (from, to) = (folder.join(&name), out.join(&name));
            fs::copy(&from, &to).at(&from)?;
        }
    }
    Ok(())
}
