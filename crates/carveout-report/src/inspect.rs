//! `inspect`: explains what people have in their hands: bundles, BSPs, images, boot configs, parts of boards and their files.
//!
//! One module for each family of formats. What a file is, its content says; its name never does.

mod boot_config;
mod bundle;
mod device;
mod explained;
pub mod found;
mod parts;
pub mod rows;
pub mod secure_os;
mod signed;
mod storage;
mod text;

pub use explained::Explained;

use crate::errors::InspectError;
use carveout_field::device::disk;
use carveout_host::error::{At, Result};
use carveout_host::outcome::Outcome;
use carveout_host::tools::read_limited;
use std::io::Read;
use std::path::Path;
use tegra_bct::mb1;
use tegra_flash::Ekb;
use tegra_flash::filesystem::HEAD;

/// Largest file that is read whole: a secure-os image, an ELF file, a config.
const MAX_FILE: u64 = 64 << 20;

/// Explains `path`, or the virt device in `virt:FILE`.
pub fn run(path: &Path) -> Result<Outcome> {
    let virt = path.to_str().and_then(disk::file);
    let explained = match virt {
        Some(file) => device::explain(file)?,
        None => explain(path)?,
    };
    Ok(explained.outcome(path))
}

fn explain(path: &Path) -> Result<Explained> {
    let metadata =
        std::fs::metadata(path).map_err(|source| InspectError::Unreadable { path: path.into(), source })?;
    if metadata.is_dir() {
        let kind = "a folder, neither a bundle's nor NVIDIA's BSP";
        return bundle::explain(path)?
            .ok_or_else(|| InspectError::NotRecognised { path: path.into(), kind }.into());
    }
    let mut head = Vec::new();
    if metadata.is_file() {
        let file = carveout_host::files::open(path)?;
        file.take(HEAD as u64).read_to_end(&mut head).at(path)?;
    }
    if head.starts_with(&::bundle::ARCHIVE_MAGIC)
        && let Some(found) = bundle::explain(path)?
    {
        return Ok(found);
    }
    // A device is a disk with a partition table, and more than that only if it has our partitions.
    if head.get(512..520) == Some(b"EFI PART")
        && let Ok(found) = device::explain(path)
    {
        return Ok(found);
    }
    if let Some(found) = storage::head(path, &head, metadata.len()) {
        return Ok(found);
    }
    if metadata.len() > MAX_FILE
        && let Some(found) = storage::other(&head, metadata.len())
    {
        return Ok(found);
    }
    let bytes = read_limited(path, MAX_FILE)?;
    let found = content(path, &bytes)?.or_else(|| storage::other(&head, metadata.len()));
    found.ok_or_else(|| InspectError::NotRecognised { path: path.into(), kind: kind_of(&bytes) }.into())
}

/// What a file's whole content says.
fn content(path: &Path, bytes: &[u8]) -> Result<Option<Explained>> {
    if bytes.starts_with(b"NVTOSP") {
        return secure_os::image(path, bytes).map(Some);
    }
    if bytes.starts_with(b"NVDA") {
        return signed::t194(path, bytes).map(Some);
    }
    if bytes.starts_with(b"GSHV") {
        return signed::t186(path, bytes).map(Some);
    }
    if bytes.starts_with(b"\x7fELF") {
        return secure_os::elf(path, bytes).map(Some);
    }
    if Ekb::looks_like(bytes) {
        return parts::ekb(path, bytes);
    }
    // An MB1 BCT before it is signed has no mark but its length; one that a tool made empty has its name alone.
    if mb1::is_bct(bytes) || is_bct(path) {
        return boot_config::mb1_bct(path, bytes).map(Some);
    }
    let found = parts::eeprom(bytes)
        .or_else(|| parts::erased(bytes))
        .or_else(|| parts::blob(bytes))
        .or_else(|| parts::generated(bytes))
        .or_else(|| storage::device_tree(bytes));
    if found.is_some() {
        return Ok(found);
    }
    if let Some(found) = text::explain(path, bytes)? {
        return Ok(Some(found));
    }
    Ok(secure_os::kernel(bytes).or_else(|| parts::boot_part(bytes)))
}

fn is_bct(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.starts_with("mb1_") && name.ends_with(".bct")
}

fn kind_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        bytes if std::str::from_utf8(bytes).is_ok() => "a text",
        _ => "a binary file",
    }
}

#[cfg(test)]
mod tests;
