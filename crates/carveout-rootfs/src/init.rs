//! What a root filesystem boots with.

/// Debian's packages with which a root filesystem boots.
pub const INIT: &str = "systemd-sysv";
/// The package that makes devices.
pub const DEVICES: &str = "udev";
/// Debian's other packages with an init. Two of them exclude each other.
pub const OTHER_INITS: [&str; 3] = ["sysvinit-core", "runit-init", "finit-sysv"];
