//! What runs programs of the board on this host.

use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::ui::Ui;

/// Runs aarch64 programs.
pub const QEMU: &str = "qemu-aarch64-static";
/// Debian's C library of arm64, for client apps that are not static: those of BitBake.
pub const LIBC: &str = "/usr/aarch64-linux-gnu";

/// Installs or names what runs client apps of the board.
pub fn ensure(needs: &[Need], dirs: &Dirs, ui: &Ui) -> Result<()> {
    let log = dirs.home().join("logs/host.log");
    packages::ensure(needs, false, &log, ui)
}
