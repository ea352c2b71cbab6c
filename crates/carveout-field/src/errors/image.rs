//! Images of root filesystems, and the files that they are read from and written to.

use carveout_host::error::Cause;
use carveout_host::size::human;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with images of root filesystems.
    pub enum ImageError("field::image") {
        /// The image that was named is missing or cannot be looked at.
        NotAccessible { path: PathBuf, source: io::Error } => usage "not-accessible":
            ("{path}: {source}", path = path.display()),
            help ("name what backup made, NVIDIA's system.img (sparse) or its system.img.raw");
        /// A folder was named as the image.
        Folder { path: PathBuf } => usage "folder": ("{path}: a folder, not an image", path = path.display()),
            help ("give the file of an image: dd if=DEVICE of=FILE makes one of a device");
        /// A device or a pipe was named as the image.
        NotAFile { path: PathBuf } => usage "not-a-file":
            ("{path}: a device or pipe, not a file", path = path.display()),
            help ("give the file of an image: dd if=DEVICE of=FILE makes one of a device");
        /// The image is larger than the partition APP of the bundle, or empty.
        TooLarge { path: PathBuf, size: u64, partition: u64 } => usage "too-large":
            ("{path}: holds {size} bytes, the partition APP of this bundle {partition}", path = path.display()),
            help ("shrink the filesystem with resize2fs, or take a bundle with a larger partition APP");
        /// The image is larger than the partition APP of the bundle, but the filesystem in it would fit.
        Padded { path: PathBuf, size: u64, partition: u64, filesystem: u64 } => usage "padded":
            ("{path}: holds {size} bytes, the partition APP of this bundle {partition}", path = path.display()),
            help ("its filesystem fits: truncate -s {filesystem} {path}", path = path.display());
        /// The image holds no sound root filesystem.
        NoRootFilesystem { path: PathBuf, source: Cause, advice: &'static str } => usage "no-root-filesystem":
            ("{path}: {source}", path = path.display()),
            help ("{advice}; --raw-anyway writes the file as it is");
        /// An Android sparse image is damaged.
        DamagedSparse { path: PathBuf, source: Cause } => usage "damaged-sparse-image":
            ("{path}: a damaged Android sparse image: {source}", path = path.display()),
            help ("copy it again from where it was made, or take another backup");
        /// An Android sparse image cannot be made of what was read.
        SparseNotMade { path: PathBuf, source: Cause } => check "sparse-image-not-made":
            ("{path}: {source}", path = path.display());
        /// What was read of the partition APP is no sound root filesystem.
        ReadNoRootFilesystem { source: Cause, advice: String } => check "read-no-root-filesystem":
            ("what was read of APP is no root filesystem: {source}"),
            help ("{advice}; --raw-anyway takes it as it is");
        /// A file was changed by another program while a flash, a backup or a restore used it.
        Changed { path: PathBuf, size: u64, before: u64, state: String } => check "changed": (
            "{path}: has changed while it was used: {size} bytes, before {before}",
            path = path.display()
        ), help ("{state}; run the command again when nothing writes to the file");
        /// The folder for a root filesystem that is read of a board has not enough room.
        NotEnoughRoom { path: PathBuf, free: u64, needed: u64 } => environment "not-enough-room": (
            "{path}: {free} are free, the board's root filesystem takes {needed}",
            path = path.display(),
            free = human(*free),
            needed = human(*needed)
        ), help ("free some space, or name another folder with --backup-dir (backup: --output)");
        /// The file that the backup is to be written to is there already.
        OutputExists { path: PathBuf } => usage "output-exists": ("{path}: exists already", path = path.display()),
            help ("name another file with --output");
    }
}
