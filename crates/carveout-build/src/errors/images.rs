//! Of the secure-os image, and of its boot on the desk.

use carveout_host::error::Cause;
use serde_json::Value;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong when Linux is booted from what was built.
    pub enum LinuxBootError("build::linux-boot") {
        /// The product's self-test has failed in the running system.
        SelfTestFailed { command: String, exit_code: i32, said: String } => check "self-test-failed":
            ("the self-test `{command}` ended with exit code {exit_code} in the booted system{said}"),
            help ("build without --boot-linux, and look for the reason: cargo xtask emulate BUNDLE --linux");
    }
}

carveout_host::errors! {
    /// What can go wrong with the secure-os image.
    pub enum SecureOsError("build::secure-os") {
        /// The trusted apps, or the image with them, would fail on the device.
        WouldFail { path: PathBuf, findings: Value } => check "would-fail":
            ("{}: this would fail on the device:", path.display()),
            help = findings[0]["remedy"].as_str().map(str::to_owned);
        /// The trusted apps cannot be put one behind the other.
        NotJoined { source: Cause } => check "apps-not-joined": ("{source}");
        /// The monitor and the trusted apps cannot be put into an image.
        NotPacked { source: Cause } => check "not-packed": ("{source}");
        /// The image that was built cannot be read back.
        Unreadable { path: PathBuf, source: Cause } => check "unreadable": ("{}: {source}", path.display());
        /// The secure-os image of the BSP cannot be read.
        StockImage { path: PathBuf, source: Cause } => usage "unreadable-stock-image":
            ("{}: {source}", path.display()),
            help ("use a whole BSP, or say l4t.monitor: sources in the product config to build the monitor");
        /// The secure-os image of the BSP is encrypted or has no monitor.
        NoMonitor { path: PathBuf } => usage "no-monitor":
            ("{}: has no monitor that can be taken out", path.display()),
            help ("use a whole BSP, or say l4t.monitor: sources in the product config to build the monitor");
        /// The monitor of the BSP's secure-os image is another SoC's.
        OtherSoc { path: PathBuf, found: String, board: String, soc: String } => usage "monitor-of-other-soc":
            ("{}: its monitor is for {found}, board {board} has {soc}", path.display()),
            help ("name the BSP's image for {soc} as l4t.secure_os in the board's file");
        /// The product config names a trusted app that NVIDIA's sources do not have.
        UnknownStockApp { name: String, known: Vec<String> } => usage "unknown-stock-app":
            ("l4t.stock_trusted_apps: `{name}` is no trusted app of NVIDIA's sources"),
            help ("stock are {}", known.join(", "));
        /// The kernel with its trusted apps is too large for the carve-out.
        TooLarge { source: Cause } => check "kernel-too-large":
            ("the kernel that was built is not as it should be: {source}"), help ("raise tzdram.size");
        /// The kernel has more trusted apps than its loader can start.
        TooManyApps { found: usize, most: usize } => check "too-many-apps":
            ("the kernel that was built is not as it should be: {found} trusted apps: the loader has room for {most}"),
            help ("use fewer trusted apps, or keep fewer of NVIDIA's with l4t.stock_trusted_apps");
        /// The kernel does not hold a trusted app of the product as it was built.
        OtherApp { index: usize, path: PathBuf } => check "other-app":
            ("the kernel that was built is not as it should be: trusted app {index} in it is not {}", path.display()),
            help ("the log of the stage secure-os tells what make did; are the sources NVIDIA's own?");
        /// The kernel has a trusted app that its loader would not take.
        UnloadableApp { index: usize, why: String } => check "unloadable-app":
            ("the kernel that was built is not as it should be: trusted app {index} in it: {why}");
        /// Two trusted apps in the kernel have the same UUID.
        SameUuid { uuid: String } => check "same-uuid":
            ("the kernel that was built is not as it should be: two trusted apps have the UUID {uuid}"),
            help ("give the product's trusted app another, or leave NVIDIA's out with l4t.stock_trusted_apps");
        /// The kernel lacks trusted apps of NVIDIA that it was to have.
        NoStockApps { found: usize, missing: Vec<String> } => check "stock-apps-missing":
            ("the kernel that was built has {found} of NVIDIA's trusted apps; missing are among {}",
            missing.join(", ")),
            help ("name those that shall be kept with l4t.stock_trusted_apps, or use NVIDIA's sources unchanged");
        /// One of NVIDIA's trusted apps in an image is one that its loader would not take.
        UnloadableStockApp { why: String } => check "unloadable-stock-app": ("{why}");
    }
}

carveout_host::errors! {
    /// What can be found wrong when the secure-os image is booted on the desk, before it gets into a bundle.
    pub enum DeskBootError("build::desk-boot") {
        /// Trusty does not boot, or stops.
        Stopped { report: String } => check "stopped":
            ("the secure-os image that was built does not work: {report}"),
            help ("mend the trusted app, or look at the console; --no-boot builds the bundle all the same");
        /// A port that Linux may use refuses a connection.
        Refused { port: String, reason: String } => check "port-refuses":
            ("the secure-os image that was built does not work: port {port} refuses a connection: {reason}"),
            help ("mend the trusted app, or look at the console; --no-boot builds the bundle all the same");
        /// The trusted app of a port that Linux may use has ended.
        Gone { port: String, why: String } => check "port-gone":
            ("the secure-os image that was built does not work: port {port} is gone: {why}"),
            help ("mend the trusted app, or look at the console; --no-boot builds the bundle all the same");
        /// A port that Linux may use does not answer in time.
        Silent { port: String, seconds: u64 } => check "port-silent":
            ("the secure-os image that was built does not work: port {port} has not answered within {seconds} s"),
            help ("mend the trusted app, or look at the console; --no-boot builds the bundle all the same");
        /// A trusted app has ended though all ports have answered.
        AppEnded { why: String } => check "app-ended":
            ("the secure-os image that was built does not work: {why}"),
            help ("mend the trusted app, or look at the console; --no-boot builds the bundle all the same");
    }
}
