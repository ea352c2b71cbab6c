//! Of products, the files of their boards, and the stages in general.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with boot config and partition layout.
    pub enum BootConfigError("build::boot-config") {
        /// The partition layout of the board cannot be read.
        Layout { layout: String, source: Cause } => usage "unreadable-layout": ("{layout}: {source}");
        /// The partition layout lacks a partition that a bundle is written to.
        NoPartition { layout: String, lacks: Vec<String> } => usage "no-partition":
            ("{layout}: the layout has no partition {}", lacks.join(", no partition ")),
            help ("put the partition back, or take the layout from NVIDIA's tarball again; \
                   cargo xtask inspect lists what is in it");
        /// A root filesystem that names the partition that it boots from, for a layout with two of them.
        TwoRoots { path: PathBuf, layout: String } => usage "two-roots":
            ("{}: rootfs: {layout} has two partitions for it, and the one that carveout makes boots from APP, wherever it lies", path.display()),
            help ("give your own with kind: tarball, whose extlinux.conf serves both; or take a layout without APP_b");
        /// The partition layout names a file that the BSP has not.
        NoFile { layout: String, line: u32, partition: String, file: String } => usage "no-partition-file":
            ("{layout}:{line}: partition {} gets {}, which the BSP has not in bootloader/", partition.escape_debug(), file.escape_debug()),
            help ("put the file there, or take <filename> out of the partition; disks that are encrypted for one device \
                   (ROOTFS_ENC) cannot be in a bundle");
        /// The board's storage has no room for a partition APP of the configured size.
        NoRoomForApp {
            key: &'static str, app: u64, most: u64,
            layout: String, device: String, size: u64, others: u64,
        } => usage "no-room-for-app":
            ("the partition APP would have {app} bytes, there is room for {most}: by {layout} the device {} has {size}, and \
              the other partitions take {others}", device.escape_debug()),
            help ("set {key} to {}MiB or less", most >> 20);
        /// The partitions other than APP already fill the board's storage.
        NoRoom { layout: String, device: String, size: u64, others: u64 } => usage "no-room-beside-others":
            ("{layout}: the device {} has {size} bytes, its partitions without APP take {others}",
            device.escape_debug()),
            help ("make partitions of the layout smaller");
        /// A misc boot config is for another SoC than the board has.
        OtherSoc { file: String, found: String, board: String, soc: String } => usage "other-soc":
            ("{file}: is for {found}, board {board} has {soc}"),
            help ("name another in the board's file: t194's are called tegra194-mb1-bct-misc-*.cfg, those of t186 tegra186-…");
        /// A misc boot config file has lines that are wrong, or lacks the lines of the carve-out.
        MiscConfig { file: String, source: Cause } => usage "wrong-misc-config": ("{file}: {source}"),
            help ("mend the lines in the file, or take it from NVIDIA's tarball again");
    }
}

carveout_host::errors! {
    /// What can go wrong with what a product names.
    pub enum ProductError("build::product") {
        /// A root filesystem was to be built, and the product config has none.
        NoRootfs { path: PathBuf } => usage "no-rootfs": ("{}: this product has no rootfs", path.display());
        /// The first client app of the product was meant, and the product config has none.
        NoClientApp { path: PathBuf } => usage "no-client-app":
            ("{}: this product has no client app", path.display()), help ("name one with --client");
        /// No command was named for the running system, and the product config has no self-test.
        NoSelfTest { path: PathBuf } => usage "no-self-test": ("{}: this product has no self_test", path.display()),
            help ("name a command behind --, or write self_test: [PROGRAM, ARGUMENT] in the product config");
        /// No package of the workspace is the client app that was named.
        UnknownClientApp { why: String } => usage "unknown-client-app": ("no client app: {why}"),
            help ("--client takes a client app of the workspace, or the path of a program or a .deb");
        /// A board file of the workspace cannot be used.
        Board { why: String } => usage "wrong-board": ("{why}");
    }
}

carveout_host::errors! {
    /// What can go wrong with any stage.
    pub enum StageError("build::stage") {
        /// The build of a client app has left no Debian package.
        NoPackage { name: String } => check "no-package": ("{name}: no package was built");
        /// The finished package of a client app has changed while it was copied.
        DebChanged { path: PathBuf } => check "package-changed":
            ("{}: its name, version or architecture has changed during the build", path.display()),
            help ("run the command again");
        /// A stage has ended by a bug of carveout.
        Panicked => check "panicked": ("a stage has panicked: this is a bug of carveout, please report it");
    }
}
