//! Small parts of a board: its key blob, its module's EEPROM, firmware, what NVIDIA's tools generate.

use super::explained::Explained;
use super::found::Found;
use super::rows::{Bup, CarveOutRead, OfSize, PayloadPart};
use crate::errors::InspectError;
use bundle::sha256;
use carveout_host::error::Result;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::collections::BTreeSet;
use std::path::Path;
use tegra_bct::mb1;
use tegra_bct::signed::Signed;
use tegra_flash::eeprom::blank;
use tegra_flash::payload::{Payload, PayloadEntry};
use tegra_flash::slots::MB1_BCT;
use tegra_flash::{Eeprom, EepromError, Ekb, firmware};

/// Bytes of a boot ROM BCT of t194.
const BR_BCT: usize = 2888;
/// NVIDIA's container of several images: a bootloader update payload or pictures.
const BLOB: &[u8] = b"NVIDIA__BLOB__V";
/// Bytes of the name in an entry, and of an entry in version 2 and in version 3 (of later releases).
const NAME: usize = 40;
const ENTRY: [(u8, usize); 2] = [(b'2', 120), (b'3', 184)];
/// The version that L4T R32 writes.
const FORMAT: u8 = b'2';
/// More entries than any payload has.
const MOST: u32 = 4096;

/// An encrypted key blob.
pub fn ekb(path: &Path, bytes: &[u8]) -> Result<Option<Explained>> {
    let ekb = match Ekb::parse(bytes) {
        None => return Ok(None),
        Some(result) => {
            result.map_err(|e| InspectError::WrongKeyBlob { path: path.into(), source: e.into() })?
        }
    };
    let keys = ekb.sample_keys();
    let verdict = match keys {
        Some(keys) => format!(
            "{keys} keys, encrypted with NVIDIA's default test key (KEK2 of a device without fuses, NVIDIA's vector): they are no secret. \
             Make one of your own with `ekb new` before the product ships"
        ),
        None => "not encrypted with NVIDIA's default test key".into(),
    };
    let text =
        Text::block(&format!("encrypted key blob (EKB, partition eks), {} bytes\n  {verdict}\n", ekb.size));
    Ok(Some(Explained::new(text, Found::Ekb { size: ekb.size, nvidias_default: keys.is_some() })))
}

/// A module's EEPROM. That it is blank or damaged is a check that failed.
pub fn eeprom(bytes: &[u8]) -> Option<Explained> {
    if !Eeprom::looks_like(bytes) {
        return None;
    }
    let found = match Eeprom::parse(bytes) {
        Ok(found) => found,
        Err(error) => {
            let blank = matches!(error, EepromError::Blank(_));
            let text = Text::block(&format!(
                "EEPROM of a Jetson module, 256 bytes\n  {error}\n  flash refuses such a board: which module it is would be a guess\n"
            ));
            return Some(Explained::failed(text, Found::BadEeprom { blank, error: error.to_string() }));
        }
    };
    let known = match (found.id.check(), found.id.name()) {
        (Err(error), _) => error.to_string(),
        (Ok(()), Some(name)) => name.into(),
        (Ok(()), None) => "a module whose name is not known".into(),
    };
    let text = Text::block(&format!(
        "EEPROM of a Jetson module, 256 bytes, its checksum holds\n  part number  {}\n  module       {}\n  {known}\n",
        found.part_number, found.id
    ));
    let found = Found::Eeprom { blank: false, part_number: found.part_number, module: found.id };
    Some(Explained::new(text, found))
}

/// Firmware, by what is in it.
pub fn boot_part(bytes: &[u8]) -> Option<Explained> {
    let found = firmware::identify(bytes)?;
    let partition = found.partition.map_or("no partition".into(), |name| format!("partition {name}"));
    let text = Text::block(&format!(
        "{}, {} bytes, without a header of signing tools; {partition}\n",
        found.name,
        bytes.len()
    ));
    Some(Explained::new(
        text,
        Found::Firmware { name: found.name, partition: found.partition, size: bytes.len() },
    ))
}

