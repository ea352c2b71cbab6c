//! SD cards: what a board has on its card, written to the card itself or into an image of it, at the places that NVIDIA's own table
//! gives it; and read back.

use super::image::Given;
use crate::device::card::{self, Target};
use crate::device::package::{Package, layout_of};
use crate::device::record::Record;
use crate::errors::{BundleError, CardError};
use bundle::Manifest;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::interrupt;
use carveout_host::ui::Ui;
use gpt::disk::LogicalBlockSize;
use gpt::{GptConfig, mbr, partition_types};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tegra_flash::parted::without_device;
use tegra_flash::slots::APP;
use tegra_flash::{Device, Layout, Place};
use uuid::Uuid;

/// NVIDIA's name for the device.
pub const KIND: &str = "sdcard";
const SECTOR: u64 = 512;
/// Sectors behind the last partition: the copy of the table.
const BEHIND: u64 = 33;
/// Images end on a whole MiB.
const WHOLE: u64 = 1 << 20;
const BLOCK: usize = 1 << 20;

/// A bundle, and what is written of it to a card.
pub struct CardJob<'a> {
    package: &'a Package,
    device: Device,
    /// The bundle's own root filesystem or another one, raw.
    app: Given,
    folder: carveout_host::tools::Scratch,
}

impl<'a> CardJob<'a> {
    /// Finds all that goes to the card.
    pub fn new(package: &'a Package, app: Given) -> Result<Self> {
        let device = device(package)?;
        let manifest = &package.manifest;
        let modules = manifest.device.as_ref().map_or(&[][..], |device| &device.modules);
        for partition in &device.partitions {
            let files: Vec<_> = modules
                .iter()
                .map(|module| {
                    manifest.partition_file(&module.name, &partition.name).map(|(_, file)| &file.sha256)
                })
                .collect();
            if files.windows(2).any(|pair| pair.first() != pair.last()) {
                let modules = modules.iter().map(|module| module.name.clone()).collect();
                return Err(CardError::SeveralModules { partition: partition.name.clone(), modules }.into());
            }
        }
        let folder = carveout_host::tools::scratch("card")?;
        let module = modules.first().map(|module| module.name.as_str()).unwrap_or_default();
        package.module(module, None, folder.path())?;
        Ok(Self { package, device, app, folder })
    }

    /// Bytes of a card that holds it.
    pub fn bytes(&self) -> Result<u64> {
        Ok(end(&places(&self.device)?).next_multiple_of(WHOLE))
    }

    /// What will be written, in words.
    pub fn plan(&self) -> Result<String> {
        let mut text =
            format!("{}: a card of {} bytes or more", self.package.manifest.bundle_name(), self.bytes()?);
        for place in places(&self.device)? {
            let name = &place.partition.name;
            let what = self.source(name).map_or("empty".to_owned(), |path| {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            });
            text += &format!(
                "\n  {:>2} {name:<18} {:>12} bytes at sector {}: {what}",
                place.number,
                place.sectors * SECTOR,
                place.first
            );
        }
        Ok(text)
    }

    /// The file that a partition gets.
    fn source(&self, partition: &str) -> Option<PathBuf> {
        if APP.contains(&partition) {
            return Some(self.app.raw.clone());
        }
        let manifest = &self.package.manifest;
        let module = manifest.device.as_ref()?.modules.first()?;
        let (name, _) = manifest.partition_file(&module.name, partition)?;
        Some(self.folder.path().join(name))
    }

    /// Refuses what cannot be written to, and writes nothing.
    pub fn ensure_target(&self, path: &Path) -> Result<()> {
        let places = places(&self.device)?;
        card::is_disk(path, |file| is_card(file, &places)).map(drop)
    }

    /// Writes a card and records it.
    pub fn flash(&self, to: &str, path: &Path, folder: &Path, ui: &Ui) -> Result<Record> {
        let running = ui.start(to);
        let manifest = &self.package.manifest;
        let mut record = Record::begin(folder, "flash", to, &manifest.bundle_name(), &self.package.digest);
        record.scope = Some(KIND.into());
        record.security_version = manifest.security_version;
        let result = self.write(path, &mut record, |step| running.building(step));
        match &result {
            Ok(()) => running.done(),
            Err(_) => running.fail(),
        }
        record.end(folder, result)
    }

