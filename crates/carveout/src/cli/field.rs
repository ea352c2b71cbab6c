//! Options of what releases, and of what touches devices.

use super::build::BuildArgs;
use carveout_field::flash::Extent;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Options of `release`.
#[derive(Clone, Debug, Args)]
pub struct ReleaseArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Release this bundle, which was built from the same commit, instead of building one: of CI, or of BitBake.
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// The key that signs: a file of minisign's or a PKCS#11 URI. Without it, the text in CARVEOUT_SIGN_KEY. A password comes
    /// from CARVEOUT_SIGN_PASSWORD or the terminal, a PIN from CARVEOUT_PKCS11_PIN.
    #[arg(long, value_name = "KEY")]
    pub sign: Option<String>,
    /// Which channel it goes to.
    #[arg(long, value_parser = carveout_build::release::CHANNELS, default_value = "stable")]
    pub channel: String,
    /// The bundle that it is compared with, instead of the channel's newest release of this product.
    #[arg(long, value_name = "BUNDLE")]
    pub previous: Option<PathBuf>,
    /// Keep this many releases of the product in the channel, and remove older ones.
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub keep: Option<usize>,
    /// Leave a part out.
    #[arg(long, value_name = "PART", value_parser = ["rootfs"])]
    pub without: Vec<String>,
    /// Do not boot the secure-os image in QEMU before the bundle gets its name (boards with a kernel); the manifest says so.
    #[arg(long)]
    pub no_boot: bool,
    /// Boot Linux from the root filesystem before the bundle gets its name: the system must run, no unit fail, and the product's
    /// `self_test` pass.
    #[arg(long, conflicts_with_all = ["without", "bundle"])]
    pub boot_linux: bool,
    /// Put this program beside the bundle instead of building one: carveout as a static program for Linux on x86-64, with which
    /// technicians flash.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Where releases lie.
    #[arg(short, long, value_name = "DIR", default_value = "target/releases")]
    pub output_dir: PathBuf,
}

/// Options of `manual`.
#[derive(Clone, Debug, Args)]
pub struct ManualArgs {
    /// Where they go, instead of target/carveout/manual.
    #[arg(short, long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

/// Options of `key`.
#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: KeyAction,
}

/// What is done with keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyAction {
    /// Make a key, in minisign's format: FILE is secret, FILE.pub is for everyone.
    New {
        /// The new file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Seal it with no password: only its place protects it.
        #[arg(long)]
        no_password: bool,
    },
    /// Sign any file, as minisign does: FILE.minisig. For keys in tokens, which minisign does not know.
    Sign {
        /// What is signed.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The secret key: its file or a PKCS#11 URI. Without it, the one in CARVEOUT_SIGN_KEY.
        #[arg(long, value_name = "KEY")]
        sign: Option<String>,
        /// What is signed besides.
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
    },
    /// Print the public key of a secret one, for `verify --key`.
    Public {
        /// The secret key: its file or a PKCS#11 URI. Without it, the one in CARVEOUT_SIGN_KEY.
        #[arg(value_name = "KEY")]
        key: Option<String>,
    },
}

const FLASH_EXAMPLES: &str = "\
Examples:
  What would be done, and how long it takes:
      sudo -E cargo xtask flash BUNDLE --to usb --dry-run
  Everything, with the board's root filesystem kept:
      sudo -E cargo xtask flash BUNDLE --to usb --keep-app
  The secure-os image alone:
      sudo -E cargo xtask flash BUNDLE --to usb --scope secure-os
  A board with an SD card: the card in this host's reader, then the board without it:
      sudo -E cargo xtask flash BUNDLE --to card:/dev/sdX
      sudo -E cargo xtask flash BUNDLE --to usb --without-card
  Two virt devices, no more than what differs:
      cargo xtask flash BUNDLE --to virt:one.img --to virt:two.img --scope auto
  The newest release of a channel:
      cargo xtask flash --channel URL --key release.key.pub --to virt:one.img

How a board is brought into recovery mode depends on its kind: docs/jetson.md says it for each, and a flash that finds no board \
says it for the bundle's.

A changed carve-out needs a full flash. A flash that was cut off is done again by the same command; a virt device has \
its old bundle until then. docs/when-a-flash-fails.md explains errors.";

