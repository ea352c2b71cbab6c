//! `backup` and `restore`: a board's root filesystem, as a raw or an Android sparse image.

use super::board::Board;
use super::board_job::BoardJob;
use super::image::{Given, ensure_room, to_sparse};
use super::kept::{HALF_WRITTEN, read};
use super::request::{Backup, EkbChoice, Restore};
use super::virt_app;
use crate::device::disk;
use crate::device::package::Package;
use crate::device::record;
use crate::device::record::Record;
use crate::device::session::Session;
use crate::device::usb;
use crate::errors::{BoardError, ImageError};
use crate::results::{BackedUp, Recorded};
use bundle::Manifest;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::files::{NewFile, SECRET, parent};
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use serde_json::json;
use std::fs;
use std::path::Path;
use tegra_flash::Scope;

const APP: &str = tegra_flash::slots::APP[0];

/// A single board for backup and restore.
fn one(instance: Option<&String>, manifest: &Manifest) -> Result<String> {
    let wanted: Vec<String> = instance.into_iter().cloned().collect();
    match usb::choose(&wanted, manifest)?.as_slice() {
        [board] => Ok(board.clone()),
        boards => Err(BoardError::Several { boards: boards.to_vec() }.into()),
    }
}

/// Works on the only board in recovery mode, or the one that is named; what comes of it, and the record.
pub fn with_one_board<T>(
    action: &'static str,
    package: &Package,
    instance: Option<&String>,
    dirs: &Dirs,
    ui: &Ui,
    run: impl FnOnce(&mut Board, &BoardJob) -> Result<T>,
) -> Result<(T, Record)> {
    with_board(action, package, &one(instance, &package.manifest)?, dirs, ui, run)
}

fn with_board<T>(
    action: &'static str,
    package: &Package,
    usb: &str,
    dirs: &Dirs,
    ui: &Ui,
    run: impl FnOnce(&mut Board, &BoardJob) -> Result<T>,
) -> Result<(T, Record)> {
    let folder = record::folder(dirs)?;
    let running = ui.start(&format!("board {usb}"));
    let record = Record::begin(&folder, action, usb, &package.manifest.bundle_name(), &package.digest);
    let job = BoardJob {
        package,
        scope: Scope::App,
        keep_app: false,
        app: None,
        backup_dir: &folder,
        downgrade: true,
        ekb: EkbChoice::Keep,
        raw_anyway: false,
        carve_out_unseen: false,
        without_card: false,
    };
    let mut board = Board::begin(record, &running)?;
    let result = run(&mut board, &job);
    let (value, result) = match result {
        Ok(value) => (Some(value), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let failed = result.is_err();
    let ended = board.record.end(&folder, result);
    if failed {
        running.fail()
    } else {
        running.done()
    }
    let ended = ended?;
    value.map(|value| (value, ended)).ok_or_else(|| BoardError::NoResult.into())
}

/// Reads a board's root filesystem into a file.
pub fn backup(args: &Backup, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    if args.output.exists() {
        return Err(ImageError::OutputExists { path: args.output.clone() }.into());
    }
    if let Some(path) = disk::file(&args.target) {
        return virt_app::backup(path, args, dirs, ui);
    }
    let (package, _) = Package::open(Path::new(&args.target), false, None)?;
    let size = package.manifest.device.as_ref().map_or(0, |device| device.app_size);
    // The sparse image is made beside the raw one, and may be as large.
    ensure_room(parent(&args.output), if args.raw { size } else { size.saturating_mul(2) })?;
    let usb = one(args.instance.as_ref(), &package.manifest)?;
    let raw = NewFile::create(&args.output, SECRET)?;
    let at = fs::canonicalize(raw.path()).at(raw.path())?;
    let (_, record) = with_board("backup", &package, &usb, dirs, ui, |board, job| {
        let identity = board.identify(job)?;
        let tools = board.tools("backup");
        job.package.module(&identity.module, None, &tools.dir)?;
        let session =
            board.step("boot the recovery loader", || Session::boot(&tools, job.package, &identity))?;
        board.step("read APP", || read(&session, &at, size, args.raw_anyway))?;
        board.step("restart", || session.restart())?;
        let made = if args.raw {
            Ok(raw)
        } else {
            board.step("make the sparse image", || to_sparse(&raw, &args.output, size))
        };
        made?.publish_new()
    })?;
    let path = args.output.display().to_string();
    Ok(Outcome {
        line: Some(path.as_str().into()),
        json: json!(BackedUp { file: path, record }),
        ..Outcome::default()
    })
}

/// Writes a file back as a board's root filesystem.
pub fn restore(args: &Restore, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    if let Some(path) = disk::file(&args.target) {
        return virt_app::restore(path, args, dirs, ui);
    }
    let (package, _) = Package::open(Path::new(&args.target), false, None)?;
    let size = package.manifest.device.as_ref().map_or(0, |device| device.app_size);
    let scratch = carveout_host::tools::scratch("restore")?;
    let image = Given::open(&args.image, size, scratch.path(), args.raw_anyway, ui)?;
    let usb = one(args.instance.as_ref(), &package.manifest)?;
    let (_, record) = with_board("restore", &package, &usb, dirs, ui, |board, job| {
        let identity = board.identify(job)?;
        let tools = board.tools("restore");
        job.package.module(&identity.module, Some(&image.raw), &tools.dir)?;
        let session =
            board.step("boot the recovery loader", || Session::boot(&tools, job.package, &identity))?;
        board.step("write APP", || {
            image.ensure_same("nothing has been written")?;
            session.write(APP, crate::device::package::ROOTFS, size)?;
            image.ensure_same(HALF_WRITTEN)
        })?;
        board.step("restart", || session.restart())
    })?;
    Ok(Outcome {
        line: Some(record.result.as_str().into()),
        json: json!(Recorded { record }),
        ..Outcome::default()
    })
}
