//! What can be done with a board.

use super::board::{Jetson, OF_SOLD_BOARDS, letter};
use super::state::{Installed, Part, Phase, Slots, State, Trial};

use crate::apps::Apps;
use crate::commands::{Done, opened, settle, settle_at_last};
use crate::config::Settings;
use crate::error::UpdateError;
use crate::journal::Journal;
use crate::update::Update;
use crate::{Common, InstallArgs, check, identity, power};
use bundle::{ExtractError, Role, UpdateArchiveError, hash_file, sha256};
use serde_json::json;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tegra_flash::payload::Payload;
use tegra_flash::update::EKS;

/// The payload, while NVIDIA's engine reads it.
const PAYLOAD: &str = "payload";
/// Bytes that stay free beside the payload.
const SPARE: u64 = 1 << 20;

/// Verifies an update and has it written to the slot that does not run.
pub fn install(board: &Jetson, args: &InstallArgs, common: &Common) -> Result<Done, UpdateError> {
    let mut journal = Journal::open(&common.state)?;
    let mut state = State::read(&common.state)?;
    let settings = Settings::read(&common.config)?;
    // A flash leaves no other word than that of the root filesystem.
    let root = identity::read(&common.sysroot)?;
    let active = state.slots.active.as_ref().map(|active| active.board.clone());
    let own =
        active.or_else(|| settings.board.clone()).or_else(|| root.as_ref().map(|root| root.board.clone()));
    let update = opened(args, common, own.as_deref())?;
    let (manifest, bundle) = (&update.archive.manifest, update.archive.manifest.bundle_name());
    if let Some(own) = own.filter(|own| *own != manifest.board) {
        return Err(UpdateError::OtherBoard { bundle, board: manifest.board.clone(), own });
    }
    let flashed = root.map_or(0, |root| root.security_version);
    let (version, had) = (manifest.security_version, state.slots.security_version.max(flashed));
    if version < had && !args.allow_downgrade {
        return Err(UpdateError::Downgrade { bundle, version, had });
    }
    let (from, boot) = (board.current()?, board.boot_id()?);
    if let Some(trial) = state.trial.as_ref().filter(|trial| trial.to == from && trial.boot != boot) {
        return Err(UpdateError::Unconfirmed { bundle: trial.installed.bundle.clone() });
    }
    let digest = update.archive.digest.clone();
    if state.trial.is_none() && state.slots.active.as_ref().is_some_and(|active| active.digest == digest) {
        let text = format!("{bundle} is in both slots already: nothing is written");
        return Ok(Done { text, json: json!({ "bundle": bundle, "written": [] }) });
    }
    power::ensure(&common.sysroot, settings.battery)?;
    let payload = unpacked(&update, &common.state)?;
    let parts = parts(board, &update, &payload, args.replace_ekb)?;
    let apps = match args.apps {
        true => Apps::prepare(&update, runs(&state, from, &boot), common)?,
        false => Apps::forget_waiting(&common.state).map(|()| Vec::new())?,
    };
    board.make_redundant(&common.state)?;
    let to = 1 - from;
    journal.note("install", &bundle)?;
    let installed = Installed {
        bundle: bundle.clone(),
        board: manifest.board.clone(),
        digest,
        security_version: version,
        parts,
    };
    let trial = Trial { installed, from, to, boot, phase: Phase::Writing };
    state.try_out(Some(trial.clone()))?;
    let written = board.write(&payload, &common.state);
    let _ = fs::remove_file(&payload);
    let proved = proved(board, &trial, written);
    if let Err(error) = proved {
        // What runs goes on to do so; the other slot is for the next try.
        board.activate(from, &common.state)?;
        state.try_out(None)?;
        journal.note("not installed", &bundle)?;
        return Err(error);
    }
    state.advance(Phase::Armed)?;
    journal.note("armed", &bundle)?;
    let slot = letter(to);
    let text = format!(
        "{bundle} is in slot {slot}: the next boot tries it, and the boot behind that goes back, unless it is confirmed"
    );
    let written: Vec<&str> = trial.installed.parts.iter().map(|part| part.partition.as_str()).collect();
    Ok(Done { text, json: json!({ "bundle": bundle, "slot": slot, "written": written, "apps": apps }) })
}

/// The digest of the bundle that runs, as far as it is known.
fn runs<'a>(state: &'a State, current: usize, boot: &str) -> Option<&'a str> {
    let tried = state.trial.as_ref().filter(|trial| trial.to == current && trial.boot != boot);
    let runs = tried.map(|trial| &trial.installed).or(state.slots.active.as_ref());
    runs.map(|installed| installed.digest.as_str())
}

/// Whether the slot holds all of the update, and boots next. What the engine said counts if it says that it failed.
fn proved(board: &Jetson, trial: &Trial, written: Result<(), UpdateError>) -> Result<(), UpdateError> {
    written?;
    if let Some(part) = board.differing(&trial.installed.parts, trial.to)? {
        return Err(UpdateError::NotWritten { partition: part.partition.clone(), slot: letter(trial.to) });
    }
    match board.metadata()?.active() == Some(trial.to) {
        true => Ok(()),
        false => Err(UpdateError::NotSwitched { slot: letter(trial.to) }),
    }
}

