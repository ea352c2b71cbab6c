//! Errors of SD cards and their images.

use carveout_host::error::Cause;
use carveout_host::size::human;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with an SD card.
    pub enum CardError("field::card") {
        /// The board of the bundle has no SD card.
        NoCard { board: String } => usage "no-card":
            ("board {board} has no SD card: all of it is flashed over USB"),
            help ("use --to usb");
        /// The partition layout gives partitions of the card no place.
        Layout { source: Cause } => check "card-layout": ("the bundle's layout of the card: {source}"),
            help ("build the bundle again with a layout that gives every partition of the card its size");
        /// The modules of the bundle want different files on the card.
        SeveralModules { partition: String, modules: Vec<String> } => usage "card-of-several-modules":
            ("partition {partition} of the card is not the same for the modules {}", modules.join(", ")),
            help ("build a bundle for one module: l4t.modules in the product config");
        /// The file is there and is no image of a card.
        NoImage { path: PathBuf } => usage "no-card-image":
            ("{}: is there already, and is no image of a card", path.display()),
            help ("nothing has been written; name a new file, or remove this one");
        /// Nothing stands behind `card:`.
        NoName => usage "no-name": ("card: names no card"),
            help ("name a new file, or the whole card, such as card:/dev/sdX or card:/dev/mmcblk0");
        /// A card is named twice, by the same path or another.
        NamedTwice { path: PathBuf } => usage "named-twice": ("--to card:{}: is named twice", path.display()),
            help ("nothing has been written; name each card once: another path may lead to the same one");
        /// The card's switch forbids writing.
        WriteProtected { path: PathBuf } => usage "write-protected": ("{}: is write-protected", path.display()),
            help ("nothing has been written; move the card's switch, or that of its adapter");
        /// What goes to the card is not in the bundle.
        Lacks { path: PathBuf, lacks: String } => usage "not-enough-for-card":
            ("{} cannot be written to a card: {lacks}", path.display()),
            help ("build a bundle with a whole BSP (kernel and initrd, too) and a root filesystem; --app FILE stands for the latter alone");
        /// A path below /dev is no disk.
        NoDisk { path: PathBuf } => usage "no-disk": ("{}: there is no such disk", path.display()),
            help ("nothing has been written; put the card in: `lsblk` tells its name. An image goes to another folder");
        /// The card, or the image of one, ends before its partitions do.
        CutOff { path: PathBuf, size: u64, needed: u64 } => check "card-cut-off":
            ("{}: has {size} bytes, its partitions end at {needed}", path.display()),
            help ("write the card anew, or copy the image again as a whole");
        /// A folder, a pipe or a character device.
        OtherKind { path: PathBuf } => usage "neither-file-nor-disk":
            ("{}: is neither a file nor a block device", path.display()),
            help ("name a new file, or the whole card, such as /dev/sdX or /dev/mmcblk0");
        /// A partition of a disk was named.
        APartition { path: PathBuf } => usage "a-partition": ("{}: is one partition of a disk", path.display()),
            help ("nothing has been written; name the whole card, such as /dev/sdX without its number");
        /// A disk that is built in.
        NotRemovable { path: PathBuf } => usage "not-removable":
            ("{}: is a disk that cannot be taken out: a card's reader says that it can", path.display()),
            help ("nothing has been written; `lsblk` tells which disk is the card. If it is this one, write an image into a \
                   file and copy that");
        /// Something of the card is mounted or used otherwise.
        InUse { path: PathBuf } => usage "card-in-use": ("{}: is in use", path.display()),
            help ("nothing has been written; unmount all of its partitions: `lsblk {}` names them", path.display());
        /// The card is too small.
        TooSmall { path: PathBuf, size: u64, needed: u64 } => usage "card-too-small":
            ("{}: has {size} bytes, {needed} are needed", path.display()),
            help ("take a larger card, or build the bundle with a smaller rootfs.size: it is {} too large", human(needed - size));
        /// The partition table could not be written or read.
        Table { path: PathBuf, source: Cause } => check "card-table":
            ("{}: has no partition table of a card that can be read: {source}", path.display()),
            help ("flash --to card: writes a card, or an image of one, anew");
        /// What was written is not what is read.
        ReadBackDiffers { path: PathBuf, partition: String } => check "card-differs":
            ("{}: what was read back of {partition} is not what was written", path.display()),
            help ("try another card or another reader");
        /// An option that has no meaning for a card.
        Option { option: &'static str } => usage "option-for-cards": ("{option} has no meaning with --to card:"),
            help ("leave it out");
        /// --without-card with a board that has none, or with another scope than full.
        WithoutCard { why: String } => usage "without-card": ("--without-card: {why}"),
            help ("leave it out");
    }
}
