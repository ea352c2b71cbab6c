//! Writing, switching and rolling back.

use crate::disk::{BLOCK, Disk};
use crate::error::DeviceError;
use crate::limits::{FORMAT, MAX_NUMBER};
use crate::part::{DevicePart, STATE, Slot};
use crate::state::{self, FlashState, Installed, Placed, Trial};
use crate::table::Space;
use crate::{behind, table};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, SeekFrom};
use std::sync::mpsc;
use std::thread;

/// A device that is open.
#[derive(Debug)]
pub struct Device<D> {
    disk: D,
    spaces: BTreeMap<String, Space>,
    number: u64,
    state: FlashState,
}

impl<D: Disk> Device<D> {
    /// Makes a device of a disk of `size` bytes, whose bytes are all zeros. Partitions are names with sizes in bytes.
    pub fn create(mut disk: D, size: u64, partitions: &[(String, u64)]) -> Result<Self, DeviceError> {
        table::create(&mut disk, size, partitions)?;
        disk.sync()?;
        Self::open(disk, size)
    }

    /// Opens a device on a disk of `size` bytes.
    pub fn open(mut disk: D, size: u64) -> Result<Self, DeviceError> {
        let spaces = table::read(&mut disk, size)?;
        let (number, state) = match spaces.get(STATE) {
            Some(space) => state::read(&mut disk, *space)?,
            None => (0, FlashState { format: FORMAT, ..FlashState::default() }),
        };
        Ok(Self { disk, spaces, number, state })
    }

    /// What it knows of itself.
    pub fn state(&self) -> &FlashState {
        &self.state
    }

    /// Its partitions.
    pub fn partitions(&self) -> &BTreeMap<String, Space> {
        &self.spaces
    }

    /// The slot that a part is active in: the first one before anything was flashed.
    pub fn active(&self, part: DevicePart) -> Slot {
        slot_of(self.state.active.as_ref(), part)
    }

    /// The slot that a part is used from, by what was booted.
    pub fn current(&self, part: DevicePart) -> Slot {
        slot_of(self.state.current(), part)
    }

    /// The slot that a part is written to next: the first one of a device that has nothing yet.
    pub fn spare(&self, part: DevicePart) -> Slot {
        match &self.state.active {
            Some(installed) if installed.parts.contains_key(&part) => self.active(part).other(),
            _ => Slot::A,
        }
    }

    fn space(&self, part: DevicePart, slot: Slot) -> Result<Space, DeviceError> {
        let name = part.partition(slot);
        self.spaces.get(name).copied().ok_or_else(|| DeviceError::Missing(name.into()))
    }

