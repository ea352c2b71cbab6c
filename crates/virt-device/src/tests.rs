use crate::*;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::rc::Rc;
use std::sync::mpsc;

mod limits;
mod trial;
mod used;

/// A disk that may lose power at any write, sync or hole. What was not synced by then may be there or not, or half of it.
#[derive(Clone, Debug, Default)]
struct Sim(Rc<RefCell<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// What a program sees.
    seen: Vec<u8>,
    /// What is there after a power cut.
    lasting: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
    at: usize,
    done: usize,
    cut: Option<usize>,
}

impl Memory {
    fn operation(&mut self) -> io::Result<()> {
        self.done += 1;
        if self.cut.is_some_and(|cut| self.done > cut) { Err(io::Error::other("no power")) } else { Ok(()) }
    }
}

impl Sim {
    fn of(bytes: Vec<u8>, cut: Option<usize>) -> Self {
        Self(Rc::new(RefCell::new(Memory { lasting: bytes.clone(), seen: bytes, cut, ..Memory::default() })))
    }

    /// What is left when power comes back; `luck` says which of the writes that were on their way.
    fn after_the_cut(&self, mut luck: u64) -> Vec<u8> {
        let memory = self.0.borrow();
        let mut bytes = memory.lasting.clone();
        for (at, written) in &memory.pending {
            luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = match luck >> 62 {
                0 => 0,
                1 => written.len() / 2,
                _ => written.len(),
            };
            bytes[*at..at + length].copy_from_slice(&written[..length]);
        }
        bytes
    }
}

impl Read for Sim {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut memory = self.0.borrow_mut();
        let rest = memory.seen.get(memory.at..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        memory.at += length;
        Ok(length)
    }
}

impl Write for Sim {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut memory = self.0.borrow_mut();
        let at = memory.at;
        memory.pending.push((at, bytes.to_vec()));
        memory.operation()?;
        memory.seen[at..at + bytes.len()].copy_from_slice(bytes);
        memory.at += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sim {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut memory = self.0.borrow_mut();
        memory.at = match to {
            SeekFrom::Start(at) => at as usize,
            SeekFrom::End(by) => (memory.seen.len() as i64 + by) as usize,
            SeekFrom::Current(by) => (memory.at as i64 + by) as usize,
        };
        Ok(memory.at as u64)
    }
}

impl Disk for Sim {
    fn sync(&mut self) -> io::Result<()> {
        let mut memory = self.0.borrow_mut();
        memory.operation()?;
        memory.lasting = memory.seen.clone();
        memory.pending.clear();
        Ok(())
    }
}

fn layout() -> Vec<(String, u64)> {
    let sizes = [("MB1_BCT", 64), ("secure-os", 128), ("APP", 600)];
    let slots = sizes
        .into_iter()
        .flat_map(|(name, kib)| [(name.into(), kib << 10), (format!("{name}_b"), kib << 10)]);
    slots.chain([(STATE.to_owned(), 128 << 10)]).collect()
}

fn blank() -> Vec<u8> {
    vec![0; needed(&layout()).unwrap() as usize]
}