/// The update's payload, in a file of its own.
fn unpacked(update: &Update, folder: &Path) -> Result<PathBuf, UpdateError> {
    let wrong =
        |source: UpdateArchiveError| UpdateError::Archive { path: update.source.path().into(), source };
    let entry =
        update.archive.of_role(Role::Update).next().ok_or_else(|| wrong(UpdateArchiveError::NoUpdate))?;
    let path = folder.join(PAYLOAD);
    let failed = |source| UpdateError::Io { path: path.clone(), source };
    let _ = fs::remove_file(&path);
    let room = rustix::fs::statvfs(folder).map_err(|error| failed(error.into()))?;
    let have = room.f_bavail.saturating_mul(room.f_frsize);
    let need = entry.size + SPARE;
    if have < need {
        return Err(UpdateError::NoRoom { path: folder.into(), need, have });
    }
    let mut file = File::create_new(&path).map_err(failed)?;
    let read = update.source.for_each(&mut |name, reader| {
        if name == entry.path { io::copy(reader, &mut file) } else { io::copy(reader, &mut io::sink()) }
            .map(drop)
    });
    read.map_err(|error| wrong(error.into()))?;
    file.sync_all().map_err(failed)?;
    // The very bytes that were verified.
    if hash_file(&path).map_err(failed)?.sha256 != entry.sha256 {
        return Err(wrong(ExtractError::File(entry.path.clone()).into()));
    }
    Ok(path)
}

/// What of a payload this board writes.
fn parts(board: &Jetson, update: &Update, payload: &Path, ekb: bool) -> Result<Vec<Part>, UpdateError> {
    let bundle = update.archive.manifest.bundle_name();
    let bytes = fs::read(payload).map_err(|source| UpdateError::Io { path: payload.into(), source })?;
    let read =
        Payload::parse(&bytes).map_err(|source| UpdateError::Payload { bundle: bundle.clone(), source })?;
    if !read.entries.iter().any(|entry| board.is_module(&entry.spec)) {
        return Err(UpdateError::OtherModule { bundle, own: board.specs.join(" and ") });
    }
    if !ekb && read.entries.iter().any(|entry| entry.partition == EKS) {
        return Err(UpdateError::Ekb { bundle });
    }
    let sold = board.is_sold();
    let mine = read.entries.iter().filter(|entry| {
        (entry.spec.is_empty() || board.is_module(&entry.spec)) && (sold || entry.operation != OF_SOLD_BOARDS)
    });
    let part = |entry: &tegra_flash::payload::PayloadEntry| Part {
        partition: entry.partition.clone(),
        length: entry.data.len() as u64,
        sha256: sha256(entry.data),
    };
    let parts: Vec<Part> = mine.map(part).collect();
    let twice = |part: &&Part| parts.iter().any(|other| other.partition == part.partition && other != *part);
    match parts.iter().find(twice) {
        Some(part) => {
            let (partition, own) = (part.partition.clone(), board.specs.join(" and "));
            Err(UpdateError::SeveralModules { bundle, own, partition })
        }
        None => Ok(parts),
    }
}

/// Lets what is tried stay, if the product's checks pass. Until it does, the next boot is the old slot.
pub fn confirm(board: &Jetson, common: &Common) -> Result<Done, UpdateError> {
    let mut state = State::read(&common.state)?;
    let nothing = |text: String| Done { text, json: json!({ "confirmed": null }) };
    let (current, boot) = (board.current()?, board.boot_id()?);
    let trying = state.trial.as_ref().is_some_and(|trial| trial.to == current && trial.boot != boot);
    if !trying {
        settle_at_last(runs(&state, current, &boot), common)?;
    }
    let Some(trial) = state.trial.clone() else {
        return Ok(nothing("no update is tried: nothing is to be confirmed".into()));
    };
    let bundle = trial.installed.bundle.clone();
    if boot == trial.boot {
        return Ok(nothing(format!("{bundle} is tried by the next boot")));
    }
    let mut journal = Journal::open(&common.state)?;
    if current != trial.to {
        board.activate(current, &common.state)?;
        let written = trial.phase != Phase::Writing;
        let gone_back_from = written.then(|| bundle.clone());
        state.keep(Slots { gone_back_from, ..state.slots.clone() })?;
        state.try_out(None)?;
        journal.note("gone back", &bundle)?;
        return Ok(nothing(format!(
            "{bundle} did not stay: the device has gone back to slot {}",
            letter(current)
        )));
    }
    match trial.phase {
        Phase::Abandoned => return Err(UpdateError::Abandoned { bundle }),
        // Its other slot may be half written: there is no way back any more, and it has passed.
        Phase::Copying => {}
        Phase::Writing | Phase::Armed => {
            board.activate(trial.from, &common.state)?;
            let differing = board.differing(&trial.installed.parts, trial.to)?;
            let checked = match differing {
                Some(part) => {
                    Err(UpdateError::NotWritten { partition: part.partition.clone(), slot: letter(trial.to) })
                }
                None => settle(Some(&trial.installed.digest), common, &mut journal)
                    .and_then(|()| Settings::read(&common.config))
                    .and_then(|settings| check::all(&settings)),
            };
            if let Err(error) = checked {
                journal.note("check failed", &bundle)?;
                return Err(error);
            }
            board.activate(trial.to, &common.state)?;
            state.advance(Phase::Copying)?;
        }
    }
    board.keep(&common.state)?;
    for slot in [trial.to, trial.from] {
        if let Some(part) = board.differing(&trial.installed.parts, slot)? {
            return Err(UpdateError::NotWritten { partition: part.partition.clone(), slot: letter(slot) });
        }
    }
    let security_version = state.slots.security_version.max(trial.installed.security_version);
    state.keep(Slots { active: Some(trial.installed), gone_back_from: None, security_version })?;
    state.try_out(None)?;
    journal.note("confirmed", &bundle)?;
    Ok(Done { text: format!("{bundle} stays, and is in both slots"), json: json!({ "confirmed": bundle }) })
}