    fn write(&self, path: &Path, record: &mut Record, told: impl Fn(&str)) -> Result<()> {
        let places = places(&self.device)?;
        let mut step = |name: String, run: &mut dyn FnMut() -> Result<()>| {
            told(&name);
            record.step(&name, run)
        };
        let mut target = Target::open(path, self.bytes()?, |file| is_card(file, &places))?;
        let mut disk = target.disk_mut()?;
        let size = disk.seek(SeekFrom::End(0)).at(path)?;
        let empty = target.is_empty();
        // A card without a table is none: it gets its own last.
        if !empty {
            step("take the old table away".into(), &mut || zero(&mut disk, 0, WHOLE).at(path))?;
        }
        let mut written = BTreeMap::new();
        for place in &places {
            let name = &place.partition.name;
            let source = self.source(name);
            step(format!("write {name}"), &mut || {
                let digest = put((path, &mut disk), place, source.as_deref(), empty)?;
                written.insert(name.clone(), digest);
                Ok(())
            })?;
        }
        self.app.ensure_same("the card has a part of it")?;
        step("write the table".into(), &mut || {
            table(&mut disk, size, &places, disk_id(&self.package.digest))
                .map_err(|e| CardError::Table { path: path.into(), source: e.into() }.into())
        })?;
        step("sync".into(), &mut || disk.sync_all().at(path))?;
        for place in &places {
            let name = &place.partition.name;
            let Some(Some((length, digest))) = written.get(name) else { continue };
            step(format!("read {name} back"), &mut || {
                let found = digest_of(&mut disk, place.first * SECTOR, *length).at(path)?;
                if found == *digest {
                    return Ok(());
                }
                Err(CardError::ReadBackDiffers { path: path.into(), partition: name.clone() }.into())
            })?;
        }
        target.end()
    }
}