fn sha(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Contents of a bundle: other ones for each version.
fn contents(version: u8) -> BTreeMap<DevicePart, Vec<u8>> {
    let mut app = vec![version; 600 << 10];
    // Holes at both ends and in between.
    app[..300 << 10].fill(0);
    app[590 << 10..].fill(0);
    BTreeMap::from([
        (DevicePart::BootConfig, vec![version; 100]),
        (DevicePart::SecureOs, vec![version.wrapping_add(1); 100_000]),
        (DevicePart::App, app),
    ])
}

fn update(device: &mut Device<Sim>, version: u8, parts: &[DevicePart]) -> Result<(), DeviceError> {
    let installed = write(device, version, parts)?;
    device.switch(installed)
}

/// Writes parts of a bundle; the others stay.
fn write(device: &mut Device<Sim>, version: u8, parts: &[DevicePart]) -> Result<Installed, DeviceError> {
    let bundle = format!("bundle-{version}");
    let old = device.state().active.as_ref().map(|installed| installed.parts.clone());
    let mut placed = old.unwrap_or_default();
    for (part, bytes) in contents(version).into_iter().filter(|(part, _)| parts.contains(part)) {
        let made = device.write(part, &mut &bytes[..], bytes.len() as u64, &sha(&bytes), &bundle)?;
        placed.insert(part, made);
    }
    let digest = sha(&[version]);
    let security_version = u32::from(version);
    Ok(Installed { bundle, digest, security_version, board: "virt".into(), parts: placed })
}

fn open(bytes: Vec<u8>, cut: Option<usize>) -> (Sim, Device<Sim>) {
    let (sim, size) = (Sim::of(bytes.clone(), cut), bytes.len() as u64);
    (sim.clone(), Device::open(sim, size).unwrap())
}

/// A device with a bundle that was flashed whole.
fn flashed(versions: &[u8]) -> Vec<u8> {
    let sim = Sim::of(blank(), None);
    let mut device = Device::create(sim.clone(), blank().len() as u64, &layout()).unwrap();
    for version in versions {
        update(&mut device, *version, &PARTS).unwrap();
    }
    sim.0.borrow().lasting.clone()
}

/// What a device serves, each part compared with what it should be.
fn serves(device: &mut Device<Sim>) -> String {
    let current = device.state().current().cloned().unwrap();
    for (part, placed) in &current.parts {
        device.verify(*part, placed).unwrap();
        let mut bytes = Vec::new();
        device.read(*part, Some(placed.size)).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(sha(&bytes), placed.sha256);
    }
    current.bundle
}

#[test]
fn a_new_device_takes_bundles_and_goes_back() {
    let mut device = open(flashed(&[1, 2]), None).1;
    assert_eq!(serves(&mut device), "bundle-2");
    device.rollback().unwrap();
    assert_eq!(serves(&mut device), "bundle-1");
    assert_eq!(device.state().security_version, 2, "what must not come back is not forgotten");
    device.rollback().unwrap();
    assert_eq!(serves(&mut device), "bundle-2");
    update(&mut device, 3, &PARTS).unwrap();
    device.rollback().unwrap();
    assert_eq!(serves(&mut device), "bundle-2");
}

#[test]
fn some_parts_change_and_the_others_stay() {
    let mut device = open(flashed(&[1]), None).1;
    update(&mut device, 2, &[DevicePart::SecureOs]).unwrap();
    assert_eq!((device.active(DevicePart::SecureOs), device.active(DevicePart::App)), (Slot::B, Slot::A));
    update(&mut device, 3, &PARTS).unwrap();
    assert_eq!((device.active(DevicePart::SecureOs), device.active(DevicePart::App)), (Slot::A, Slot::B));
    device.rollback().unwrap();
    assert_eq!(serves(&mut device), "bundle-2");
}

/// Power goes at each operation of an update, with some luck of what was on its way.
#[test]
fn whenever_power_goes_a_device_has_one_bundle_whole() {
    let before = flashed(&[1, 2]);
    let (sim, mut device) = open(before.clone(), None);
    let start = sim.0.borrow().done;
    update(&mut device, 3, &PARTS).unwrap();
    let operations = sim.0.borrow().done - start;
    assert!(operations > 20, "{operations}");
    let mut seen = BTreeMap::<String, u32>::new();
    for cut in 0..operations {
        for luck in 0..4 {
            let (sim, mut device) = open(before.clone(), Some(cut));
            assert!(update(&mut device, 3, &PARTS).is_err());
            let mut after = open(sim.after_the_cut(luck + 97 * cut as u64), None).1;
            let bundle = serves(&mut after);
            *seen.entry(bundle.clone()).or_default() += 1;
            // What it says that it can go back to is there, too.
            if after.state().previous.is_some() {
                after.rollback().unwrap();
                serves(&mut after);
                after.rollback().unwrap();
            }
            update(&mut after, 3, &PARTS).unwrap();
            assert_eq!(serves(&mut after), "bundle-3");
        }
    }
    assert!(seen["bundle-2"] > seen["bundle-3"] && !seen.contains_key("bundle-1"), "{seen:?}");
}

#[test]
fn a_rollback_that_loses_power_has_one_bundle_whole() {
    let before = flashed(&[1, 2]);
    for cut in 0..2 {
        for luck in 0..20 {
            let (sim, mut device) = open(before.clone(), Some(cut));
            assert!(device.rollback().is_err());
            let mut after = open(sim.after_the_cut(luck), None).1;
            let bundle = serves(&mut after);
            assert!(["bundle-1", "bundle-2"].contains(&bundle.as_str()));
        }
    }
}

#[test]
fn a_damaged_slot_is_not_gone_back_to() {
    let mut bytes = flashed(&[1, 2]);
    let device = open(bytes.clone(), None).1;
    let space = device.partitions()[DevicePart::SecureOs.partition(Slot::A)];
    bytes[space.start as usize + 5] ^= 1;
    let mut device = open(bytes, None).1;
    let error = device.rollback().unwrap_err();
    assert!(matches!(error, DeviceError::Contents { partition: "secure-os", .. }), "{error}");
    assert_eq!(serves(&mut device), "bundle-2");
}

#[test]
fn other_contents_than_announced_are_not_switched_to() {
    let mut device = open(flashed(&[1]), None).1;
    let bytes = [7; 100];
    let wrong = [(100, sha(b"other")), (99, sha(&bytes)), (101, sha(&bytes))];
    for (size, sha256) in wrong {
        let error = device.write(DevicePart::BootConfig, &mut &bytes[..], size, &sha256, "x").unwrap_err();
        assert!(matches!(error, DeviceError::Source { .. }), "{size}: {error}");
    }
    let error = device.write(DevicePart::BootConfig, &mut io::empty(), 65537, &sha(b""), "x").unwrap_err();
    assert_eq!(error.to_string(), "partition MB1_BCT_b has 65536 bytes, 65537 are to be written");
    assert_eq!(serves(&mut device), "bundle-1");
}

#[test]
fn what_is_no_device_is_refused() {
    let size = blank().len() as u64;
    for bytes in [Vec::new(), vec![0; 512], blank(), vec![0xff; blank().len()]] {
        let length = bytes.len() as u64;
        assert!(matches!(Device::open(Sim::of(bytes, None), length), Err(DeviceError::NoTable(_))));
    }
    let error = Device::create(Sim::of(blank(), None), size - 1, &layout()).unwrap_err();
    assert!(matches!(error, DeviceError::TooSmall { .. }), "{error}");
    // A table that says what cannot be makes no panic.
    let good = flashed(&[1]);
    for at in (0..4096).filter(|at| good[*at] != 0) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        if let Ok(mut device) = Device::open(Sim::of(bad, None), size) {
            serves(&mut device);
        }
    }
}

