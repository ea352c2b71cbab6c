//! A board in recovery mode: what its storage has is read with a bundle's tools, and nothing is written.

use super::told::{DeviceStatus, StatusRequest};
use crate::device::package::Package;
use crate::device::record;
use crate::device::session::Session;
use crate::errors::FlashError;
use crate::flash::with_one_board;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::ui::Ui;
use tegra_flash::slots::SECURE_OS;

/// Reads it, and brings the board back into recovery mode.
pub fn status(request: &StatusRequest, dirs: &Dirs, ui: &Ui) -> Result<DeviceStatus> {
    let bundle = request.bundle.as_deref().ok_or(FlashError::StatusWithoutBundle)?;
    let (package, _) = Package::open(bundle, false, None)?;
    let folder = record::folder(dirs)?;
    let ((chip, tzdram, same), record) =
        with_one_board("status", &package, request.instance.as_ref(), dirs, ui, |board, job| {
            let identity = board.identify(job)?;
            let tools = board.tools("status");
            package.module(&identity.module, None, &tools.dir)?;
            let session =
                board.step("boot the recovery loader", || Session::boot(&tools, &package, &identity))?;
            let tzdram = board.step("read the boot config", || session.carve_out())?;
            let same = board.step("read secure-os", || session.has(SECURE_OS[0]))?;
            board.step("back to recovery mode", || session.recovery())?;
            Ok((identity.chip.text, tzdram, same))
        })?;
    Ok(DeviceStatus {
        device: record.device,
        board: Some(package.manifest.board.clone()),
        tzdram: tzdram.map(|found| found.size),
        same_secure_os: Some(same),
        flashed_here: record::last_bundle(&folder, &chip)?,
        ..DeviceStatus::default()
    })
}
