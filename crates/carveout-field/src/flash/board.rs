//! One board: who it is, what it keeps, what is written, and the proof.

use super::board_job::BoardJob;
use super::card;
use super::kept;
use super::own_ekb;
use super::own_ekb::OwnEkb;
use crate::device::package::root_slots;
use crate::device::record;
use crate::device::record::Record;
use crate::device::session::{Identity, Session, identify};
use crate::device::tool::Tools;
use crate::errors::BoardError;
use carveout_host::error::Result;
use carveout_host::files::{NewFile, SECRET};
use carveout_host::tools::scratch;
use carveout_host::ui::{Running, Ui};
use std::path::{Path, PathBuf};
use tegra_flash::Scope;
use tegra_flash::slots::{MB1_BCT, SECURE_OS};

/// Partitions that are read back after a full flash: both slots of what a device would not boot without.
const PROOF: [[&str; 2]; 2] = [MB1_BCT, SECURE_OS];

/// A board that is worked on.
pub struct Board<'a> {
    /// Its record.
    pub record: Record,
    /// What is shown of it.
    pub running: &'a Running<'a>,
    dir: carveout_host::tools::Scratch,
}

impl<'a> Board<'a> {
    /// Begins with a board.
    pub fn begin(record: Record, running: &'a Running<'a>) -> Result<Self> {
        Ok(Self { record, running, dir: scratch("board")? })
    }

    /// Does a step: shown, timed and recorded.
    pub fn step<T>(&mut self, what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        self.running.building(what);
        self.record.step(what, run)
    }

    /// A folder of its own for NVIDIA's tools.
    pub fn tools(&self, folder: &str) -> Tools {
        let dir = self.dir.path().join(folder);
        Tools { dir, instance: self.record.device.clone(), log: self.record.log.clone() }
    }

    /// Finds out who the board is, and refuses one that the bundle is not for.
    pub fn identify(&mut self, job: &BoardJob) -> Result<Identity> {
        let tools = self.tools("identify");
        job.package.identify(&tools.dir)?;
        let manifest = &job.package.manifest;
        let identity = self.step("identify", || identify(&tools, manifest))?;
        self.record.board = Some(identity.id.to_string());
        self.record.chip = Some(identity.chip.text.clone());
        Ok(identity)
    }
}

/// Flashes a board and records it.
pub fn flash(job: &BoardJob, usb: &str, folder: &Path, ui: &Ui) -> Result<Record> {
    let running = ui.start(&format!("board {usb}"));
    let manifest = &job.package.manifest;
    let mut record = Record::begin(folder, "flash", usb, &manifest.bundle_name(), &job.package.digest);
    record.scope = Some(job.scope.to_string());
    record.security_version = manifest.security_version;
    let mut board = Board::begin(record, &running)?;
    let result = steps(job, &mut board, folder, ui);
    let failed = result.is_err();
    let ended = board.record.end(folder, result);
    if failed {
        running.fail()
    } else {
        running.done()
    }
    ended
}

fn steps(job: &BoardJob, board: &mut Board, folder: &Path, ui: &Ui) -> Result<()> {
    let identity = board.identify(job)?;
    ensure_allowed(job, &identity, folder)?;
    let kept = if job.keep_app { Some(keep(job, board, &identity)?) } else { None };
    let result = write(job, board, &identity, kept.as_deref(), folder, ui);
    let Some(kept) = kept else { return result };
    match result {
        Ok(()) => {
            // What was written back is not read back: this may be the only sound copy.
            ui.note(&format!(
                "board {}: the copy of its root filesystem stays in {1}; when the board works, remove it: rm {1}",
                board.record.device,
                kept.display()
            ));
            Ok(())
        }
        Err(error) => {
            let remedy = format!(
                "the board's root filesystem is safe in {0}: bring the board into recovery mode and run the command again with \
                 --app {0} instead of --keep-app",
                kept.display()
            );
            Err(error.remedy(remedy))
        }
    }
}

/// Refuses a bundle behind what the board has had, as far as this host's records know it: boards do not tell.
fn ensure_allowed(job: &BoardJob, identity: &Identity, folder: &Path) -> Result<()> {
    let (had, has) =
        (record::security_version(folder, &identity.chip.text)?, job.package.manifest.security_version);
    if has >= had || job.downgrade {
        return Ok(());
    }
    let bundle = job.package.manifest.bundle_name();
    Err(BoardError::Downgrade { bundle, had, has }.into())
}