#[test]
fn a_later_state_is_refused_and_a_damaged_one_is_not_believed() {
    let bytes = flashed(&[1, 2]);
    let (sim, device) = open(bytes.clone(), None);
    let space = device.partitions()[STATE];
    let text = String::from_utf8_lossy(&bytes[space.start as usize..][..128 << 10]).into_owned();
    assert_eq!(text.matches("\"format\":1").count(), 2);
    // Either block alone is enough to know a bundle.
    for block in 0..2 {
        let mut damaged = sim.0.borrow().lasting.clone();
        damaged[space.start as usize + (block << 16) + 60] ^= 1;
        let mut device = open(damaged, None).1;
        assert!(serves(&mut device).starts_with("bundle-"));
    }
    let mut later = device.state().clone();
    later.format = 2;
    let mut disk = Sim::of(bytes.clone(), None);
    crate::state::write(&mut disk, space, 99, &later).unwrap();
    let size = bytes.len() as u64;
    assert!(matches!(Device::open(disk, size), Err(DeviceError::Format(2))));
}

#[test]
fn a_file_is_a_disk() {
    let file = tempfile::tempfile().unwrap();
    let size = needed(&layout()).unwrap();
    file.set_len(size).unwrap();
    let mut device = Device::create(file, size, &layout()).unwrap();
    let bytes = contents(1);
    let app = &bytes[&DevicePart::App];
    let placed = device.write(DevicePart::App, &mut &app[..], app.len() as u64, &sha(app), "x").unwrap();
    // Less than before is written over it: nothing of the old contents is left behind.
    device.write(DevicePart::App, &mut &b"short"[..], 5, &sha(b"short"), "x").unwrap();
    assert!(device.verify(DevicePart::App, &placed).is_err());
    let mut all = Vec::new();
    device.read(DevicePart::App, None).unwrap().read_to_end(&mut all).unwrap();
    assert!(all.starts_with(b"short") && all[5..].iter().all(|byte| *byte == 0));
    assert_eq!(all.len(), 600 << 10);
}

/// What is read back behind the writer is what the file has, piece by piece.
#[test]
fn reading_behind_the_writer_digests_what_the_file_has() {
    let mut file = tempfile::tempfile().unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    file.write_all(&bytes).unwrap();
    let digest = |start: usize, told: &[u64]| {
        let ((tell, written), (sync, synced)) = (mpsc::channel(), mpsc::channel());
        told.iter().for_each(|end| tell.send(*end).unwrap());
        drop(tell);
        behind::sync(&file, &written, &sync).unwrap();
        drop(sync);
        behind::digest(&file, start as u64, &synced)
    };
    let expected = |range: std::ops::Range<usize>| hex::encode(Sha256::digest(&bytes[range]));
    assert_eq!(digest(0, &[1, 300_000, 300_000, 3_000_000]).unwrap(), expected(0..3_000_000));
    assert_eq!(digest(777, &[2_000_000]).unwrap(), expected(777..2_000_777));
    assert_eq!(digest(0, &[0]).unwrap(), expected(0..0));
    assert!(digest(0, &[3_000_001]).is_err(), "a file that is too short is an error");
}
