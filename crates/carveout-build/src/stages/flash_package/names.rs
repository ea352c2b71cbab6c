//! What files of a flash package are called.

/// The layout with all its names and sizes.
pub const LAYOUT: &str = "flash.xml";
/// The same for fused boards.
pub const SECURE_LAYOUT: &str = "secureflash.xml";
/// What each partition gets, as `partition file` lines.
pub const PARTITIONS: &str = "partitions";
/// Stands for the root filesystem while NVIDIA's tools run; the bundle has the real one.
pub const ROOTFS: &str = "system.img";
/// What flash.sh puts behind names of files for slot B.
pub const SLOT_B: &str = "_b";
/// Where flash.sh looks for the identity of a root filesystem's partition, before it makes one up.
pub const ROOT_UUID: &str = "l4t-rootfs-uuid.txt";
/// Holds, one a line, which of kernel and initrd were stand-ins.
pub const LACKS: &str = "lacks";
/// Folder of what reads a module's EEPROM.
pub const IDENTIFY: &str = "identify";
/// Holds what signed files were made of, as JSON by file.
pub const MADE_OF: &str = "made-of.json";