    /// Reads a part from where it is used: `size` bytes, or all of the partition.
    pub fn read(&mut self, part: DevicePart, size: Option<u64>) -> Result<impl Read + '_, DeviceError> {
        let space = self.space(part, self.current(part))?;
        self.disk.seek(SeekFrom::Start(space.start))?;
        Ok((&mut self.disk).take(size.unwrap_or(space.size).min(space.size)))
    }

    fn put(&mut self, state: FlashState) -> Result<(), DeviceError> {
        let space = self.spaces.get(STATE).copied().ok_or_else(|| DeviceError::Missing(STATE.into()))?;
        let number = self.number.checked_add(1).filter(|number| *number <= MAX_NUMBER);
        let number = number.ok_or(DeviceError::Number(self.number))?;
        state::write(&mut self.disk, space, number, &state)?;
        self.number = number;
        self.state = state;
        Ok(())
    }

    /// Writes a part to the slot that is not active, and proves by reading back that it is there. Nothing is switched yet, but
    /// what the slot had held can no longer be gone back to. `from` must have the announced bytes, to the last.
    pub fn write(
        &mut self,
        part: DevicePart,
        from: &mut dyn Read,
        size: u64,
        sha256: &str,
        bundle: &str,
    ) -> Result<Placed, DeviceError> {
        let slot = self.spare(part);
        let (space, partition) = (self.space(part, slot)?, part.partition(slot));
        if size > space.size {
            return Err(DeviceError::TooLarge { partition, size: space.size, wanted: size });
        }
        let keeps = |installed: &Installed| !installed.occupies(part, slot);
        let state = self.state.clone();
        let state = FlashState {
            previous: state.previous.filter(keeps),
            trial: state.trial.filter(|trial| keeps(&trial.installed)),
            ..state
        };
        if state != self.state {
            self.put(state)?;
        }
        self.disk.zero(space.start, space.size)?;
        let (found, read_back) = copy(&mut self.disk, space, from, size)?;
        if found != sha256 {
            return Err(DeviceError::Source { partition, found, expected: sha256.into() });
        }
        self.disk.sync()?;
        let (sha256, bundle) = (sha256.into(), bundle.into());
        let placed = Placed { slot, size, sha256, content: None, bundle, used: false };
        match read_back {
            Some(found) => compare(part, &placed, found)?,
            None => self.verify(part, &placed)?,
        }
        Ok(placed)
    }

    /// Notes, before a system boots from its root filesystem and may write to it, that this no longer has its checksum.
    pub fn use_app(&mut self) -> Result<(), DeviceError> {
        let slot = self.current(DevicePart::App);
        let mut state = self.state.clone();
        // Bundles of which only other parts differ share it.
        for installed in state.all_mut().filter(|installed| installed.occupies(DevicePart::App, slot)) {
            installed.parts.entry(DevicePart::App).and_modify(|placed| placed.used = true);
        }
        if state == self.state { Ok(()) } else { self.put(state) }
    }

    /// Reads a part where it was placed, and compares. What a system has written to since is only seen to be readable.
    pub fn verify(&mut self, part: DevicePart, placed: &Placed) -> Result<(), DeviceError> {
        let space = self.space(part, placed.slot)?;
        self.disk.seek(SeekFrom::Start(space.start))?;
        let found = digest_of(&mut self.disk, placed.size.min(space.size))?;
        if placed.used { Ok(()) } else { compare(part, placed, found) }
    }

    /// Makes what was written active, by one write. What was active can be gone back to.
    pub fn switch(&mut self, installed: Installed) -> Result<(), DeviceError> {
        let security_version = self.state.security_version.max(installed.security_version);
        let previous = self.state.active.clone().filter(|old| *old != installed);
        let active = Some(installed);
        self.put(FlashState { format: FORMAT, active, previous, security_version, ..FlashState::default() })
    }

    /// Lets the next boot be one of what was written. What is active stays so until this is confirmed.
    pub fn arm(&mut self, installed: Installed) -> Result<(), DeviceError> {
        let trial = Some(Trial { installed, booted: false });
        self.put(FlashState { trial, gone_back_from: None, ..self.state.clone() })
    }

    /// What is booted now: what is to be tried, once, or what is active. A boot behind an unconfirmed one goes back.
    pub fn boot(&mut self) -> Result<(), DeviceError> {
        let state = self.state.booted();
        if state == self.state { Ok(()) } else { self.put(state) }
    }

    /// The same of a device that keeps nothing of it.
    pub fn boot_unwritten(&mut self) {
        self.state = self.state.booted();
    }

    /// Makes what is tried active for good. What was active can be gone back to.
    pub fn confirm(&mut self) -> Result<(), DeviceError> {
        let trial = self.state.trial.clone().filter(|trial| trial.booted);
        self.switch(trial.ok_or(DeviceError::NothingTried)?.installed)
    }

    /// Lets the next boot be one of what is active, whatever was to be tried or is.
    pub fn abandon(&mut self) -> Result<(), DeviceError> {
        let trial = self.state.trial.clone().ok_or(DeviceError::NothingTried)?;
        let gone_back_from = Some(trial.installed.bundle);
        self.put(FlashState { trial: None, gone_back_from, ..self.state.clone() })
    }

    /// Notes a security version that the device has had under another layout.
    pub fn remember(&mut self, security_version: u32) -> Result<(), DeviceError> {
        let security_version = self.state.security_version.max(security_version);
        self.put(FlashState { security_version, ..self.state.clone() })
    }

    /// Goes back to what was active before, after a proof that it is still there. What is active now can be gone back to.
    pub fn rollback(&mut self) -> Result<(), DeviceError> {
        let previous = self.state.previous.clone().ok_or(DeviceError::NoPrevious)?;
        for (part, placed) in &previous.parts {
            self.verify(*part, placed)?;
        }
        let state = FlashState {
            active: Some(previous),
            previous: self.state.active.clone(),
            trial: None,
            ..self.state.clone()
        };
        self.put(state)
    }

    /// The disk.
    pub fn into_disk(self) -> D {
        self.disk
    }
}