/// Gives up what is tried.
pub fn rollback(board: &Jetson, common: &Common) -> Result<Done, UpdateError> {
    let mut journal = Journal::open(&common.state)?;
    let mut state = State::read(&common.state)?;
    let Some(trial) = state.trial.clone() else { return Err(UpdateError::BothSlots) };
    let bundle = &trial.installed.bundle;
    if trial.phase == Phase::Copying {
        return Err(UpdateError::Copying { bundle: bundle.clone() });
    }
    board.activate(trial.from, &common.state)?;
    match board.current()? == trial.to {
        true => state.advance(Phase::Abandoned)?,
        false => state.try_out(None)?,
    }
    journal.note("rolled back", bundle)?;
    let slot = letter(trial.from);
    let text = format!("{bundle} is given up: the next boot is slot {slot}");
    Ok(Done { text, json: json!({ "bundle": state.slots.active.map(|active| active.bundle), "slot": slot }) })
}

/// Tells what a board has.
pub fn status(board: &Jetson, common: &Common) -> Result<Done, UpdateError> {
    let state = State::read(&common.state)?;
    let (current, metadata) = (board.current()?, board.metadata()?);
    let boots = metadata.active();
    let tried = state.trial.as_ref();
    let runs = match tried.filter(|trial| trial.to == current) {
        Some(trial) => Some(&trial.installed),
        None => state.slots.active.as_ref(),
    };
    let root = identity::read(&common.sysroot)?;
    let unknown = || "one that carveout-update has not written".to_owned();
    let name = |installed: Option<&Installed>| installed.map(|installed| installed.bundle.clone());
    let mut rows = vec![
        ("runs", format!("{}, in slot {}", name(runs).unwrap_or_else(unknown), letter(current))),
        ("next boot", boots.map_or("no slot can be booted".into(), |slot| format!("slot {}", letter(slot)))),
    ];
    if let Some(trial) = tried {
        let when = match trial.phase {
            Phase::Writing => "not written to its end",
            Phase::Armed if trial.to == current => "not confirmed yet",
            Phase::Armed => "at the next boot",
            Phase::Copying => "confirmed, and copied to the other slot",
            Phase::Abandoned => "given up with the next boot",
        };
        rows.push(("tried", format!("{}, {when}", trial.installed.bundle)));
    }
    if let Some(bundle) = &state.slots.gone_back_from {
        rows.push(("gone back", format!("from {bundle}, which was not confirmed")));
    }
    let carve_outs = board.carve_outs()?;
    for (slot, size) in carve_outs.iter().enumerate() {
        let size = size.map_or("not known".into(), |size| format!("{} MiB", size >> 20));
        rows.push(("carve-out", format!("{size}, as the boot config of slot {} asks for", letter(slot))));
    }
    if let Some(root) = &root {
        rows.push(("rootfs", format!("of {}", root.bundle)));
    }
    let security_version =
        state.slots.security_version.max(root.as_ref().map_or(0, |root| root.security_version));
    rows.push(("security", format!("{security_version}, the largest that it has had")));
    let lines: Vec<String> = rows.into_iter().map(|(what, text)| format!("{what:<10} {text}")).collect();
    let json = json!({
        "specs": board.specs,
        "runs": name(runs),
        "slot": letter(current),
        "next_slot": boots.map(letter),
        "active": state.slots.active,
        "trial": state.trial,
        "gone_back_from": state.slots.gone_back_from,
        "security_version": security_version,
        "board": runs.map(|runs| &runs.board).or(root.as_ref().map(|root| &root.board)),
        "rootfs": root,
        "tzdram": carve_outs,
    });
    Ok(Done { text: lines.join("\n"), json })
}
