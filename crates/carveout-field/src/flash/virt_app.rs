//! `backup` and `restore` of virt devices.

use super::image::{self, Given};
use super::request::{Backup, Restore};
use crate::device::disk;
use crate::device::disk::failed;
use crate::device::record;
use crate::device::record::{Record, SWITCH};
use crate::errors::VirtError;
use crate::results::{BackedUp, Recorded};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::files::{NewFile, SECRET, parent};
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use serde_json::json;
use std::path::Path;
use virt_device::{DeviceError, DevicePart, Slot};

/// Who has made a root filesystem that was restored.
const RESTORED: &str = "restored";

/// Reads the active root filesystem into a file.
pub fn backup(path: &Path, args: &Backup, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let mut device = disk::read(path)?;
    let active = device.state().active.clone();
    let placed = active.as_ref().and_then(|active| active.parts.get(&DevicePart::App)).cloned();
    let (Some(active), Some(placed)) = (active, placed) else {
        return Err(VirtError::NoRootFilesystem { path: path.into() }.into());
    };
    image::ensure_room(
        parent(&args.output),
        if args.raw { placed.size } else { placed.size.saturating_mul(2) },
    )?;
    let folder = record::folder(dirs)?;
    let running = ui.start(&args.target);
    let mut record = Record::begin(&folder, "backup", &args.target, &active.bundle, &active.digest);
    let mut raw = NewFile::create(&args.output, SECRET)?;
    running.building("read APP");
    let result = record.step("read APP", || {
        // What is mounted read-write changes: then it is no longer what was flashed, but still what is to be kept.
        let mut reader = device.read(DevicePart::App, Some(placed.size)).map_err(|e| failed(path, e))?;
        std::io::copy(&mut reader, &mut raw).at(&args.output)?;
        image::ensure_read(raw.path(), args.raw_anyway, "nothing has been written")
    });
    let result = result.and_then(|()| {
        let made = if args.raw { raw } else { image::to_sparse(&raw, &args.output, placed.size)? };
        made.publish_new()
    });
    match &result {
        Ok(()) => running.done(),
        Err(_) => running.fail(),
    }
    let record = record.end(&folder, result)?;
    let file = args.output.display().to_string();
    let json = json!(BackedUp { file: file.clone(), record });
    Ok(Outcome { line: Some(file.into()), json, ..Outcome::default() })
}

/// Writes a file to the root filesystem's other slot, and switches to it.
pub fn restore(path: &Path, args: &Restore, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let mut device = disk::open(path)?;
    let Some(mut installed) = device.state().active.clone() else {
        return Err(VirtError::RestoreWithoutBundle { path: path.into() }.into());
    };
    let name = DevicePart::App.partition(Slot::A);
    let space = device.partitions().get(name);
    let size = space.ok_or_else(|| failed(path, DeviceError::Missing(name.into())))?.size;
    let scratch = carveout_host::tools::scratch("restore")?;
    let image = Given::open(&args.image, size, scratch.path(), args.raw_anyway, ui)?;
    let hashed = bundle::hash_file(&image.raw).at(&image.raw)?;
    // What is written is what has this hash.
    image.ensure_same("nothing has been written")?;
    let folder = record::folder(dirs)?;
    let running = ui.start(&args.target);
    let mut record = Record::begin(&folder, "restore", &args.target, &installed.bundle, &installed.digest);
    running.building("write APP and read it back");
    let result = record.step("write APP and read it back", || {
        let mut from = files::open(&image.raw)?;
        let placed = device
            .write(DevicePart::App, &mut from, hashed.size, &hashed.sha256, RESTORED)
            .map_err(|e| failed(path, e))?;
        installed.parts.insert(DevicePart::App, placed);
        Ok(())
    });
    let result =
        result.and_then(|()| record.step(SWITCH, || device.switch(installed).map_err(|e| failed(path, e))));
    match &result {
        Ok(()) => running.done(),
        Err(_) => running.fail(),
    }
    let record = record.end(&folder, result)?;
    Ok(Outcome {
        line: Some(record.result.as_str().into()),
        json: json!(Recorded { record }),
        ..Outcome::default()
    })
}