/// Options of `flash`.
#[derive(Clone, Debug, Args)]
#[command(after_help = FLASH_EXAMPLES)]
pub struct FlashArgs {
    /// A bundle's folder or its .tar.zst.
    #[arg(required_unless_present = "channel", conflicts_with = "channel")]
    pub bundle: Option<PathBuf>,
    /// Flash the newest release of a channel: the folder that `release` has written, or its URL. #beta behind it names the
    /// channel, else it is stable.
    #[arg(long, value_name = "URL|DIR")]
    pub channel: Option<String>,
    /// Which product of the channel, if it has several.
    #[arg(long, value_name = "NAME", requires = "channel")]
    pub product: Option<String>,
    /// Where to: `usb`, all boards in recovery mode at this host; card:DISK or card:FILE, the SD card of a board that has one, or an
    /// image of it; or virt:FILE, a disk image, which is made if it is not there.
    #[arg(long, value_name = "usb|card:DISK|virt:FILE", required = true)]
    pub to: Vec<String>,
    /// How much: everything; both slots of secure-os, which leaves the carve-out as it is; the root filesystem; or what differs.
    /// [default: full]
    #[arg(long, value_parser = PossibleValuesParser::new(Extent::names()).try_map(|word| word.parse::<Extent>()))]
    pub scope: Option<Extent>,
    /// With --scope auto: the bundle that the device has. Virt devices tell it themselves.
    #[arg(long, value_name = "OLD")]
    pub from: Option<PathBuf>,
    /// The public key of who must have signed the bundle: minisign's .pub file, or the text in its second line.
    #[arg(long, value_name = "PUB")]
    pub key: Option<String>,
    /// Accept a bundle with a smaller security version than the device has had, and of a channel an older release than was seen
    /// there before.
    #[arg(long)]
    pub allow_downgrade: bool,
    /// Boards with an SBK: write secure-os alone, although the carve-out of the board cannot be compared: its boot config is encrypted.
    #[arg(long)]
    pub carve_out_unseen: bool,
    /// Keep the device's own root filesystem in a full flash. A board's is read first, and put back; the copy stays.
    #[arg(long)]
    pub keep_app: bool,
    /// Boards: write this root filesystem instead of the bundle's own: what --keep-app or backup has read.
    #[arg(long, value_name = "FILE", conflicts_with = "keep_app")]
    pub app: Option<PathBuf>,
    /// With --app or --keep-app: write the root filesystem as it is, even if it is no ext4 filesystem.
    #[arg(long)]
    pub raw_anyway: bool,
    /// Boards: where to keep what --keep-app reads. [default: the folder of the flash records]
    #[arg(long, value_name = "DIR", requires = "keep_app")]
    pub backup_dir: Option<PathBuf>,
    /// Boards, in a full flash: keep an EKB of the board's own (one whose keys not everybody has), replace it by the bundle's, or write the
    /// FILE that a flash which failed had kept.
    #[arg(long, value_name = "keep|replace|FILE", default_value = "keep")]
    pub ekb: String,
    /// Boards with an SD card: write all but what is on the card, which --to card: writes.
    #[arg(long)]
    pub without_card: bool,
    /// Only these boards, by USB bus and port, such as 1-2.
    #[arg(long, value_name = "BUS-PORT")]
    pub instance: Vec<String>,
    /// Tell what would be done, and touch no device.
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Which device: a board in recovery mode at this host; an SD card, or an image of one; a virt device; or one that runs and that
    /// ssh reaches without a password.
    #[arg(long, value_name = "usb|card:DISK|virt:FILE|ssh:HOST|FILE")]
    pub to: String,
    /// With --to usb: a bundle for the board, whose tools talk to it, and with which its secure-os image is compared. With --to card: the
    /// bundle that the card is compared with.
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// With --to usb: which board, by USB bus and port.
    #[arg(long, value_name = "BUS-PORT")]
    pub instance: Option<String>,
}

/// Options of `rollback`.
#[derive(Clone, Debug, Args)]
pub struct RollbackArgs {
    /// Which device.
    #[arg(value_name = "virt:FILE")]
    pub device: String,
    /// Go back even behind a security version that the device has had.
    #[arg(long)]
    pub allow_downgrade: bool,
}

/// Options of `backup`.
#[derive(Clone, Debug, Args)]
pub struct BackupArgs {
    /// A virt device; or a bundle for the board, whose tools are used: its folder or its .tar.zst.
    #[arg(value_name = "BUNDLE|virt:FILE")]
    pub target: String,
    /// The new file.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// A raw image instead of an Android sparse one.
    #[arg(long)]
    pub raw: bool,
    /// Keep what was read even if it is no ext4 filesystem.
    #[arg(long)]
    pub raw_anyway: bool,
    /// Which board, by USB bus and port, such as 1-2.
    #[arg(long, value_name = "BUS-PORT")]
    pub instance: Option<String>,
}

/// Options of `restore`.
#[derive(Clone, Debug, Args)]
pub struct RestoreArgs {
    /// A virt device; or a bundle for the board, whose tools are used: its folder or its .tar.zst.
    #[arg(value_name = "BUNDLE|virt:FILE")]
    pub target: String,
    /// What to write: an ext4 filesystem, as a raw or an Android sparse image.
    pub image: PathBuf,
    /// Write the file even if it is no ext4 filesystem. The device may not start with it.
    #[arg(long)]
    pub raw_anyway: bool,
    /// Which board, by USB bus and port, such as 1-2.
    #[arg(long, value_name = "BUS-PORT")]
    pub instance: Option<String>,
}

/// Options of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// A bundle's folder or its .tar.zst.
    pub bundle: PathBuf,
    /// The release before, a bundle's folder or its .tar.zst: the page tells what differs, and what must be flashed for it.
    #[arg(long, value_name = "OLD")]
    pub previous: Option<PathBuf>,
    /// The public key of who must have signed the bundle: minisign's .pub file, or the text in its second line.
    #[arg(long, value_name = "PUB")]
    pub key: Option<String>,
    /// The page. Default: the bundle's name with .report.html, in the current folder.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
