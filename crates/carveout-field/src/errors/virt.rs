//! Virt devices.

use carveout_host::error::Cause;
use carveout_host::size::human;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with virt devices.
    pub enum VirtError("field::virt") {
        /// The file is not the disk image of a virt device.
        NotADevice { path: PathBuf, source: Cause } => usage "not-a-device":
            ("{path}: {source}", path = path.display()),
            help (
                "name a virt device, or a file that is not there yet: cargo xtask flash BUNDLE --to virt:FILE makes one"
            );
        /// The file is a disk image, but lacks a partition that virt devices have.
        NoPartition { path: PathBuf, source: Cause } => usage "no-partition":
            ("{path}: {source}", path = path.display()),
            help (
                "name a virt device, or a file that is not there yet: cargo xtask flash BUNDLE --to virt:FILE makes one"
            );
        /// The blank file that is to become a virt device is smaller than the partitions of the bundle.
        TooSmall { path: PathBuf, needed: u64, source: Cause } => usage "too-small":
            ("{path}: {source}", path = path.display()),
            help ("truncate -s {needed} {path}, or name a file that is not there yet", path = path.display());
        /// A file of the bundle is larger than the partition of the virt device that it is written to.
        PartitionTooSmall { path: PathBuf, source: Cause } => check "partition-too-small":
            ("{path}: {source}", path = path.display()),
            help ("flash with --scope full, which gives the partitions their new sizes");
        /// The layout of the bundle has a partition that is larger than any virt device.
        LayoutTooLarge { path: PathBuf, source: Cause } => check "layout-too-large":
            ("{path}: {source}", path = path.display()),
            help ("give the partition its size in the board's layout, and build anew");
        /// The flash state of the virt device has a number that no device reaches by flashing.
        ImpossibleState { path: PathBuf, source: Cause } => check "impossible-flash-state":
            ("{path}: {source}", path = path.display()),
            help ("restore a backup of it, or remove the file and flash a bundle: that makes a new device");
        /// A partition of the virt device does not hold what was written to it.
        ReadBackDiffers { path: PathBuf, source: Cause } => check "read-back-differs":
            ("{path}: {source}", path = path.display()),
            help ("what is active is as it was; see whether the disk under the file is sound, and flash again");
        /// A file was changed between its verification and the end of its write to the virt device.
        InputChanged { path: PathBuf, source: Cause } => check "input-changed":
            ("{path}: {source}", path = path.display()),
            help ("what is active is as it was; get the bundle anew, it has changed since it was verified");
        /// The virt device has no bundle to go back to.
        NoPrevious { path: PathBuf, source: Cause } => check "no-previous-bundle":
            ("{path}: {source}", path = path.display()),
            help ("a bundle can be gone back to until the next flash begins; flash the one that is wanted");
        /// A newer carveout has flashed the virt device.
        NewerState { path: PathBuf, source: Cause } => check "newer-flash-state":
            ("{path}: {source}", path = path.display());
        /// The flash state is larger than its place on the virt device.
        StateTooLarge { path: PathBuf, source: Cause } => check "flash-state-too-large":
            ("{path}: {source}", path = path.display());
        /// The virt device that is to be read is being flashed.
        BeingFlashed { path: PathBuf } => check "being-flashed":
            ("{path}: in use: it is being flashed", path = path.display()),
            help ("wait until that has ended, or end it, and run the command again");
        /// Another carveout flashes or reads the virt device that is to be written.
        InUse { path: PathBuf } => check "in-use":
            ("{path}: in use: another carveout flashes or reads it", path = path.display()),
            help ("wait until that has ended, or end it, and run the command again");
        /// The file of the virt device is attached as a loop device.
        Attached { path: PathBuf, device: String } => check "attached":
            ("{path}: in use: it is attached as /dev/{device} (losetup -d /dev/{device})", path = path.display()),
            help ("wait until that has ended, or end it, and run the command again");
        /// The file that is to become a virt device holds something else.
        HoldsOther { path: PathBuf } => usage "holds-something-else":
            ("{path}: holds something else than a virt device: it is not overwritten", path = path.display()),
            help ("name another file, or remove this one");
        /// The virt device is of another board than the bundle.
        OtherBoard { path: PathBuf, board: String, bundle_board: String } => usage "other-board":
            ("{path}: is a device of board {board}, the bundle is for {bundle_board}", path = path.display()),
            help ("take a bundle for its board, or name another file");
        /// The security version of the bundle is smaller than one that the virt device has had.
        Downgrade { path: PathBuf, bundle: String, had: u32, has: u32 } => check "downgrade": (
            "{path}: has had security version {had}, {bundle} has {has}: it may have holes that newer ones have closed",
            path = path.display()
        ), help ("flash a newer release; --allow-downgrade goes back all the same, which is for the desk");
        /// A scope that writes only a part was asked for, and the virt device has no bundle yet.
        NoBundleYet { path: PathBuf, scope: String } => check "no-bundle-yet":
            ("{path}: has no bundle yet, {scope} alone makes none", path = path.display()),
            help ("nothing has been written; flash with --scope full, --keep-app keeps the root filesystem");
        /// A scope that writes only a part was asked for, and the virt device has other partitions than the bundle.
        OtherPartitions { path: PathBuf, scope: String } => check "other-partitions": (
            "{path}: has other partitions than the bundle's layout, {scope} alone would leave them so",
            path = path.display()
        ), help ("nothing has been written; flash with --scope full, --keep-app keeps the root filesystem");
        /// Secure-os alone is to be written, and the boot config of the virt device is not that of the bundle.
        OtherBootConfig { path: PathBuf, scope: String, carve_out: u64 } => check "other-boot-config": (
            "{path}: has another boot config than the bundle, whose carve-out is {carve_out}: {scope} alone would \
             leave it so",
            path = path.display(),
            carve_out = human(*carve_out)
        ), help ("nothing has been written; flash with --scope full, --keep-app keeps the root filesystem");
        /// The bundle has none of the files that the scope writes.
        NothingForScope { bundle: String, scope: String } => usage "nothing-for-scope":
            ("{bundle} has nothing for scope {scope}"),
            help ("build it with a root filesystem, or take another scope");
        /// The virt device does not have the bundle that was named with --from.
        NotFrom { path: PathBuf, bundle: String } => check "other-than-from":
            ("{path}: has {bundle}, not the bundle of --from", path = path.display()),
            help ("leave --from out: what a virt device has is compared with the bundle itself");
        /// The same virt device was named twice in one command.
        NamedTwice { path: PathBuf } => usage "named-twice":
            ("--to virt:{path}: is named twice", path = path.display()),
            help ("name each file once: another path may lead to the same one");
        /// The virt device that is to be backed up has no root filesystem.
        NoRootFilesystem { path: PathBuf } => check "no-root-filesystem":
            ("{path}: has no root filesystem", path = path.display()),
            help ("flash a bundle that has one");
        /// A root filesystem is to be restored to a virt device that has no bundle yet.
        RestoreWithoutBundle { path: PathBuf } => check "restore-without-bundle":
            ("{path}: has no bundle yet", path = path.display()),
            help ("flash one first");
    }
}
