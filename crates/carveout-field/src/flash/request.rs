//! What is asked for.

use bundle::PublicKey;
use std::path::PathBuf;
use std::str::FromStr;
use tegra_flash::Scope;
use tegra_flash::scope::NoScope;

/// How much is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What differs.
    Auto,
    /// This.
    Exactly(Scope),
}

impl FromStr for Extent {
    type Err = NoScope;

    fn from_str(text: &str) -> Result<Self, NoScope> {
        if text == Self::AUTO { Ok(Self::Auto) } else { text.parse().map(Self::Exactly) }
    }
}

impl Extent {
    /// What differs, in a word.
    const AUTO: &str = "auto";

    /// All, as people write them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        [Self::AUTO].into_iter().chain(Scope::ALL.into_iter().rev().map(Scope::name))
    }
}

/// What becomes of the EKB that a board has, in a full flash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EkbChoice {
    /// One of its own stays.
    #[default]
    Keep,
    /// It gets the bundle's.
    Replace,
    /// It gets this one: what an earlier flash had kept.
    File(PathBuf),
}

impl EkbChoice {
    /// `keep`, `replace`, or a file.
    pub fn of(word: &str) -> Self {
        match word {
            "keep" => Self::Keep,
            "replace" => Self::Replace,
            file => Self::File(file.into()),
        }
    }
}

/// What `flash` is asked for.
#[derive(Clone, Debug)]
pub struct FlashRequest {
    /// A bundle's folder or its .tar.zst; none with a channel.
    pub bundle: Option<PathBuf>,
    /// The channel whose newest release is meant.
    pub channel: Option<String>,
    /// Which product of the channel.
    pub product: Option<String>,
    /// `usb`, virt:FILE, or card: with a disk or a file.
    pub to: Vec<String>,
    /// How much; without it everything, or with `from` what differs.
    pub extent: Option<Extent>,
    /// The bundle that the devices have.
    pub from: Option<PathBuf>,
    /// Who must have signed the bundle.
    pub key: Option<PublicKey>,
    /// Accept what is older than what the device or this user has had.
    pub allow_downgrade: bool,
    /// Boards with an SBK: write secure-os although their carve-out cannot be compared.
    pub carve_out_unseen: bool,
    /// Keep the device's own root filesystem in a full flash.
    pub keep_app: bool,
    /// Boards: write this root filesystem.
    pub app: Option<PathBuf>,
    /// Write a root filesystem even if it is no ext4.
    pub raw_anyway: bool,
    /// Boards: where to keep what is read of them, instead of beside the records.
    pub backup_dir: Option<PathBuf>,
    /// Boards: what becomes of the EKB.
    pub ekb: EkbChoice,
    /// Boards with an SD card: leave the card alone.
    pub without_card: bool,
    /// Only these boards.
    pub instance: Vec<String>,
    /// Tell what would be done, and touch no device.
    pub dry_run: bool,
}

/// What `backup` is asked for.
#[derive(Clone, Debug)]
pub struct Backup {
    /// virt:FILE, or a bundle for the board, whose tools are used.
    pub target: String,
    /// The new file.
    pub output: PathBuf,
    /// A raw image instead of an Android sparse one.
    pub raw: bool,
    /// Keep what was read even if it is no ext4 filesystem.
    pub raw_anyway: bool,
    /// Which board.
    pub instance: Option<String>,
}

/// What `restore` is asked for.
#[derive(Clone, Debug)]
pub struct Restore {
    /// virt:FILE, or a bundle for the board, whose tools are used.
    pub target: String,
    /// What to write.
    pub image: PathBuf,
    /// Write it even if it is no ext4 filesystem.
    pub raw_anyway: bool,
    /// Which board.
    pub instance: Option<String>,
}
