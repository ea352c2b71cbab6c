//! Bundles.

use carveout_host::error::Cause;
use serde_json::Value;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with bundles.
    pub enum BundleError("field::bundle") {
        /// There is no file or folder of the bundle's name.
        NotFound { path: PathBuf, source: io::Error } => usage "not-found": ("{path}: {source}", path = path.display());
        /// What was named is neither the folder nor the archive of a bundle.
        NotABundle { path: PathBuf } => usage "not-a-bundle":
            ("{path}: no bundle: expected a bundle's folder or its .tar.zst", path = path.display());
        /// What should be a bundle's archive does not begin as an archive does.
        NotAnArchive { path: PathBuf } => check "not-an-archive":
            ("{path}: no bundle: it does not begin as a .tar.zst does", path = path.display()),
            help (
                "cargo xtask inspect tells what it is; a bundle is a folder or a .tar.zst that `cargo xtask image` \
                 has made"
            );
        /// The archive of a bundle cannot be unpacked.
        DamagedArchive { path: PathBuf, source: io::Error } => check "damaged-archive":
            ("{path}: the archive is damaged or truncated: {source}", path = path.display()),
            help ("copy it again from where it was built, or build it anew");
        /// A bundle holds something that no bundle holds, such as a link or a device.
        ForeignEntry { source: Cause } => check "foreign-entry": ("{source}");
        /// Files of a bundle are missing, have been changed, or break a rule.
        Problems { path: PathBuf, problems: Value } => check "problems": (
            "{path}: {count} problem(s)",
            path = path.display(),
            count = problems.as_array().map_or(0, Vec::len)
        ), help ("do not flash it: copy it again from where it was built, or build it anew");
        /// An update archive was named where a bundle is wanted.
        UpdateArchive { path: PathBuf } => usage "update-archive":
            ("{path}: is an update archive, which a running device takes, and no bundle", path = path.display()),
            help ("name the bundle itself, the .tar.zst beside it; docs/updates.md says how devices take updates");
        /// An update archive lacks a file, or has another one than its manifest lists.
        NoUpdate { path: PathBuf, source: Cause } => check "damaged-update":
            ("{path}: {source}", path = path.display()),
            help ("do not install it: copy it again from the release");
        /// The manifest of a verified bundle cannot be written as text again.
        ManifestText { source: Cause } => check "manifest-text": ("{source}");
        /// A file of a bundle was changed between its verification and its use.
        Changed { path: PathBuf, file: String } => check "changed-since-verified":
            ("{path}: {file} has changed since it was verified", path = path.display());
        /// Files of a bundle were removed between its verification and its use.
        LostFiles => check "lost-files": ("the bundle has lost files since it was verified");
        /// The files of a verified bundle cannot be unpacked for the flash.
        NotUnpacked { source: Cause } => check "not-unpacked": ("{source}");
        /// A bundle for the flash over USB has the flash package that meta-tegra makes.
        MetaTegraPackage { path: PathBuf } => usage "meta-tegra-package":
            ("{path}: has meta-tegra's flash package, as BitBake makes it", path = path.display()),
            help ("run flash/flash.sh of its folder");
        /// A bundle for the flash over USB was made without a flash package.
        NoFlashPackage { path: PathBuf } => usage "no-flash-package":
            ("{path}: was made without an image: it has no flash package", path = path.display()),
            help ("build it with CARVEOUT_IMAGE set");
        /// A bundle for the flash over USB is for a board that is not flashed over USB.
        NotForUsb { path: PathBuf, board: String } => usage "not-for-usb":
            ("{path}: is for board {board}, which is not flashed over USB", path = path.display()),
            help ("take a bundle that was built with --board jetson-agx-xavier");
        /// A bundle for a virt device is for a real board.
        NotForVirt { path: PathBuf, board: String } => usage "not-for-virt":
            ("{path}: is for board {board}, no virt device", path = path.display()),
            help ("boards in recovery mode are --to usb");
        /// A bundle lacks files that the scope of the flash writes.
        LacksForScope { path: PathBuf, scope: String, lacks: String } => usage "not-enough-for-scope":
            ("{path} cannot be flashed in scope {scope}: {lacks}", path = path.display()),
            help (
                "build a bundle with a whole BSP and a root filesystem, add --keep-app or --app FILE, or take --scope \
                 secure-os, which leaves the carve-out as it is"
            );
        /// The layout of the partitions cannot be read out of a bundle.
        LayoutNotRead { path: PathBuf, source: Cause } => check "layout-not-read":
            ("{path}: {source}", path = path.display());
        /// The layout of the partitions in a bundle breaks the rules of layouts.
        BadLayout { board: String, source: Cause } => check "bad-layout": ("the layout of board {board}: {source}");
        /// A partition in the layout of a virt device has no size.
        PartitionWithoutSize { board: String, partition: String } => check "partition-without-size":
            ("the layout of board {board}: partition {partition} has no size");
        /// The layout of a virt device lacks the partition that holds the flash state.
        NoStatePartition { board: String, partition: &'static str } => check "no-state-partition":
            ("the layout of board {board}: there is no partition {partition} for the flash state");
        /// The bundle lacks the program that reads the EEPROM of a module.
        NoEepromReader => check "no-eeprom-reader": ("the bundle has nothing to read a module's EEPROM with");
        /// The bundle is not for a real board, and a real board is to be flashed with it.
        NoRealBoard => check "no-real-board": ("the bundle is for no real board");
        /// The bundle has no file for a partition that is written or compared.
        NoFileForPartition { partition: String } => check "no-file-for-partition":
            ("the bundle has no file for partition {partition}");
        /// NVIDIA's flash script in the bundle lacks a variable: it comes from another L4T version.
        ScriptVariable { variable: String } => check "no-script-variable":
            ("nvaflash.sh of this bundle does not set {variable}: it is not of L4T R32.6.1 to R32.7");
    }
}