/// What NVIDIA's tools generate while they sign.
pub fn generated(bytes: &[u8]) -> Option<Explained> {
    let word = |index: usize| {
        let bytes = bytes.get(4 * index..4 * index + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let one = |what: &str, kind: fn(OfSize) -> Found| {
        let text = Text::block(&format!("{what}, {} bytes\n", bytes.len()));
        Some(Explained::new(text, kind(OfSize { size: bytes.len() })))
    };
    // The first word of these is their length.
    let own_length = word(0).is_some_and(|length| length as usize == bytes.len());
    let zeros = bytes.get(4..64).is_some_and(|b| b.iter().all(|b| *b == 0));
    // A backup table: its header is the device's last sector.
    if bytes.last_chunk::<512>().is_some_and(|sector| sector.starts_with(b"EFI PART")) {
        return one("partition table by itself (GPT, the copy at a device's end)", Found::GptBackup);
    }
    if bytes.starts_with(b"\0NBC") {
        return one("slot metadata (SMD): which slot is booted, and how often it is tried", Found::Smd);
    }
    if own_length && zeros && bytes.len() == BR_BCT {
        return one("boot ROM BCT (BR-BCT, partition BCT)", Found::BrBct);
    }
    if own_length && zeros {
        return one("message for the boot ROM in recovery mode (RCM)", Found::Rcm);
    }
    // The layout's version, 1.0000 as an integer, and its number of devices.
    if word(0) == Some(10_000) && word(1).is_some_and(|devices| (1..16).contains(&devices)) {
        return one("partition layout in NVIDIA's binary form (flash.xml.bin)", Found::LayoutBin);
    }
    None
}

/// NVIDIA's blob: an update payload or pictures.
pub fn blob(bytes: &[u8]) -> Option<Explained> {
    let version = *bytes.strip_prefix(BLOB)?.first()?;
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let (size, header, entries, kind) = (word(20)?, word(24)?, word(28)?, word(32)?);
    if kind != 0 {
        let text = Text::block(&format!(
            "pictures that the boot loader shows (NVIDIA blob), {entries} of them, {size} bytes\n"
        ));
        return Some(Explained::new(text, Found::BmpBlob { entries, size }));
    }
    let step = ENTRY.iter().find(|(digit, _)| *digit == version).map(|(_, bytes)| *bytes);
    let (mut partitions, mut specs) = (BTreeSet::new(), BTreeSet::new());
    for index in 0..entries.min(MOST) as usize {
        let at = header as usize + index.saturating_mul(step.unwrap_or(usize::MAX));
        let Some(entry) = step.and_then(|step| bytes.get(at..at.checked_add(step)?)) else { break };
        let text =
            |bytes: &[u8]| bytes.split(|b| *b == 0).next().unwrap_or_default().escape_ascii().to_string();
        partitions.insert(text(entry.get(..NAME).unwrap_or_default()));
        let spec = text(entry.get(NAME + 16..).unwrap_or_default());
        if !spec.is_empty() {
            specs.insert(spec);
        }
    }
    let mut out = Text::block(&format!("bootloader update payload (BUP), {entries} entries, {size} bytes\n"));
    for name in &partitions {
        let _ = writeln!(out, "  partition    {name}");
    }
    for spec in &specs {
        let _ = writeln!(out, "  module       {spec}");
    }
    let mut found = Bup { entries, size, partitions, modules: specs, parts: Vec::new(), damage: None };
    // Of later releases no more is told than that.
    if version != FORMAT {
        return Some(Explained::new(out, Found::Bup(found)));
    }
    match Payload::parse(bytes) {
        Ok(payload) => {
            found.parts = payload.entries.iter().map(part).collect();
            let carve_outs = found.parts.iter().filter_map(|part| Some((part, part.tzdram?)));
            for (part, tzdram) in carve_outs {
                let _ = writeln!(out, "  carve-out    {} for {}", human(tzdram.size), part.module);
            }
            Some(Explained::new(out, Found::Bup(found)))
        }
        Err(error) => {
            let _ = writeln!(out, "  damaged      it {error}");
            found.damage = Some(error.to_string());
            Some(Explained::failed(out, Found::Bup(found)))
        }
    }
}

/// What is told of a part of a payload.
fn part(entry: &PayloadEntry) -> PayloadPart {
    let carve_out = |data| mb1::read(Signed::parse(data)?.content).ok();
    let tzdram = if entry.partition == MB1_BCT[0] { carve_out(entry.data) } else { None };
    PayloadPart {
        partition: entry.partition.clone(),
        module: entry.spec.clone(),
        version: entry.version,
        operation: entry.operation,
        size: entry.data.len(),
        sha256: sha256(entry.data),
        tzdram: tzdram.map(|found| CarveOutRead { size: found.size, alignment: found.alignment }),
    }
}

/// A file of nothing but one byte, as a partition is erased to.
pub fn erased(bytes: &[u8]) -> Option<Explained> {
    let byte = blank(bytes)?;
    let text = Text::block(&format!(
        "{} bytes of 0x{byte:02x}: an erased partition or a placeholder\n",
        bytes.len()
    ));
    Some(Explained::new(text, Found::Blank { byte, size: bytes.len() }))
}
