//! What the host must have: Debian packages, and the kernel's ability to run arm64 programs.

use crate::error::Result;
use crate::errors::{Arm64Error, PackageError};
use crate::process;
use crate::tools::{apt, capture, find, shell};
use crate::ui::Ui;
use std::fs;
use std::path::Path;
use xshell::cmd;

/// A program that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The program, or the file, by which its presence is seen.
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What it is needed for.
    pub why: &'static str,
}

const fn need(program: &'static str, package: &'static str, why: &'static str) -> Need {
    Need { program, package, why }
}

/// The C library that client apps are linked with.
pub const CROSS_LIBC: &str = "/usr/aarch64-linux-gnu/lib/libc.a";

/// The C library that carveout itself is linked with where it is to run on any host.
pub const LIBC: &str = "/usr/lib/x86_64-linux-gnu/libc.a";

/// For carveout itself as one static program.
pub const PROGRAM: [Need; 2] = [
    need("x86_64-linux-gnu-gcc", "gcc", "links carveout as one static program"),
    need(LIBC, "libc6-dev", "C library that carveout is linked with"),
];

/// For client apps.
pub const CLIENT_APPS: [Need; 2] = [
    need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", "links client apps for the board"),
    need(CROSS_LIBC, "libc6-dev-arm64-cross", "C library that client apps are linked with"),
];

/// For root filesystems.
pub const ROOTFS: [Need; 5] = [
    need("mmdebstrap", "mmdebstrap", "makes the root filesystem"),
    need(
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
        "checks Debian's signatures",
    ),
    need("qemu-aarch64-static", "qemu-user-static", "runs arm64 programs while packages are configured"),
    need("arch-test", "arch-test", "tells whether arm64 programs run here"),
    need("mke2fs", "e2fsprogs", "makes the ext4 image"),
];

/// For root filesystems that are made without being root.
pub const UNPRIVILEGED: [Need; 1] =
    [need("newuidmap", "uidmap", "gives an unprivileged user the ids of a root filesystem")];

/// Whether a need is met.
pub fn is_met(need: &Need) -> bool {
    if need.program.starts_with('/') {
        Path::new(need.program).exists()
    } else {
        find(need.program).is_some()
    }
}

/// Whether we are root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The command that installs packages.
pub fn install_command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get update && {sudo}apt-get install --no-install-recommends -y {}", packages.join(" "))
}

/// Installs what is missing if we are root, or says how.
pub fn ensure(needs: &[Need], offline: bool, log: &Path, ui: &Ui) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_met(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let list: Vec<String> = missing.iter().map(|need| format!("{}: {}", need.package, need.why)).collect();
    if find("apt-get").is_none() {
        return Err(PackageError::NoApt { missing: list }.into());
    }
    if offline || !is_root() {
        let (missing, command) = (list, install_command(&packages));
        return Err(if offline {
            PackageError::Offline { missing, command }
        } else {
            PackageError::NotRoot { missing, command }
        }
        .into());
    }
    ui.note(&format!("installing host packages:\n  {}", list.join("\n  ")));
    apt::install(&packages, log)?;
    match missing.iter().find(|need| !is_met(need)) {
        None => Ok(()),
        Some(&&Need { program, package, .. }) => {
            Err(PackageError::ProgramMissing { package, program }.into())
        }
    }
}

/// Without root a root filesystem is made in a user namespace, which needs subordinate ids.
pub fn ensure_subordinate_ids() -> Result<()> {
    let (user, id) = user();
    let has = |path: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| line.split(':').next().is_some_and(|name| name == user || name == id))
    };
    if is_root() || (has("/etc/subuid") && has("/etc/subgid")) {
        return Ok(());
    }
    Err(PackageError::NoSubordinateIds { user }.into())
}

/// Name and number of who runs us.
fn user() -> (String, String) {
    let id = rustix::process::getuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find(|line| line.split(':').nth(2) == Some(&id));
    (named.and_then(|line| line.split(':').next()).unwrap_or(&id).to_owned(), id)
}

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";
const BINFMT_CONF: &str = "/usr/lib/binfmt.d/qemu-aarch64.conf";

/// Whether arm64 programs run here.
pub fn runs_arm64() -> bool {
    shell(Path::new("/")).is_ok_and(|sh| process::succeeds(cmd!(sh, "arch-test arm64")))
}

/// Makes arm64 programs run here, if we are root, or says how.
pub fn ensure_arm64(ui: &Ui) -> Result<()> {
    if runs_arm64() {
        return Ok(());
    }
    if !is_root() {
        return Err(Arm64Error::NotRoot.into());
    }
    ui.note("registering qemu-aarch64 in binfmt_misc, so that arm64 programs run here");
    let dir = Path::new(BINFMT);
    if !dir.join("register").exists() {
        let sh = shell(Path::new("/"))?;
        capture("mount", cmd!(sh, "mount -t binfmt_misc binfmt_misc {BINFMT}"))
            .map_err(|e| Arm64Error::NotMounted { reason: e.message })?;
    }
    let conf = fs::read_to_string(BINFMT_CONF)
        .map_err(|source| Arm64Error::UnreadableConfig { path: BINFMT_CONF, source })?;
    let line = conf.lines().find(|line| line.starts_with(":qemu-aarch64:"));
    let line = line.ok_or(Arm64Error::NoLine { path: BINFMT_CONF })?;
    // A stale or disabled entry would make the registration fail.
    let _ = fs::write(dir.join("qemu-aarch64"), "-1");
    let path = dir.join("register");
    fs::write(&path, line).map_err(|source| Arm64Error::NotRegistered { path, source })?;
    if runs_arm64() { Ok(()) } else { Err(Arm64Error::NotStarting.into()) }
}
