//! What can be done with a device.

use crate::apps::Apps;
use crate::channel::{self, Wanted};
use crate::config::{Settings, check_signature};
use crate::disk::Opened;
use crate::download::{self, Downloads};
use crate::error::UpdateError;
use crate::jetson::{self, Jetson};
use crate::journal::Journal;
use crate::update::Update;
use crate::{Common, InstallArgs, check, identity, power};
use bundle::{ExtractError, FileEntry, Role, Source, SourceError, UpdateArchive};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use virt_device::{DevicePart, FlashState, Installed, PARTS, Placed, Slot};

/// What a command tells.
pub struct Done {
    /// For people.
    pub text: String,
    /// For machines.
    pub json: Value,
}

/// The board that we run on; none: a virt device.
fn board(common: &Common) -> Result<Option<Jetson>, UpdateError> {
    if common.disk.is_some() { Ok(None) } else { Jetson::find(&common.sysroot) }
}

/// Opens and verifies what is named, or the newest release for this board.
pub fn opened(args: &InstallArgs, common: &Common, board: Option<&str>) -> Result<Update, UpdateError> {
    let downloads = Downloads::new(&common.state)?;
    // As it is called where it comes from.
    let named = match (&args.releases, &args.product, &args.update) {
        (Some(folder), Some(product), _) => {
            let wanted = Wanted { channel: &args.channel, product, board };
            let index = download::below(folder, channel::INDEX);
            let index =
                if download::is_url(folder) { downloads.get(&index, "index", channel::MOST)? } else { index };
            download::below(folder, &wanted.newest(&index, &common.config)?)
        }
        (_, _, path) => path.clone().unwrap_or_default(),
    };
    let path = match download::is_url(&named) {
        true => downloads.get(&named, "update.tar.zst", u64::MAX)?,
        false => named.clone(),
    };
    let wrong = |source| UpdateError::Archive { path: named.clone(), source };
    let source = Source::open(&path).map_err(|error| wrong(error.into()))?;
    let archive = UpdateArchive::read(&source).map_err(wrong)?;
    check_signature(&archive, &common.config, args.unsigned)?;
    Ok(Update::new(source, archive, downloads))
}

/// Verifies an update, writes it to the slots that are not active, and lets the next boot try it.
pub fn install(args: &InstallArgs, common: &Common) -> Result<Done, UpdateError> {
    if let Some(board) = board(common)? {
        return jetson::install(&board, args, common);
    }
    let mut journal = Journal::open(&common.state)?;
    let mut disk = Opened::open(common.disk.as_deref(), true)?;
    let state = disk.device.state().clone();
    let active = state.active.as_ref().ok_or_else(|| UpdateError::Empty { path: disk.path.clone() })?;
    let wanted = opened(args, common, Some(&active.board))?;
    let (source, update) = (&wanted.source, &wanted.archive);
    let bundle = update.manifest.bundle_name();
    fits(update, active, &state, args.allow_downgrade)?;
    if state.current().is_some_and(|current| current.digest == update.digest) {
        let text = format!("{bundle} runs already: nothing is written");
        return Ok(Done { text, json: json!({ "bundle": bundle, "written": [] }) });
    }
    // Behind a rollback what runs is no longer what is active.
    let spare = DevicePart::App.partition(disk.device.spare(DevicePart::App));
    if update.of_role(Role::Rootfs).next().is_some() && disk.root.as_deref() == Some(spare) {
        return Err(UpdateError::InUse { partition: spare });
    }
    // An image of a device is another machine's.
    if common.disk.is_none() {
        power::ensure(&common.sysroot, Settings::read(&common.config)?.battery)?;
    }
    journal.note("install", &bundle)?;
    let mut installed = Installed {
        bundle: bundle.clone(),
        board: update.manifest.board.clone(),
        digest: update.digest.clone(),
        security_version: update.manifest.security_version,
        parts: active.parts.clone(),
    };
    // A root filesystem that is written has its own.
    let apps = args.apps && update.of_role(Role::Rootfs).next().is_none();
    let apps = match apps {
        true => Apps::prepare(&wanted, state.current().map(|current| current.digest.as_str()), common)?,
        false => Apps::forget_waiting(&common.state).map(|()| Vec::new())?,
    };
    let written = write(source, update, &mut disk, &mut installed)?;
    disk.device.arm(installed).map_err(|error| disk.failed(error))?;
    journal.note("armed", &bundle)?;
    let partitions: Vec<&str> = written.iter().map(|(part, placed)| part.partition(placed.slot)).collect();
    let text = format!(
        "{bundle} is in {}: the next boot tries it, and the boot behind that goes back, unless it is confirmed",
        partitions.join(", ")
    );
    Ok(Done { text, json: json!({ "bundle": bundle, "written": partitions, "apps": apps }) })
}

