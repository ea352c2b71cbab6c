//! Boards on the USB bus, by what the kernel says of it.

use crate::errors::BoardError;
use bundle::{Manifest, Recovery};
use carveout_host::error::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where the kernel lists devices. Tests name a folder of their own.
const DEVICES: &str = "/sys/bus/usb/devices";
const VARIABLE: &str = "CARVEOUT_USB_DEVICES";
const VENDOR: &str = "0955";
/// NVIDIA's boards in recovery mode, by USB product. Sources: nvautoflash.sh of L4T R32.7.2, and its README files for Nano and TX1.
const RECOVERY: [(&str, &str); 8] = [
    ("7019", "a Jetson AGX Xavier"),
    ("7919", "a Jetson AGX Xavier Industrial"),
    ("7e19", "a Jetson Xavier NX"),
    ("7c18", "a Jetson TX2 or TX2 NX"),
    ("7418", "a Jetson TX2 4GB"),
    ("7018", "a Jetson TX2i"),
    ("7f21", "a Jetson Nano"),
    ("7721", "a Jetson TX1"),
];
/// One that is not.
const RUNNING: (&str, &str) = ("7020", "running Linux (its USB device mode), not in recovery mode");

/// Names of all boards of a kind, as NVIDIA's tools take them: bus and port, such as `1-2.3`. A bundle of before does not say for which.
fn boards(kind: Option<&Recovery>) -> Vec<String> {
    let is_one = |product: &str| match kind {
        Some(kind) => kind.usb_product == product,
        None => RECOVERY.iter().any(|(known, _)| *known == product),
    };
    let mut found: Vec<String> =
        devices().into_iter().filter(|(product, _)| is_one(product)).map(|(_, at)| at).collect();
    found.sort();
    found
}

/// The wanted boards, or all.
pub fn choose(wanted: &[String], manifest: &Manifest) -> Result<Vec<String>> {
    let kind = recovery(manifest);
    let found = boards(kind);
    let name = kind.map_or("Jetson", |kind| kind.name.as_str()).to_owned();
    let usb = kind.map_or("7…", |kind| kind.usb_product.as_str()).to_owned();
    let how = kind.map_or_else(String::new, |kind| kind.how.clone());
    if let Some(missing) = wanted.iter().find(|name| !found.contains(name)) {
        return Err(
            BoardError::NotAtPlace { name, usb, how, instance: missing.clone(), boards: found }.into()
        );
    }
    let chosen = if wanted.is_empty() { found } else { wanted.to_vec() };
    if !chosen.is_empty() {
        return chosen.iter().try_for_each(|instance| ensure_reachable(instance)).map(|()| chosen);
    }
    let other = devices().into_iter().find_map(|(product, instance)| {
        let (_, device) = RECOVERY.into_iter().chain([RUNNING]).find(|(id, _)| *id == product)?;
        Some((instance, device))
    });
    Err(match other {
        Some((instance, device)) => BoardError::OtherDevice { name, usb, how, instance, device }.into(),
        None => BoardError::NoBoard { name, usb, how }.into(),
    })
}

/// What a bundle's boards are in recovery mode.
fn recovery(manifest: &Manifest) -> Option<&Recovery> {
    manifest.device.as_ref().and_then(|device| device.recovery.as_ref())
}

/// An error if the kernel's file of a device is not ours to write to: NVIDIA's tools would only fail, when all is verified.
fn ensure_reachable(instance: &str) -> Result<()> {
    let is_it = |dir: &Path| place(dir).as_deref() == Some(instance);
    let number = |dir: PathBuf| {
        let [bus, device] = ["busnum", "devnum"].map(|name| read(&dir, name)?.parse::<u16>().ok());
        Some((bus?, device?))
    };
    let Some((bus, device)) = folders().find(|dir| is_it(dir)).and_then(number) else { return Ok(()) };
    let path = PathBuf::from(format!("/dev/bus/usb/{bus:03}/{device:03}"));
    match rustix::fs::access(&path, rustix::fs::Access::WRITE_OK) {
        Err(rustix::io::Errno::ACCESS) => {
            Err(BoardError::NoAccess { instance: instance.into(), path }.into())
        }
        _ => Ok(()),
    }
}

/// The boards that are there now, of the wanted ones or of all. None is no error.
pub fn present(wanted: &[String], manifest: &Manifest) -> Vec<String> {
    boards(recovery(manifest))
        .into_iter()
        .filter(|board| wanted.is_empty() || wanted.contains(board))
        .collect()
}

/// Waits until a board is there again, after it was told to come back.
pub fn wait(instance: &str, manifest: &Manifest, most: Duration) -> Result<()> {
    let start = Instant::now();
    while !boards(recovery(manifest)).iter().any(|board| board == instance) {
        if start.elapsed() > most {
            return Err(BoardError::NotBack { instance: instance.into(), seconds: most.as_secs() }.into());
        }
        sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Product and place of NVIDIA's devices.
fn devices() -> Vec<(String, String)> {
    let of_nvidia = folders().filter(|dir| read(dir, "idVendor").as_deref() == Some(VENDOR));
    of_nvidia.filter_map(|dir| Some((read(&dir, "idProduct")?, place(&dir)?))).collect()
}

/// What the kernel shows of each device.
fn folders() -> impl Iterator<Item = PathBuf> {
    let root = std::env::var_os(VARIABLE).map_or_else(|| DEVICES.into(), PathBuf::from);
    fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn read(dir: &Path, name: &str) -> Option<String> {
    fs::read_to_string(dir.join(name)).ok().map(|text| text.trim().to_owned())
}

fn place(dir: &Path) -> Option<String> {
    Some(format!("{}-{}", read(dir, "busnum")?, read(dir, "devpath")?))
}
