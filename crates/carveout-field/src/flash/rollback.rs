//! `rollback`: a virt device goes back to the bundle that it had before.

use crate::device::disk;
use crate::device::record;
use crate::device::record::Record;
use crate::errors::{FlashError, VirtError};
use crate::results::Recorded;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use serde_json::json;

/// Goes back, after a proof that what was there before still is.
pub fn rollback(to: &str, allow_downgrade: bool, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let path = disk::file(to).ok_or_else(|| FlashError::NoRollback { device: to.into() })?;
    let mut device = disk::open(path)?;
    let failed = |e| disk::failed(path, e);
    let previous = device.state().previous.clone();
    let previous = previous.ok_or_else(|| disk::failed(path, virt_device::DeviceError::NoPrevious))?;
    let had = device.state().security_version;
    if previous.security_version < had && !allow_downgrade {
        let (path, has) = (path.into(), previous.security_version);
        return Err(VirtError::Downgrade { path, bundle: previous.bundle, had, has }.into());
    }
    let folder = record::folder(dirs)?;
    let running = ui.start(to);
    let mut record = Record::begin(&folder, "rollback", to, &previous.bundle, &previous.digest);
    record.security_version = previous.security_version;
    running.building("read the other slots, and switch");
    let result = record.step("read the other slots, and switch", || device.rollback().map_err(failed));
    match &result {
        Ok(()) => running.done(),
        Err(_) => running.fail(),
    }
    let record = record.end(&folder, result)?;
    Ok(Outcome { line: Some(previous.bundle.into()), json: json!(Recorded { record }), ..Outcome::default() })
}
