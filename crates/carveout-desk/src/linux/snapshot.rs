//! A snapshot of a running system: its disk and its memory, from which a machine starts in a second.

use super::disk::GuestDisk;
use super::guest::{Guest, Until};
use super::kernel::Kernel;
use super::request::LinuxRequest;
use crate::errors::LinuxError;
use crate::qemu::Qemu;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::files::OUTPUT;
use carveout_host::packages::Need;
use carveout_host::tools::{run, shell};
use desk_guest::link::kind;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use xshell::cmd;

/// What makes the disk of a snapshot.
pub const NEED: Need =
    Need { program: "qemu-img", package: "qemu-utils", why: "makes the disk of a snapshot" };
/// Snapshots that are kept.
const KEPT: usize = 3;
/// Saving and loading take no longer.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
/// Names of its files.
const DISK: &str = "disk.qcow2";
const MEMORY: &str = "memory";

/// A snapshot that is whole.
pub struct Snapshot(PathBuf);

impl Snapshot {
    /// Its disk.
    pub fn disk(&self) -> PathBuf {
        self.0.join(DISK)
    }

    /// Where the snapshot of all this is, or will be. None: the disk may change, or its content is not known.
    pub fn folder(
        disk: &GuestDisk,
        qemu: &Qemu,
        kernel: &Kernel,
        initramfs: &[u8],
        request: &LinuxRequest,
        dirs: &Dirs,
    ) -> Option<PathBuf> {
        let image = disk.sha256.as_ref()?;
        let about = format!(
            "{image} {} {} {} {} {} {:?}",
            qemu.version,
            kernel.package.sha256,
            bundle::sha256(initramfs),
            request.memory,
            request.cpus,
            request.forwards
        );
        let name = bundle::sha256(about.as_bytes());
        Some(dirs.home().join("linux/snapshots").join(name.get(..16)?))
    }

    /// The one in this folder, if there is one.
    pub fn find(folder: &Path) -> Option<Self> {
        folder.join(MEMORY).is_file().then(|| Self(folder.into()))
    }

    /// The file for changes of a disk whose machine is to be saved.
    pub fn overlay(disk: &GuestDisk, scratch: &Path, log: &Path) -> Result<PathBuf> {
        let (overlay, raw) = (scratch.join(DISK), &disk.path);
        let sh = shell(scratch)?;
        run("qemu-img", cmd!(sh, "qemu-img create -q -f qcow2 -F raw -b {raw} {overlay}"), log)?;
        Ok(overlay)
    }

    /// Saves a machine, which ends by that.
    pub fn save(folder: &Path, overlay: &Path, guest: Guest) -> Result<Self> {
        let home = folder.parent().unwrap_or(folder);
        fs::create_dir_all(home).at(home)?;
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(home).at(home)?;
        let memory = new.path().join(MEMORY);
        guest.qmp.run("stop", &json!({}))?;
        guest.qmp.run("migrate", &json!({ "uri": file("exec:cat > ", &memory) }))?;
        wait(&guest, "completed")?;
        guest.kill()?;
        let disk = new.path().join(DISK);
        // Scratch folders may lie on another filesystem.
        carveout_host::files::copy(overlay, &disk, OUTPUT)?;
        let new = new.keep();
        // Another process may have been first.
        if fs::rename(&new, folder).is_err() {
            let _ = fs::remove_dir_all(&new);
        }
        prune(home);
        Ok(Self(folder.into()))
    }

    /// Gives a machine that waits for it what was saved.
    pub fn load(&self, guest: &mut Guest) -> Result<()> {
        guest.qmp.run("migrate-incoming", &json!({ "uri": file("exec:cat ", &self.0.join(MEMORY)) }))?;
        wait(guest, "completed")
    }

    /// Lets it go on.
    pub fn resume(guest: &mut Guest) -> Result<()> {
        guest.qmp.run("cont", &json!({}))?;
        // While it was saved no time passed there.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        guest.tell(kind::TIME, 0, &nanoseconds.to_le_bytes());
        Ok(())
    }
}

/// A file in the words of a shell, which QEMU calls.
fn file(head: &str, path: &Path) -> String {
    format!("{head}'{}'", path.display().to_string().replace('\'', "'\\''"))
}

fn wait(guest: &Guest, wanted: &str) -> Result<()> {
    let until = Until::after(LIMIT);
    loop {
        let state = guest.qmp.run("query-migrate", &json!({}))?;
        match state.get("status").and_then(Value::as_str) {
            Some(status) if status == wanted => return Ok(()),
            Some("failed") => {
                let said = state.get("error-desc").and_then(Value::as_str).unwrap_or("no reason").to_owned();
                return Err(LinuxError::Qmp { command: "migrate".into(), said }.into());
            }
            _ if until.is_over() => {
                let said = format!("it takes more than {} s", LIMIT.as_secs());
                return Err(LinuxError::Qmp { command: "migrate".into(), said }.into());
            }
            _ => thread::sleep(LOOK),
        }
    }
}

/// Keeps the newest ones.
fn prune(home: &Path) {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort();
    for (_, old) in found.iter().rev().skip(KEPT) {
        let _ = fs::remove_dir_all(old);
    }
}