/// Whether a card is of this very bundle: by the identity of its table, and by what a running board does not write to.
pub fn is_of(package: &Package, path: &Path) -> Result<bool> {
    let device = device(package)?;
    let mut disk = card::read(path)?;
    let size = disk.seek(SeekFrom::End(0)).at(path)?;
    disk.seek(SeekFrom::Start(0)).at(path)?;
    let found = reader().open_from_device(&mut disk);
    let found = found.map_err(|e| CardError::Table { path: path.into(), source: e.to_string().into() })?;
    if *found.guid() != disk_id(&package.digest) {
        return Ok(false);
    }
    drop(found);
    let places = places(&device)?;
    let needed = end(&places);
    if size < needed {
        return Err(CardError::CutOff { path: path.into(), size, needed }.into());
    }
    let manifest = &package.manifest;
    let module = manifest.device.as_ref().and_then(|device| device.modules.first());
    for place in places {
        let name = &place.partition.name;
        let file = module.and_then(|module| manifest.partition_file(&module.name, name));
        let Some((_, file)) = file.filter(|_| !APP.contains(&name.as_str())) else { continue };
        if digest_of(&mut disk, place.first * SECTOR, file.size).at(path)? != file.sha256 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Refuses a bundle whose board has no card.
pub fn ensure_has_card(package: &Package) -> Result<()> {
    device(package).map(drop)
}

/// The layout without the card, and with the names of signed files: what is written of a board whose card is written by itself.
pub fn without_card(package: &Package, module: &str) -> Result<String> {
    let file = |name: &str| package.manifest.partition_file(module, name).map(|(file, _)| file.to_owned());
    without_device(&layout_of(package)?, KIND, file)
        .map_err(|e| CardError::Layout { source: e.into() }.into())
}

/// The card of a bundle's layout.
fn device(package: &Package) -> Result<Device> {
    let text = layout_of(package)?;
    let manifest: &Manifest = &package.manifest;
    let board = || manifest.board.clone();
    let layout =
        Layout::parse(&text).map_err(|e| BundleError::BadLayout { board: board(), source: e.into() })?;
    let found = layout.devices.into_iter().find(|device| device.kind == KIND && device.sector_size == SECTOR);
    found.ok_or_else(|| CardError::NoCard { board: board() }.into())
}

fn places(device: &Device) -> Result<Vec<Place<'_>>> {
    device.places().map_err(|e| CardError::Layout { source: e.into() }.into())
}

/// Where a card with these partitions and the copy of its table ends, in bytes.
fn end(places: &[Place]) -> u64 {
    let last = places.iter().map(|place| place.first + place.sectors).max();
    (last.unwrap_or(0) + BEHIND).saturating_mul(SECTOR)
}

/// The identity of a card's table: it tells of which bundle the card is (version 8 of RFC 9562).
fn disk_id(digest: &str) -> Uuid {
    let bytes = Sha256::digest(format!("carveout card {digest}"));
    uuid::Builder::from_custom_bytes(bytes.first_chunk().copied().unwrap_or_default()).into_uuid()
}

/// Writes a partition; what a file does not fill is zero. How many bytes count, and their SHA-256.
fn put(
    (target, disk): (&Path, &mut File),
    place: &Place,
    source: Option<&Path>,
    empty: bool,
) -> Result<Option<(u64, String)>> {
    let (start, size) = (place.first * SECTOR, place.sectors * SECTOR);
    let Some(path) = source else {
        // Nothing that was there before is taken for a filesystem or for flags.
        if !empty {
            zero(disk, start, size.min(WHOLE)).at(target)?;
        }
        return Ok(None);
    };
    let mut file = files::open(path)?;
    let mut hasher = Sha256::new();
    let (mut at, mut block) = (0, vec![0; BLOCK]);
    disk.seek(SeekFrom::Start(start)).at(target)?;
    loop {
        interrupt::check()?;
        let length = read_block(&mut file, &mut block).at(path)?;
        let Some(part) = block.get(..length).filter(|part| !part.is_empty()) else { break };
        at += length as u64;
        if at > size {
            let (partition, bytes) = (place.partition.name.clone(), at);
            let source = format!("{partition} has {size} bytes, its file {bytes} or more");
            return Err(CardError::Layout { source: source.into() }.into());
        }
        hasher.update(part);
        if empty && part.iter().all(|byte| *byte == 0) {
            disk.seek(SeekFrom::Current(length as i64)).at(target)?;
        } else {
            disk.write_all(part).at(target)?;
        }
    }
    if !empty {
        zero(disk, start + at, (size - at).min(WHOLE)).at(target)?;
    }
    Ok(Some((at, hex(hasher))))
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As much as there is, up to a whole block.
fn read_block(file: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

fn zero(disk: &mut File, start: u64, bytes: u64) -> io::Result<()> {
    disk.seek(SeekFrom::Start(start))?;
    io::copy(&mut io::repeat(0).take(bytes), disk).map(drop)
}

fn digest_of(disk: &mut File, start: u64, bytes: u64) -> io::Result<String> {
    disk.seek(SeekFrom::Start(start))?;
    let (mut hasher, mut rest, mut block) = (Sha256::new(), disk.take(bytes), vec![0; BLOCK]);
    loop {
        match read_block(&mut rest, &mut block)? {
            0 => return Ok(hex(hasher)),
            length => hasher.update(block.get(..length).unwrap_or_default()),
        }
    }
}

/// What reads the table of a card.
fn reader() -> GptConfig {
    GptConfig::new().writable(false).logical_block_size(LogicalBlockSize::Lb512)
}

/// Whether a disk has the partitions of such a card, whichever bundle they are of. The file of another disk may have a table, too.
fn is_card(disk: &mut File, places: &[Place]) -> bool {
    let Ok(table) = reader().open_from_device(disk) else { return false };
    let names: BTreeSet<&str> = table.partitions().values().map(|entry| entry.name.as_str()).collect();
    names == places.iter().map(|place| place.partition.name.as_str()).collect()
}

/// Writes both tables, for a disk of `size` bytes.
fn table(disk: &mut File, size: u64, places: &[Place], id: Uuid) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let sectors = u32::try_from(size / SECTOR - 1).unwrap_or(u32::MAX);
    disk.seek(SeekFrom::Start(0)).map_err(|e| told(&e))?;
    mbr::ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(disk).map_err(|e| told(&e))?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(disk, Some(id)).map_err(|e| told(&e))?;
    let mut entries = BTreeMap::new();
    for place in places {
        let guid = place.partition.guid.as_deref().and_then(|text| text.parse().ok());
        let entry = gpt::partition::Partition {
            // As NVIDIA's tools have it.
            part_type_guid: partition_types::BASIC,
            part_guid: guid.unwrap_or_default(),
            first_lba: place.first,
            last_lba: place.first + place.sectors - 1,
            flags: 0,
            name: place.partition.name.clone(),
        };
        entries.insert(place.number, entry);
    }
    table.update_partitions(entries).map_err(|e| told(&e))?;
    table.write().map_err(|e| told(&e)).map(drop)
}
