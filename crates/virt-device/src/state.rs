//! The flash state: what is active, what was before, and what must not come back.
//!
//! It lies twice at the beginning of its partition, in blocks of 64 KiB: 8 bytes `carveout`, a `u64` sequence number, a
//! `u32` length (both little endian), the SHA-256 of number and text, the text in JSON. The block with the larger number is
//! the state; the other one is what is written next. A torn write leaves a block whose digest does not fit, and the other.

use crate::disk::Disk;
use crate::error::DeviceError;
use crate::limits::{FORMAT, MAX_NUMBER};
use crate::part::{DevicePart, Slot};
use crate::table::Space;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, SeekFrom};

const MAGIC: &[u8; 8] = b"carveout";
const BLOCK: u64 = 64 << 10;
const HEADER: usize = 8 + 8 + 4 + 32;

/// What a device knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlashState {
    /// [`FORMAT`].
    pub format: u32,
    /// What is active; none before the first flash has ended.
    pub active: Option<Installed>,
    /// What was active before, and is still there.
    pub previous: Option<Installed>,
    /// The largest security version that has been active.
    pub security_version: u32,
    /// What an update has written, and nobody has confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// The bundle of the last update that was not confirmed in time, so that the device has gone back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_back_from: Option<String>,
}

/// A bundle that is booted once. Unless it is confirmed then, the next boot is that of what is active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trial {
    /// What is tried.
    pub installed: Installed,
    /// Whether it was booted.
    pub booted: bool,
}

/// A bundle on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Installed {
    /// Its name.
    pub bundle: String,
    /// The board that it is for.
    pub board: String,
    /// SHA-256 of its manifest.
    pub digest: String,
    /// Its security version.
    pub security_version: u32,
    /// Where its parts lie.
    pub parts: BTreeMap<DevicePart, Placed>,
}

/// A part on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Placed {
    /// Where.
    pub slot: Slot,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: String,
    /// SHA-256 of it without what it says of its bundle; none if it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The bundle that it has come with.
    pub bundle: String,
    /// Whether it was booted from so that it may have changed since: then it is kept as it is, and not compared with the checksum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub used: bool,
}

impl Placed {
    /// What tells it from others: of a root filesystem not what it says of its bundle.
    pub fn content(&self) -> &str {
        self.content.as_ref().unwrap_or(&self.sha256)
    }
}

impl Installed {
    /// Whether a part of it lies in this slot.
    pub fn occupies(&self, part: DevicePart, slot: Slot) -> bool {
        self.parts.get(&part).is_some_and(|placed| placed.slot == slot)
    }
}

impl FlashState {
    /// What runs, or ran last: what is tried, once it was booted, or what is active.
    pub fn current(&self) -> Option<&Installed> {
        let tried = self.trial.as_ref().filter(|trial| trial.booted);
        tried.map(|trial| &trial.installed).or(self.active.as_ref())
    }

    /// What it is when the device has booted.
    pub(crate) fn booted(&self) -> Self {
        let trial = match self.trial.clone() {
            Some(trial) if trial.booted => {
                let gone_back_from = Some(trial.installed.bundle);
                return Self { trial: None, gone_back_from, ..self.clone() };
            }
            trial => trial.map(|trial| Trial { booted: true, ..trial }),
        };
        Self { trial, ..self.clone() }
    }

    /// All bundles of which parts are kept.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Installed> {
        let tried = self.trial.iter_mut().map(|trial| &mut trial.installed);
        self.active.iter_mut().chain(&mut self.previous).chain(tried)
    }
}

/// The state with its number; the first one if there is none yet.
pub fn read(disk: &mut dyn Disk, space: Space) -> Result<(u64, FlashState), DeviceError> {
    let mut newest: Option<(u64, Vec<u8>)> = None;
    for index in 0..2 {
        if let Some(block) = block(disk, space, index)?
            && newest.as_ref().is_none_or(|(number, _)| block.0 > *number)
        {
            newest = Some(block);
        }
    }
    let Some((number, text)) = newest else {
        return Ok((0, FlashState { format: FORMAT, ..FlashState::default() }));
    };
    if number > MAX_NUMBER {
        return Err(DeviceError::Number(number));
    }
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let wrong = |e: serde_json::Error| DeviceError::NoTable(format!("its flash state: {e}"));
    let head: Head = serde_json::from_slice(&text).map_err(wrong)?;
    if head.format != FORMAT {
        return Err(DeviceError::Format(head.format));
    }
    Ok((number, serde_json::from_slice(&text).map_err(wrong)?))
}

/// A block whose digest fits.
fn block(disk: &mut dyn Disk, space: Space, index: u64) -> Result<Option<(u64, Vec<u8>)>, DeviceError> {
    if space.size < (index + 1) * BLOCK {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    disk.seek(SeekFrom::Start(space.start + index * BLOCK))?;
    io::Read::take(&mut *disk, BLOCK).read_to_end(&mut bytes)?;
    let parse = || {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let text = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let number = u64::from_le_bytes(*number);
        (*digest == digest_of(number, text)).then(|| (number, text.to_vec()))
    };
    Ok(parse())
}

fn digest_of(number: u64, text: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(number.to_le_bytes()).chain_update(text).finalize().into()
}

/// Writes a state over the older one, so that it lasts.
pub fn write(disk: &mut dyn Disk, space: Space, number: u64, state: &FlashState) -> Result<(), DeviceError> {
    let text = serde_json::to_vec(state).map_err(|e| DeviceError::NoTable(e.to_string()))?;
    let room = BLOCK as usize - HEADER;
    if text.len() > room || space.size < 2 * BLOCK {
        return Err(DeviceError::LargeState(text.len()));
    }
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let block =
        [&MAGIC[..], &number.to_le_bytes(), &length.to_le_bytes(), &digest_of(number, &text), &text].concat();
    disk.seek(SeekFrom::Start(space.start + number % 2 * BLOCK))?;
    disk.write_all(&block)?;
    disk.sync()?;
    Ok(())
}
