//! What can go wrong, and what to do about it.

use bundle::{IdentityError, SignatureError, UpdateArchiveError};
use std::io;
use std::path::PathBuf;
use tegra_flash::payload::PayloadError;
use virt_device::DeviceError;

/// A check failed: the update is none for this device, or what is written is not there.
const CHECK: u8 = 1;
/// Wrong usage or a file that cannot be used.
const USAGE: u8 = 2;
/// The device is not one that can be updated, or is not in the state for it.
const ENVIRONMENT: u8 = 3;

/// Why there is no update.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// No update archive.
    #[error("{}: {source}", path.display())]
    Archive { path: PathBuf, source: UpdateArchiveError },
    /// A folder of releases has none for this device.
    #[error("{}: {reason}", path.display())]
    Channel { path: PathBuf, reason: String },
    /// Nobody has signed it.
    #[error("{bundle} is not signed")]
    Unsigned { bundle: String },
    /// No key of this device has.
    #[error("{bundle} is signed by none of the {keys} keys in {}{reason}", folder.display(), reason = why(last.as_ref()))]
    OtherKey { bundle: String, keys: usize, folder: PathBuf, last: Option<SignatureError> },
    /// A file in the folder of keys is none.
    #[error("{}: {source}", path.display())]
    Key { path: PathBuf, source: SignatureError },
    /// The settings cannot be read.
    #[error("{}: {source}", path.display())]
    Settings { path: PathBuf, source: serde_yaml::Error },
    /// A bundle for another board.
    #[error("{bundle} is for the board {board}, this device is {own}")]
    OtherBoard { bundle: String, board: String, own: String },
    /// Older than what the device has had.
    #[error("{bundle} has security version {version}, and the device has had {had}")]
    Downgrade { bundle: String, version: u32, had: u32 },
    /// Another update is not confirmed yet.
    #[error("{bundle} is tried since the last boot, and not confirmed yet")]
    Unconfirmed { bundle: String },
    /// The root filesystem that runs lies where the new one would be written.
    #[error("{partition} has the root filesystem that runs, and the update would be written there")]
    InUse { partition: &'static str },
    /// Another one runs.
    #[error("another carveout-update works on this device")]
    Busy,
    /// A disk that is none of a device, or fails.
    #[error("{}: {source}", path.display())]
    Device { path: PathBuf, source: DeviceError },
    /// Nothing was flashed yet.
    #[error("{}: nothing was flashed to this device yet", path.display())]
    Empty { path: PathBuf },
    /// No disk can be found.
    #[error("the disk of the root filesystem cannot be found: {reason}")]
    NoDisk { reason: String },
    /// A board's slots cannot be read, or there is one alone.
    #[error("the boot slots: {reason}")]
    NoSlots { reason: String },
    /// A program of the device fails: NVIDIA's, or dpkg.
    #[error("`{program}` {how}{}", if last.is_empty() { String::new() } else { format!("; it said last: {last}") })]
    Engine { program: String, how: String, last: String, log: PathBuf },
    /// It says that it has written, and has not.
    #[error("slot {slot} does not hold what the update has for {partition}")]
    NotWritten { partition: String, slot: &'static str },
    /// The slot that boots was not changed.
    #[error("the next boot is not slot {slot}, as it should be")]
    NotSwitched { slot: &'static str },
    /// A payload of other modules.
    #[error("{bundle} has nothing for this module, {own}")]
    OtherModule { bundle: String, own: String },
    /// A payload with different parts for what the device is called.
    #[error("{bundle} has two different parts {partition} for this module, {own}")]
    SeveralModules { bundle: String, own: String, partition: String },
    /// A payload that is none.
    #[error("{bundle}: its update payload {source}")]
    Payload { bundle: String, source: PayloadError },
    /// It would overwrite the device's keys.
    #[error("{bundle} has an EKB (partition eks), which would take the place of this device's keys")]
    Ekb { bundle: String },
    /// The device may lose its power.
    #[error("the battery has {percent} %, and nothing charges it; an update wants {least} % at least")]
    Battery { percent: u8, least: u8 },
    /// The payload does not fit.
    #[error("{}: {need} bytes are needed, {have} are free", path.display())]
    NoRoom { path: PathBuf, need: u64, have: u64 },
    /// What we know of the slots is damaged.
    #[error("{}: {source}", path.display())]
    State { path: PathBuf, source: serde_json::Error },
    /// It was rolled back, and runs until the next boot.
    #[error("{bundle} was given up, and cannot be confirmed")]
    Abandoned { bundle: String },
    /// There is no other bundle.
    #[error("no update is tried, and both slots have the same bundle")]
    BothSlots,
    /// It is confirmed.
    #[error("{bundle} is confirmed, and is being copied over the old bundle")]
    Copying { bundle: String },
    /// A download fails.
    #[error("{}: {how}{}", url.display(), if first.is_empty() { String::new() } else { format!(": {first}") })]
    Download { url: PathBuf, how: String, first: String },
    /// What the root filesystem says of its bundle is damaged.
    #[error("{}: {source}", path.display())]
    Identity { path: PathBuf, source: IdentityError },
    /// Client apps are wanted, and the update has none.
    #[error("{bundle} has no client apps")]
    NoApps { bundle: String },
    /// An installed package cannot be packed.
    #[error("dpkg does not tell what the installed package {package} has")]
    Repack { package: String },
    /// A check of update.yaml did not pass.
    #[error("the check `{check}` {how}")]
    CheckFailed { check: String, how: String },
}

fn why(error: Option<&SignatureError>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}

impl UpdateError {
    /// What machines know it by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Archive { .. } => "no-update",
            Self::Channel { .. } => "no-release",
            Self::Unsigned { .. } => "unsigned",
            Self::OtherKey { .. } => "other-key",
            Self::Key { .. } => "wrong-key",
            Self::Settings { .. } => "wrong-settings",
            Self::OtherBoard { .. } => "other-board",
            Self::Downgrade { .. } => "downgrade",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::InUse { .. } => "in-use",
            Self::Busy => "busy",
            Self::Device { .. } => "device",
            Self::Empty { .. } => "empty-device",
            Self::NoDisk { .. } => "no-disk",
            Self::NoSlots { .. } => "no-slots",
            Self::Engine { .. } => "engine",
            Self::NotWritten { .. } => "not-written",
            Self::NotSwitched { .. } => "not-switched",
            Self::OtherModule { .. } => "other-module",
            Self::SeveralModules { .. } => "several-modules",
            Self::Payload { .. } => "wrong-payload",
            Self::Ekb { .. } => "has-ekb",
            Self::Battery { .. } => "battery",
            Self::NoRoom { .. } => "no-room",
            Self::State { .. } => "wrong-state",
            Self::Abandoned { .. } => "given-up",
            Self::BothSlots => "both-slots",
            Self::Copying { .. } => "confirmed",
            Self::Download { .. } => "download",
            Self::Identity { .. } => "wrong-identity",
            Self::NoApps { .. } => "no-apps",
            Self::Repack { .. } => "repack",
            Self::CheckFailed { .. } => "check-failed",
        }
    }

    /// The program's exit code.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Archive { .. }
            | Self::Channel { .. }
            | Self::Unsigned { .. }
            | Self::OtherKey { .. }
            | Self::OtherBoard { .. }
            | Self::Downgrade { .. }
            | Self::CheckFailed { .. }
            | Self::NotWritten { .. }
            | Self::NotSwitched { .. }
            | Self::OtherModule { .. }
            | Self::SeveralModules { .. }
            | Self::Payload { .. }
            | Self::Ekb { .. }
            | Self::NoApps { .. }
            | Self::Device { source: DeviceError::Contents { .. } | DeviceError::Source { .. }, .. } => CHECK,
            Self::Io { .. } | Self::Key { .. } | Self::Settings { .. } => USAGE,
            _ => ENVIRONMENT,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Io { .. } => "see whether the file is there, can be read, and its disk has room".into(),
            Self::Archive { .. } => "take a bundle's …-update.tar.zst as `carveout release` has made it, and copy it again".into(),
            Self::Channel { .. } => {
                "take a whole copy of the folder that `carveout release` has written, and --product and --channel as they are called there".into()
            }
            Self::Unsigned { .. } => "take a release, which its maker has signed (carveout release --sign KEY), or take it all the same: --unsigned".into(),
            Self::OtherKey { folder, .. } => {
                format!("put the maker's public key (minisign's .pub) into {}", folder.display())
            }
            Self::Key { .. } => "the folder is for public keys of minisign, in files that end with .pub".into(),
            Self::Settings { .. } => "carveout-update(8) says what update.yaml may have".into(),
            Self::OtherBoard { .. } => "take the bundle of this board".into(),
            Self::Downgrade { .. } => "take a newer bundle, or this one all the same: --allow-downgrade".into(),
            Self::Unconfirmed { .. } => "run: carveout-update confirm, or: carveout-update rollback".into(),
            Self::InUse { .. } => "start the device again first: it then runs what is active".into(),
            Self::Busy => "wait until it has ended".into(),
            Self::Device { source: DeviceError::TooLarge { .. }, .. } => {
                "the bundle has another layout: flash the device whole (carveout flash)".into()
            }
            Self::Device { source: DeviceError::NoPrevious | DeviceError::NothingTried, .. } => {
                "see what the device has: carveout-update status".into()
            }
            Self::Device { .. } => "flash the device whole (carveout flash), if its disk is sound".into(),
            Self::Empty { .. } => "flash it first: carveout flash BUNDLE --to virt:FILE".into(),
            Self::NoDisk { .. } => "name it: --disk /dev/…".into(),
            Self::NoSlots { .. } => "nvbootctrl dump-slots-info tells more; a board that was never flashed whole must be".into(),
            Self::Engine { log, .. } => format!("all that it said is in {}", log.display()),
            Self::NotWritten { .. } | Self::NotSwitched { .. } => {
                "what runs stays as it is; try again, and if it fails again, see whether the storage is sound (dmesg)".into()
            }
            Self::OtherModule { .. } => "take the bundle of this module: carveout inspect lists the modules of a bundle".into(),
            Self::SeveralModules { .. } => {
                "start nv-l4t-bootloader-config.service, which writes what the module is to /etc/nv_boot_control.conf".into()
            }
            Self::Payload { .. } => "build the bundle again, with the BSP of L4T R32".into(),
            Self::Ekb { .. } => "take a bundle without it, or replace the keys of this device: --replace-ekb".into(),
            Self::Battery { .. } => "charge it, or set `battery` in update.yaml".into(),
            Self::NoRoom { .. } => "make room there, or name another folder: --state".into(),
            Self::State { .. } => "remove the file; then nothing is known of earlier updates".into(),
            Self::Abandoned { .. } => "start the device again: it then runs the old bundle".into(),
            Self::BothSlots => "install the older bundle again: carveout-update install --allow-downgrade".into(),
            Self::Copying { .. } => "run carveout-update confirm to its end, then install the older bundle again".into(),
            Self::Download { .. } => "see whether the server is reached, and has the file; then try again".into(),
            Self::Identity { .. } => "remove the file; then nothing is known of the flash".into(),
            Self::NoApps { .. } => "install it without --apps, or take a bundle whose product has client_apps".into(),
            Self::Repack { .. } => "see whether dpkg is sound: dpkg --audit".into(),
            Self::CheckFailed { .. } => {
                "the next boot is the old bundle; until then the check may be tried again: carveout-update confirm".into()
            }
        }
    }
}
