//! `backup` and `restore`: a board's root filesystem, as a raw or an Android sparse image.

use super::board::Board;
use super::{Job, virt_app};
use crate::cli::{BackupArgs, RestoreArgs};
use crate::device::disk;
use crate::device::package::Package;
use crate::device::record::{self, Record};
use crate::device::session::Session;
use crate::device::usb;
use crate::error::{At, Error, Result};
use crate::size::human;
use crate::ui::Ui;
use crate::verbs::Outcome;
use serde_json::json;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tegra_flash::{Scope, sparse};

const APP: &str = "APP";
/// Bytes of a filesystem's beginning that are not all zero, if there is one.
const HEAD: u64 = 4 << 20;

/// Where root filesystems of boards are kept.
pub fn kept_in(dir: Option<&Path>) -> Result<PathBuf> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => record::folder()?,
    };
    fs::create_dir_all(&dir).at(&dir)?;
    Ok(dir)
}

/// The file for a board's root filesystem.
pub fn file_for(dir: Option<&Path>, record: &Record) -> Result<PathBuf> {
    let name = format!("app-{}-{}.raw", record.device, record.started.replace(':', ""));
    Ok(fs::canonicalize(kept_in(dir)?).at(Path::new("."))?.join(name))
}

/// An error if a folder has less room than `bytes`.
pub fn ensure_room(dir: &Path, bytes: u64) -> Result<()> {
    let stat = rustix::fs::statvfs(dir).map_err(|e| Error::io(dir, &e.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= bytes {
        return Ok(());
    }
    let message = format!(
        "{}: {} are free, the board's root filesystem takes {}",
        dir.display(),
        human(free),
        human(bytes)
    );
    Err(Error::environment(message)
        .remedy("free some space, or name another folder with --backup-dir (backup: --output)"))
}

/// Reads APP. What comes must be all of it, and not empty.
pub fn read(session: &Session, to: &Path, size: u64) -> Result<()> {
    session.read(APP, to, size)?;
    let length = fs::metadata(to).at(to)?.len();
    let nothing_written = "nothing has been written to the board";
    if length != size {
        let message =
            format!("the board's APP has {length} bytes, this bundle's layout {size}: it would not fit back");
        return Err(Error::check(message).remedy(format!(
            "{nothing_written}; build a bundle whose rootfs.size, or l4t.app_size without a root filesystem, is 0x{length:x}"
        )));
    }
    let mut head = Vec::new();
    File::open(to).and_then(|file| file.take(HEAD).read_to_end(&mut head)).at(to)?;
    if head.iter().all(|byte| *byte == 0) {
        return Err(Error::check("what was read of APP is all zeros: that is no root filesystem")
            .remedy(format!("{nothing_written}; flash without --keep-app if there is none to keep")));
    }
    Ok(())
}

/// A single board for backup and restore.
fn one(instance: Option<&String>) -> Result<String> {
    let wanted: Vec<String> = instance.into_iter().cloned().collect();
    match usb::choose(&wanted)?.as_slice() {
        [board] => Ok(board.clone()),
        boards => Err(Error::usage(format!("{} boards are there: {}", boards.len(), boards.join(", ")))
            .remedy("name one with --instance")),
    }
}

fn with_board<T>(
    action: &'static str,
    package: &Package,
    usb: &str,
    ui: &Ui,
    run: impl FnOnce(&mut Board, &Job) -> Result<T>,
) -> Result<(T, Record)> {
    let folder = record::folder()?;
    let running = ui.start(&format!("board {usb}"));
    let record = Record::begin(&folder, action, usb, &package.manifest.bundle_name(), &package.digest);
    let job =
        Job { package, scope: Scope::App, keep_app: false, app: None, backup_dir: None, downgrade: true };
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
    value.map(|value| (value, ended)).ok_or_else(|| Error::check("the board's work ended without a result"))
}

/// Reads a board's root filesystem into a file.
pub fn backup(args: &BackupArgs, ui: &Ui) -> Result<Outcome> {
    if args.output.exists() {
        return Err(Error::usage(format!("{}: exists already", args.output.display()))
            .remedy("name another file with --output"));
    }
    if let Some(path) = disk::file(&args.target) {
        return virt_app::backup(path, args, ui);
    }
    let (package, _) = Package::open(Path::new(&args.target), false, None)?;
    let size = package.manifest.device.as_ref().map_or(0, |device| device.app_size);
    let dir = args.output.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = fs::canonicalize(dir).at(dir)?;
    // The sparse image is made beside the raw one, and may be as large.
    ensure_room(&dir, if args.raw { size } else { size.saturating_mul(2) })?;
    let usb = one(args.instance.as_ref())?;
    let raw = tempfile::Builder::new().prefix(".carveout-app-").tempfile_in(&dir).at(&dir)?.into_temp_path();
    let (_, record) = with_board("backup", &package, &usb, ui, |board, job| {
        let identity = board.identify(job)?;
        let tools = board.tools("backup");
        job.package.module(&identity.module, None, &tools.dir)?;
        let session = board
            .step("boot the recovery loader", || Session::boot(&tools, job.package, &identity.module))?;
        board.step("read APP", || read(&session, &raw, size))?;
        board.step("restart", || session.restart())?;
        let made = if args.raw {
            Ok(raw.to_path_buf())
        } else {
            board.step("make the sparse image", || to_sparse(&raw, size))
        };
        let made = made?;
        fs::rename(&made, &args.output).at(&args.output)
    })?;
    let path = args.output.display().to_string();
    Ok(Outcome {
        line: Some(path.clone()),
        json: json!({ "file": path, "record": record }),
        ..Outcome::default()
    })
}

/// A sparse image of a raw one, beside it.
pub fn to_sparse(raw: &Path, size: u64) -> Result<PathBuf> {
    let to = raw.with_extension("sparse");
    let mut reader = BufReader::new(File::open(raw).at(raw)?);
    let mut out = File::create(&to).at(&to)?;
    let made = sparse::encode(&mut reader, size, &mut out, sparse::BLOCK_SIZE);
    made.map_err(|e| Error::check(format!("{}: {e}", to.display())))
        .inspect_err(|_| drop(fs::remove_file(&to)))?;
    out.sync_all().at(&to)?;
    Ok(to)
}

/// Writes a file back as a board's root filesystem.
pub fn restore(args: &RestoreArgs, ui: &Ui) -> Result<Outcome> {
    if let Some(path) = disk::file(&args.target) {
        return virt_app::restore(path, args, ui);
    }
    let (package, _) = Package::open(Path::new(&args.target), false, None)?;
    let size = package.manifest.device.as_ref().map_or(0, |device| device.app_size);
    let scratch = crate::tools::scratch("restore")?;
    let image = to_raw(&args.image, size, scratch.path())?;
    let usb = one(args.instance.as_ref())?;
    let (_, record) = with_board("restore", &package, &usb, ui, |board, job| {
        let identity = board.identify(job)?;
        let tools = board.tools("restore");
        job.package.module(&identity.module, Some(&image), &tools.dir)?;
        let session = board
            .step("boot the recovery loader", || Session::boot(&tools, job.package, &identity.module))?;
        board.step("write APP", || session.write(APP, crate::device::package::ROOTFS, size))?;
        board.step("restart", || session.restart())
    })?;
    Ok(Outcome { line: Some(record.result.clone()), json: json!({ "record": record }), ..Outcome::default() })
}

/// A raw image of what is in a file. Sparse images are written raw: what they do not care for would keep the partition's old
/// bytes, which is not what was backed up.
pub fn to_raw(image: &Path, size: u64, scratch: &Path) -> Result<PathBuf> {
    let wrong = |what: String| {
        Error::usage(format!("{}: {what}", image.display()))
            .remedy("restore takes what backup made, NVIDIA's system.img (sparse) or its system.img.raw")
    };
    let mut file = File::open(image).map_err(|e| wrong(e.to_string()))?;
    let length = file.metadata().at(image)?.len();
    let mut head = [0; 4];
    if file.read_exact(&mut head).is_err() {
        return Err(wrong(format!("has {length} bytes")));
    }
    file.seek(SeekFrom::Start(0)).at(image)?;
    if !sparse::is_sparse(&head) {
        if length > size || length == 0 {
            return Err(wrong(format!("has {length} bytes, the partition APP of this bundle {size}")));
        }
        return fs::canonicalize(image).at(image);
    }
    let mut reader = BufReader::new(file);
    let header = sparse::Header::read(&mut reader).map_err(|e| wrong(e.to_string()))?;
    if header.raw_size() > size {
        return Err(wrong(format!(
            "holds {} bytes, the partition APP of this bundle {size}",
            header.raw_size()
        )));
    }
    ensure_room(scratch, length)?;
    let to = scratch.join("app.raw");
    let mut out = File::create(&to).at(&to)?;
    reader.seek(SeekFrom::Start(0)).at(image)?;
    sparse::decode(&mut reader, &mut out).map_err(|e| wrong(e.to_string()))?;
    Ok(to)
}
