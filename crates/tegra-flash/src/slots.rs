//! Names of the partitions that a bundle's own files go to: slot A, and slot B where the board has one.

/// The boot config that MB1 reads, with the carve-out.
pub const MB1_BCT: [&str; 2] = ["MB1_BCT", "MB1_BCT_b"];
/// The secure-os image.
pub const SECURE_OS: [&str; 2] = ["secure-os", "secure-os_b"];
/// Kernel and initrd.
pub const KERNEL: [&str; 2] = ["kernel", "kernel_b"];
/// The root filesystem. Layouts of NVIDIA's have the first alone.
pub const APP: [&str; 2] = ["APP", "APP_b"];

/// Names that flash.sh fills in, in NVIDIA's layouts of t186.
pub const PLACEHOLDERS: [(&str, &str); 2] = [("TOSNAME", SECURE_OS[0]), ("LNXNAME", KERNEL[0])];