/// Whether a device may have an update.
fn fits(
    update: &UpdateArchive,
    active: &Installed,
    state: &FlashState,
    downgrade: bool,
) -> Result<(), UpdateError> {
    let (manifest, bundle) = (&update.manifest, update.manifest.bundle_name());
    if manifest.board != active.board {
        let (board, own) = (manifest.board.clone(), active.board.clone());
        return Err(UpdateError::OtherBoard { bundle, board, own });
    }
    let (version, had) = (manifest.security_version, state.security_version);
    if version < had && !downgrade {
        return Err(UpdateError::Downgrade { bundle, version, had });
    }
    // What runs lies in the slots that would be written.
    match state.trial.as_ref().filter(|trial| trial.booted) {
        Some(trial) => Err(UpdateError::Unconfirmed { bundle: trial.installed.bundle.clone() }),
        None => Ok(()),
    }
}

/// The part of a device that a file of a bundle goes to.
fn part_of(file: &FileEntry) -> Option<DevicePart> {
    let goes = |part: &DevicePart| file.partitions.iter().any(|name| name == part.partition(Slot::A));
    let written = matches!(file.role, Role::SecureOs | Role::BootConfig | Role::Rootfs);
    PARTS.into_iter().find(|part| written && goes(part))
}

/// Writes what the archive has, each part with the digest that the manifest says.
fn write(
    source: &Source,
    update: &UpdateArchive,
    opened: &mut Opened,
    installed: &mut Installed,
) -> Result<BTreeMap<DevicePart, Placed>, UpdateError> {
    let mut written = BTreeMap::new();
    let mut failed = None;
    let read = source.for_each(&mut |path, reader| {
        let entry = update.manifest.file(path);
        let Some((entry, part)) = entry.and_then(|entry| Some((entry, part_of(entry)?))) else {
            return io::copy(reader, &mut io::sink()).map(drop);
        };
        let placed = opened.device.write(part, reader, entry.size, &entry.sha256, &installed.bundle);
        match placed {
            Ok(placed) => {
                let content = entry.identity.as_ref().map(|place| place.content.clone());
                written.insert(part, Placed { content, ..placed });
            }
            Err(error) => {
                failed = Some(error);
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    });
    if let Some(error) = failed {
        return Err(opened.failed(error));
    }
    let path = || source.path().to_owned();
    read.map_err(|error: SourceError| UpdateError::Archive { path: path(), source: error.into() })?;
    // It was whole when it was verified.
    let mut files = update.manifest.files.iter().filter(|file| update.files.contains(&file.path));
    if let Some(file) = files.find(|file| part_of(file).is_some_and(|part| !written.contains_key(&part))) {
        let source = ExtractError::File(file.path.clone()).into();
        return Err(UpdateError::Archive { path: path(), source });
    }
    installed.parts.extend(written.clone());
    Ok(written)
}

/// Lets what is tried stay, if the product's checks pass.
pub fn confirm(common: &Common) -> Result<Done, UpdateError> {
    if let Some(board) = board(common)? {
        return jetson::confirm(&board, common);
    }
    // Each boot looks, and stands in nobody's way.
    let state = Opened::open(common.disk.as_deref(), false)?.device.state().clone();
    let runs = state.current().map(|current| current.digest.clone());
    if state.trial.as_ref().is_none_or(|trial| !trial.booted) {
        settle_at_last(runs.as_deref(), common)?;
    }
    let Some(trial) = state.trial.filter(|trial| trial.booted) else {
        let text = "no update is tried: nothing is to be confirmed".into();
        return Ok(Done { text, json: json!({ "confirmed": null }) });
    };
    let bundle = trial.installed.bundle;
    let mut journal = Journal::open(&common.state)?;
    let checked = settle(runs.as_deref(), common, &mut journal)
        .and_then(|()| Settings::read(&common.config))
        .and_then(|settings| check::all(&settings));
    if let Err(error) = checked {
        journal.note("check failed", &bundle)?;
        return Err(error);
    }
    let mut opened = Opened::open(common.disk.as_deref(), true)?;
    opened.device.confirm().map_err(|error| opened.failed(error))?;
    journal.note("confirmed", &bundle)?;
    Ok(Done { text: format!("{bundle} stays"), json: json!({ "confirmed": bundle }) })
}

/// Lets dpkg do what is due, now that a bundle of this digest runs.
pub fn settle(runs: Option<&str>, common: &Common, journal: &mut Journal) -> Result<(), UpdateError> {
    match Apps::read(&common.state)?.filter(|apps| apps.is_due(runs)) {
        None => Ok(()),
        Some(apps) => {
            let bundle = apps.bundle.clone();
            let event = if apps.settle(runs, common)? { "client apps" } else { "client apps gone back from" };
            journal.note(event, &bundle)
        }
    }
}

/// The same where nothing is tried. Most boots have nothing to do, and wait for nobody.
pub fn settle_at_last(runs: Option<&str>, common: &Common) -> Result<(), UpdateError> {
    match Apps::read(&common.state)?.is_some_and(|apps| apps.is_due(runs)) {
        true => settle(runs, common, &mut Journal::open(&common.state)?),
        false => Ok(()),
    }
}

/// Gives up what is tried, or goes back to the bundle before.
pub fn rollback(common: &Common) -> Result<Done, UpdateError> {
    if let Some(board) = board(common)? {
        return jetson::rollback(&board, common);
    }
    let mut journal = Journal::open(&common.state)?;
    let mut opened = Opened::open(common.disk.as_deref(), true)?;
    let device = &mut opened.device;
    let done = if device.state().trial.is_some() { device.abandon() } else { device.rollback() };
    done.map_err(|error| opened.failed(error))?;
    let active =
        opened.device.state().active.as_ref().map(|active| active.bundle.clone()).unwrap_or_default();
    journal.note("rolled back", &active)?;
    Ok(Done { text: format!("the next boot is {active}"), json: json!({ "bundle": active }) })
}

/// Tells what a device has.
pub fn status(common: &Common) -> Result<Done, UpdateError> {
    if let Some(board) = board(common)? {
        return jetson::status(&board, common);
    }
    let opened = Opened::open(common.disk.as_deref(), false)?;
    let state = opened.device.state();
    let name = |installed: Option<&Installed>| installed.map(|installed| installed.bundle.clone());
    let tried = state.trial.as_ref();
    let mut rows = vec![
        ("runs", name(state.current())),
        ("active", name(state.active.as_ref())),
        ("previous", name(state.previous.as_ref())),
    ];
    if let Some(trial) = tried {
        let when = if trial.booted { "not confirmed yet" } else { "at the next boot" };
        rows.push(("tried", Some(format!("{}, {when}", trial.installed.bundle))));
    }
    if let Some(bundle) = &state.gone_back_from {
        rows.push(("gone back", Some(format!("from {bundle}, which was not confirmed"))));
    }
    let root = identity::read(&common.sysroot)?.filter(|_| opened.root.is_some());
    if let Some(root) = &root {
        rows.push(("rootfs", Some(format!("of {}", root.bundle))));
    }
    let slots = PARTS.map(|part| (part, opened.device.current(part)));
    let mut lines: Vec<String> = rows
        .into_iter()
        .map(|(what, bundle)| format!("{what:<10} {}", bundle.unwrap_or_else(|| "none".into())))
        .collect();
    lines.push(format!("{:<10} {}", "slots", slots.map(|(part, slot)| part.partition(slot)).join(", ")));
    lines.push(format!("{:<10} {}, the largest that it has had", "security", state.security_version));
    let json = json!({
        "board": state.current().map(|current| &current.board),
        "rootfs": root,
        "disk": show(&opened.path),
        "runs": name(state.current()),
        "active": state.active,
        "previous": state.previous,
        "trial": state.trial,
        "gone_back_from": state.gone_back_from,
        "security_version": state.security_version,
        "slots": slots.map(|(part, slot)| part.partition(slot)),
    });
    Ok(Done { text: lines.join("\n"), json })
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
