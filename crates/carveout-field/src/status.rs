//! `status`: what a device has, as far as it can be told without writing to it.

mod board;
mod ssh;
mod told;

pub use told::{DeviceStatus, StatusRequest};

use crate::device::package::Package;
use crate::device::{card, disk};
use crate::errors::{CardError, FlashError};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use std::path::Path;
use virt_device::DevicePart;

/// Boards in recovery mode.
const USB: &str = "usb";
/// A device that runs, reached by ssh.
const SSH: &str = "ssh:";

/// Tells it.
pub fn run(request: &StatusRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let to = request.to.as_str();
    if to == USB {
        return board::status(request, dirs, ui).map(|status| status.outcome());
    }
    if let Some(path) = card::path(to) {
        return of_card(request, path).map(|status| status.outcome());
    }
    let of_boards = [("--bundle", request.bundle.is_some()), ("--instance", request.instance.is_some())];
    if let Some((option, _)) = of_boards.iter().find(|(_, given)| *given) {
        return Err(FlashError::ForBoards { option }.into());
    }
    let status = match to.strip_prefix(SSH) {
        Some(host) => ssh::status(to, host)?,
        None => virt(to, disk::file(to).unwrap_or(Path::new(to)))?,
    };
    Ok(status.outcome())
}

/// Whether a card is of a bundle: the same one that its board has, if that was flashed with it.
fn of_card(request: &StatusRequest, path: &Path) -> Result<DeviceStatus> {
    if path == Path::new("") {
        return Err(CardError::NoName.into());
    }
    if request.instance.is_some() {
        return Err(CardError::Option { option: "--instance" }.into());
    }
    let bundle = request.bundle.as_deref().ok_or(FlashError::CardWithoutBundle)?;
    let (package, _) = Package::open(bundle, false, None)?;
    let same = crate::flash::card::is_of(&package, path)?;
    Ok(DeviceStatus {
        device: request.to.clone(),
        board: Some(package.manifest.board.clone()),
        rootfs: same.then(|| package.manifest.bundle_name()),
        same_card: Some(same),
        ..DeviceStatus::default()
    })
}

/// What the flash state of a virt device says.
fn virt(device: &str, path: &Path) -> Result<DeviceStatus> {
    let mut disk = disk::read(path)?;
    let tzdram = disk::carve_out(&mut disk);
    let state = disk.state();
    let runs = state.current();
    let app = runs.and_then(|runs| runs.parts.get(&DevicePart::App));
    Ok(DeviceStatus {
        device: device.into(),
        board: runs.map(|runs| runs.board.clone()),
        runs: runs.map(|runs| runs.bundle.clone()),
        rootfs: app.map(|app| app.bundle.clone()),
        tried: state.trial.as_ref().map(|trial| trial.installed.bundle.clone()),
        gone_back_from: state.gone_back_from.clone(),
        tzdram,
        security_version: Some(state.security_version),
        ..DeviceStatus::default()
    })
}