/// The slot that a part of a bundle lies in: the first one if there is none.
fn slot_of(installed: Option<&Installed>, part: DevicePart) -> Slot {
    installed.and_then(|installed| installed.parts.get(&part)).map_or(Slot::A, |placed| placed.slot)
}

// Not generic, so that they are compiled here, optimized: whoever calls them is often not.

/// Copies `size` bytes, and sees whether there are more; their digest, and that of what the disk then has, if it can be read
/// meanwhile.
fn copy(
    disk: &mut dyn Disk,
    space: Space,
    from: &mut dyn Read,
    size: u64,
) -> Result<(String, Option<String>), DeviceError> {
    let Some(file) = disk.behind()? else { return Ok((pour(disk, space, from, size, &mut |_| ())?, None)) };
    thread::scope(|scope| {
        let ((told, written), (sync_told, synced)) = (mpsc::channel(), mpsc::channel());
        let file = &file;
        let syncer = scope.spawn(move || behind::sync(file, &written, &sync_told));
        let reader = scope.spawn(move || behind::digest(file, space.start, &synced));
        let poured = pour(disk, space, from, size, &mut |done| {
            // Where nobody listens any more, a thread has failed: it says so below.
            let _ = told.send(done);
        });
        drop(told);
        let panicked = |_| io::Error::other("reading back has panicked");
        let synced = syncer.join().map_err(panicked)?;
        let read_back = reader.join().map_err(panicked)?;
        synced?;
        Ok((poured?, Some(read_back?)))
    })
}

/// Copies, and tells how far it got after each piece and at the end.
fn pour(
    disk: &mut dyn Disk,
    space: Space,
    from: &mut dyn Read,
    size: u64,
    tell: &mut dyn FnMut(u64),
) -> Result<String, DeviceError> {
    let (mut digest, mut done, mut block) = (Sha256::new(), 0_u64, vec![0; BLOCK]);
    loop {
        let length = fill(from, &mut block)?;
        let bytes = block.get(..length).unwrap_or_default();
        digest.update(bytes);
        if length as u64 > size.saturating_sub(done) {
            return Ok("of more bytes than announced".into());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            disk.seek(SeekFrom::Start(space.start + done))?;
            disk.write_all(bytes)?;
        }
        done += length as u64;
        let last = length < block.len();
        if last || done.is_multiple_of(behind::PIECE) {
            tell(done);
        }
        if last {
            let whole = done == size;
            return Ok(if whole { hex::encode(digest.finalize()) } else { format!("of {done} bytes") });
        }
    }
}

fn compare(part: DevicePart, placed: &Placed, found: String) -> Result<(), DeviceError> {
    if found == placed.sha256 {
        return Ok(());
    }
    let (partition, expected) = (part.partition(placed.slot), placed.sha256.clone());
    Err(DeviceError::Contents { partition, found, expected })
}

/// SHA-256 of what a disk has from where it is.
fn digest_of(disk: &mut dyn Disk, size: u64) -> Result<String, DeviceError> {
    let (mut digest, mut block, mut reader) = (Sha256::new(), vec![0; BLOCK], io::Read::take(disk, size));
    loop {
        let length = fill(&mut reader, &mut block)?;
        digest.update(block.get(..length).unwrap_or_default());
        if length < block.len() {
            return Ok(hex::encode(digest.finalize()));
        }
    }
}

/// Fills a block as far as there are bytes.
fn fill(from: &mut dyn Read, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
