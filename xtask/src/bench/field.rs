//! What flashing and verifying cost beside `dd` and `sha256sum`, on the same bytes, in one run.

use carveout_host::error::{At, Error, Result};
use carveout_host::outcome::columns;
use carveout_host::text::Text;
use carveout_host::tools::{capture, scratch, shell};
use carveout_host::ui::Ui;
use rustix::fs::{Advice, fadvise};
use schemars::JsonSchema;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;
use virt_device::{Device, DevicePart, needed};
use xshell::cmd;

/// Bytes that are flashed, and that are verified.
const FLASHED: u64 = 512 << 20;
const VERIFIED: u64 = 2 << 30;
/// Seconds of ours to those of the peer, at most.
const FLASH_RATIO: f64 = 1.5;
const VERIFY_RATIO: f64 = 1.3;
/// Pairs of runs; the median counts.
const RUNS: usize = 3;

/// One comparison.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Comparison")]
pub struct Compared {
    /// What is done.
    what: &'static str,
    /// The other tool.
    peer: &'static str,
    /// With so many bytes.
    bytes: u64,
    /// Time of carveout.
    seconds: f64,
    /// Time of the other tool.
    peer_seconds: f64,
    /// The one divided by the other.
    ratio: f64,
    /// What is promised of that, at most.
    limit: f64,
}

impl Compared {
    /// What is promised, and whether it holds.
    pub fn verdict(&self) -> (String, bool) {
        let Self { what, peer, ratio, limit, .. } = self;
        (format!("{what}: {ratio:.2} times {peer}, at most {limit}"), ratio <= limit)
    }
}

/// Measures both. The pairs alternate, so that a host that slows down slows both.
pub fn run(ui: &Ui) -> Result<Vec<Compared>> {
    let dir = scratch("bench-field")?;
    let need = FLASHED * 4 + VERIFIED;
    let stat = rustix::fs::statvfs(dir.path()).map_err(|e| Error::io(dir.path(), &e.into()))?;
    if stat.f_bavail.saturating_mul(stat.f_frsize) < need {
        return Err(Error::environment(format!("{}: less than {need} bytes are free", dir.path().display()))
            .remedy("free some space, or name another folder in TMPDIR"));
    }
    ui.note("flashing beside dd");
    let flash = flash(dir.path())?;
    ui.note("verifying beside sha256sum");
    let verify = verify(dir.path())?;
    Ok(vec![flash, verify])
}

/// A file without zeros or repetitions that a disk could spare itself.
fn random(path: &Path, bytes: u64) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, carveout_host::files::make(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = Vec::with_capacity(1 << 16);
    for _ in 0..bytes >> 16 {
        block.clear();
        while block.len() < 1 << 16 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            block.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
        }
        out.write_all(&block).at(path)?;
    }
    out.into_inner().map_err(|e| Error::io(path, e.error()))?.sync_all().at(path)
}

/// What is in no cache is read from the disk by both.
fn forget(path: &Path) -> Result<()> {
    let file = File::open(path).at(path)?;
    fadvise(&file, 0, None, Advice::DontNeed).map_err(|e| Error::io(path, &e.into()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64())
}

fn compared(
    (what, peer): (&'static str, &'static str),
    (bytes, limit): (u64, f64),
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Compared> {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        other.push(theirs()?);
        own.push(ours()?);
    }
    let (seconds, peer_seconds) = (median(own), median(other));
    Ok(Compared { what, peer, bytes, seconds, peer_seconds, ratio: seconds / peer_seconds, limit })
}

/// A part's way to a device: written, synced, read back from the disk, compared, switched to.
fn flash(dir: &Path) -> Result<Compared> {
    let (from, to, device) = (dir.join("image"), dir.join("dd"), dir.join("device"));
    random(&from, FLASHED)?;
    let sum = bundle::hash_file(&from).at(&from)?.sha256;
    let mut partitions: Vec<(String, u64)> = ["APP", "APP_b"].map(|name| (name.to_owned(), FLASHED)).into();
    partitions.push((virt_device::STATE.into(), 1 << 20));
    let failed = |e| carveout_field::device::disk::failed(&device, e);
    let size = needed(&partitions).map_err(failed)?;
    let file = carveout_host::files::make(&device)?;
    file.set_len(size).at(&device)?;
    let mut opened = Device::create(file, size, &partitions).map_err(failed)?;
    let mut ours = || {
        forget(&from)?;
        let mut image = File::open(&from).at(&from)?;
        timed(|| {
            let placed = opened.write(DevicePart::App, &mut image, FLASHED, &sum, "bench").map_err(failed)?;
            let parts = [(DevicePart::App, placed)].into();
            let installed = virt_device::Installed {
                bundle: "bench".into(),
                board: "virt".into(),
                digest: String::new(),
                security_version: 0,
                parts,
            };
            opened.switch(installed).map_err(failed)
        })
    };
    let sh = shell(dir)?;
    let theirs = || {
        forget(&from)?;
        let _ = fs::remove_file(&to);
        timed(|| capture("dd", cmd!(sh, "dd if={from} of={to} bs=1M conv=fsync status=none")))
    };
    let compared = compared(
        ("flashing, with reading back", "dd conv=fsync"),
        (FLASHED, FLASH_RATIO),
        &mut ours,
        theirs,
    )?;
    for path in [&from, &to, &device] {
        fs::remove_file(path).at(path)?;
    }
    Ok(compared)
}

/// `verify` of a folder that has nothing but a large file: all of it is read, and what is wrong with the rest takes no time.
fn verify(dir: &Path) -> Result<Compared> {
    let folder = dir.join("bundle");
    fs::create_dir(&folder).at(&folder)?;
    let (file, manifest) = (folder.join("system.img"), folder.join(bundle::MANIFEST));
    carveout_host::files::put(&manifest, "{}")?;
    random(&file, VERIFIED)?;
    let sh = shell(dir)?;
    let sums = capture("sha256sum", cmd!(sh, "sha256sum {file}"))?;
    let sum = sums.split(' ').next().unwrap_or_default();
    let path = folder.join(bundle::SUMS);
    carveout_host::files::put(&path, format!("{sum}  system.img\n"))?;
    let ours = || {
        forget(&file)?;
        timed(|| {
            let source = bundle::Source::open(&folder).map_err(carveout_field::verify::unreadable)?;
            let verified = bundle::verify(&source).map_err(carveout_field::verify::unreadable)?;
            // Proof that it has hashed the file, and found what sha256sum finds.
            match verified.problems.iter().find(|problem| problem.file == "system.img") {
                Some(problem) => Err(Error::check(format!("{}: {}", problem.file, problem.what))),
                None => Ok(()),
            }
        })
    };
    let theirs = || {
        forget(&file)?;
        timed(|| capture("sha256sum", cmd!(sh, "sha256sum {file}")))
    };
    compared(("verifying", "sha256sum"), (VERIFIED, VERIFY_RATIO), ours, theirs)
}

/// The table.
pub fn text(all: &[Compared]) -> Text {
    let head = ["", "bytes", "time", "peer", "its time", "ratio"];
    let mut table: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
    for row in all {
        table.push(vec![
            row.what.into(),
            carveout_host::size::human(row.bytes),
            format!("{:.2} s", row.seconds),
            row.peer.into(),
            format!("{:.2} s", row.peer_seconds),
            format!("{:.2}", row.ratio),
        ]);
    }
    columns(&table)
}
