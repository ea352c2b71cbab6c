//! What can go wrong, and what to do about it.

use bundle::{SignatureError, UpdateArchiveError};
use std::io;
use std::path::PathBuf;
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
            Self::Unsigned { .. } => "sign the bundle (carveout sign), or take it all the same: --unsigned".into(),
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
            Self::CheckFailed { .. } => {
                "the next boot is the old bundle; until then the check may be tried again: carveout-update confirm".into()
            }
        }
    }
}