/// Reads APP into a file, and leaves the board in recovery mode.
fn keep(job: &BoardJob, board: &mut Board, identity: &Identity) -> Result<PathBuf> {
    let tools = board.tools("keep");
    job.package.module(&identity.module, None, &tools.dir)?;
    let session = board
        .step("boot the recovery loader to read APP", || Session::boot(&tools, job.package, identity))?;
    let file = kept::file_for(job.backup_dir, &board.record)?;
    // What is read only in part is of no use, and the board has it still.
    let new = NewFile::create(&file, SECRET)?;
    board.step("read APP", || kept::read(&session, new.path(), job.app_size(), job.raw_anyway))?;
    new.publish_new()?;
    board.step("back to recovery mode", || session.recovery())?;
    Ok(file)
}

fn write(
    job: &BoardJob,
    board: &mut Board,
    identity: &Identity,
    kept: Option<&Path>,
    folder: &Path,
    ui: &Ui,
) -> Result<()> {
    let tools = board.tools("flash");
    let given = job.app.as_ref();
    let image = kept.or(given.map(|given| given.raw.as_path())).or_else(|| job.package.rootfs());
    let unchanged = |state| match (kept, given) {
        _ if job.scope == Scope::SecureOs => Ok(()),
        (Some(_), _) => Ok(()),
        (None, Some(given)) => given.ensure_same(state),
        (None, None) => job.package.ensure_same(state),
    };
    job.package.module(&identity.module, image, &tools.dir)?;
    let session = board.step("boot the recovery loader", || Session::boot(&tools, job.package, identity))?;
    unchanged("nothing has been written")?;
    match job.scope {
        Scope::SecureOs => {
            if job.encrypted() {
                board.step("carve-out not compared: encrypted", || Ok(()))?;
            } else {
                board.step("compare the carve-out", || same_carve_out(job, &session))?;
            }
            for slot in SECURE_OS {
                board.step(&format!("write {slot}"), || {
                    session.write(slot, &session.file_of(slot)?, job.bytes())
                })?;
                board.step(&format!("read {slot} back"), || session.compare(slot))?;
            }
        }
        Scope::App => {
            for (slot, file) in root_slots(job.package)? {
                board.step(&format!("write {slot}"), || session.write(slot, file, job.bytes()))?;
            }
        }
        Scope::Full => {
            let layout = job.without_card.then(|| card::without_card(job.package, &identity.module));
            let layout = layout.transpose()?;
            let (device, started) = (board.record.device.clone(), board.record.started.clone());
            let own = board.step("look for an EKB of its own", || {
                own_ekb::look(job, (&device, &started), &session, folder, ui)
            })?;
            let written = everything(job, board, &session, layout.as_deref(), own.as_ref());
            if let Some(own) = own {
                written.map_err(|error| error.with_lines(own.remedy()))?;
                own.forget();
            } else {
                written?;
            }
        }
    }
    unchanged(kept::HALF_WRITTEN)?;
    board.step("restart", || session.restart())
}

fn everything(
    job: &BoardJob,
    board: &mut Board,
    session: &Session,
    layout: Option<&str>,
    own: Option<&OwnEkb>,
) -> Result<()> {
    board.step(record::WRITE_EVERYTHING, || session.create(job.bytes(), layout))?;
    for (own, partition) in own.iter().flat_map(|own| own.partitions.iter().map(move |name| (own, name))) {
        board.step(&format!("write the EKB to {partition}"), || own.put_back(partition, session))?;
    }
    PROOF.concat().into_iter().try_for_each(|partition| {
        board.step(&format!("read {partition} back"), || session.compare(partition))
    })
}

/// The mistake that this product answers: secure-os alone, and the carve-out of the boot config stays what it was.
fn same_carve_out(job: &BoardJob, session: &Session) -> Result<()> {
    let wanted = job.package.manifest.tzdram;
    match session.carve_out()? {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(BoardError::OtherCarveOut {
            size: found.size,
            alignment: found.alignment,
            bundle_size: wanted.size(),
            bundle_alignment: wanted.alignment(),
        }
        .into()),
        None => Err(BoardError::CarveOutUnknown.into()),
    }
}
