//! Errors of the image that QEMU boots.

use carveout_host::error::Cause;
use carveout_host::size::human;
use std::path::PathBuf;

carveout_host::errors! {
    /// Why an image cannot be booted on the desk.
    pub enum ImageError("desk::image") {
        /// The secure-os image is damaged or cut off.
        BadContainer { name: String, source: Cause }
            => check "bad-container": ("{name}: {source}"),
            help ("build or copy the image again: cargo xtask inspect tells its parts");
        /// The secure-os image is encrypted.
        Encrypted { name: String }
            => check "encrypted": ("{name}: is encrypted, so its kernel cannot be booted here"),
            help ("use the unencrypted image: a bundle has it as secure-os/tos.img");
        /// The secure-os image holds a monitor and no Trusty.
        OnlyMonitor { name: String }
            => check "only-monitor": ("{name}: has no kernel, only a monitor"),
            help ("use an image with Trusty in it, such as tos-trusty_t194.img");
        /// The secure-os image holds trusted apps and no kernel.
        OnlyTrustedApps { name: String }
            => check "only-trusted-apps": ("{name}: has no kernel, only trusted apps"),
            help ("use --backend unicorn, which runs trusted apps without one");
        /// The carve-out has a size that no board allows.
        BadTzdramSize { name: String, source: Cause }
            => usage "bad-tzdram-size": ("{name}: {source}");
        /// The secure-os image and what MB2 needs beside it are larger than the carve-out.
        TooLargeForMb2 { name: String, source: Cause }
            => check "too-large-for-mb2": ("{name}: {source}"),
            help ("raise tzdram.size, or use fewer or smaller trusted apps");
        /// The kernel with its trusted apps is larger than the carve-out.
        KernelTooLarge { name: String, kernel: u64, room: u64 }
            => check "kernel-too-large":
            ("{name}: its kernel of {} does not fit into {} of carve-out", human(*kernel), human(*room));
        /// The desk's own monitor is larger than its place in the flash image.
        MonitorTooLarge { length: usize, room: u64 }
            => check "monitor-too-large": ("the monitor has {length} bytes, {room} are its room");
        /// The desk's monitor would not accept where the parts of the image lie.
        BadBootBlock { block: String }
            => check "bad-boot-block": ("the image cannot be booted here: {block}");
        /// A program of the desk's firmware is an empty file.
        EmptyFirmware { path: PathBuf }
            => check "empty-firmware": ("{}: is empty", path.display());
    }
}
