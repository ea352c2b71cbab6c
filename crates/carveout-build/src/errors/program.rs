//! Of carveout as one static program, and of what is installed beside it.

use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with programs of carveout's own.
    pub enum ProgramError("build::program") {
        /// A program that was given does not run alone on Linux on x86-64.
        NotStatic { path: PathBuf, why: &'static str } => usage "not-static":
            ("{}: {why}; a release has carveout as a static program for Linux on x86-64", path.display()),
            help ("leave --program away, and carveout is built; or name the `carveout` of `cargo xtask packages`");
        /// There is no workspace to build the emulator in, and it is not installed.
        NoEmulator { path: PathBuf } => environment "no-emulator":
            ("the emulator is not installed: neither {} nor trusty-emulator in PATH is there, and no workspace to build it in",
            path.display()),
            help ("install the Debian package carveout-emulator");
        /// There is no workspace to build the firmware of the desk in, and it is not installed.
        NoFirmware { path: PathBuf } => environment "no-firmware":
            ("{}: the firmware that boots a secure-os image in QEMU is not there, and no workspace to build it in",
            path.display()),
            help ("install carveout by its Debian package; or emulate with --backend unicorn");
    }
}
