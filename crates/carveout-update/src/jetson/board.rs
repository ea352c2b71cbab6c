//! A Jetson with L4T R32: NVIDIA's own `nv_update_engine` writes to it and `nvbootctrl` switches it. Neither is believed: what counts is
//! what the slots hold, and what the slot metadata says, read back from the storage.

use super::state::Part;
use crate::error::UpdateError;
use crate::programs;
use crate::text::text;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tegra_flash::boot_areas::{BootAreas, in_slot};
use tegra_flash::payload;
use tegra_flash::slot_metadata::SlotMetadata;

/// What says which module this is, and where it boots from: NVIDIA's script writes it at each boot.
const CONFIG: &str = "/etc/nv_boot_control.conf";
/// NVIDIA's programs.
const ENGINE: &str = "/usr/sbin/nv_update_engine";
const SLOTS: &str = "/usr/sbin/nvbootctrl";
/// What they print.
const LOG: &str = "engine.log";
/// They take seconds; storage that fails takes minutes.
const TIMEOUT: Duration = Duration::from_secs(900);
/// Largest boot areas: a QSPI flash has 32 MiB.
const MAX_AREAS: u64 = 64 << 20;
/// The word of the kernel's command line that names the slot.
const SLOT: &str = "boot.slot_suffix=";
/// Whether the board is one as it is sold: only then are parts written that are signed for such boards.
const SOLD: &str = "/sys/module/tegra_fuse/parameters/tegra_prod_mode";
/// The operation of those parts.
pub const OF_SOLD_BOARDS: u32 = 2;

/// Slots as people call them.
pub fn letter(slot: usize) -> &'static str {
    if slot == 0 { "A" } else { "B" }
}

/// The device.
pub struct Jetson {
    root: PathBuf,
    /// Names of the module: its own, and that of all that take the same files.
    pub specs: Vec<String>,
    areas: Vec<PathBuf>,
}

impl Jetson {
    /// The device that we run on, if it is one; `root` stands for `/`.
    pub fn find(root: &Path) -> Result<Option<Self>, UpdateError> {
        let path = inside(root, CONFIG);
        if !path.exists() {
            return Ok(None);
        }
        let config = text(&path)?;
        let value = |name: &str| {
            let mut words = config.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
            words.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
        };
        let missing = |key| UpdateError::NoDisk { reason: format!("{}: {key} is missing", path.display()) };
        let boot = value("TEGRA_OTA_BOOT_DEVICE").ok_or_else(|| missing("TEGRA_OTA_BOOT_DEVICE"))?;
        let gpt = value("TEGRA_OTA_GPT_DEVICE").ok_or_else(|| missing("TEGRA_OTA_GPT_DEVICE"))?;
        let specs: Vec<String> = ["TNSPEC", "COMPATIBLE_SPEC"].into_iter().filter_map(value).collect();
        if specs.is_empty() {
            return Err(missing("TNSPEC"));
        }
        let mut areas = vec![inside(root, &boot), inside(root, &gpt)];
        areas.dedup();
        Ok(Some(Self { root: root.into(), specs, areas }))
    }

    /// Whether a part of a payload with this TNSPEC is for this module alone and those like it.
    pub fn is_module(&self, spec: &str) -> bool {
        !spec.is_empty() && self.specs.iter().any(|own| payload::fits(spec, own))
    }

    /// A file of the device.
    pub fn path(&self, path: &str) -> PathBuf {
        inside(&self.root, path)
    }

    /// The slot that runs.
    pub fn current(&self) -> Result<usize, UpdateError> {
        let line = text(&self.path("/proc/cmdline"))?;
        let suffix = line.split_ascii_whitespace().find_map(|word| word.strip_prefix(SLOT));
        match suffix {
            Some("" | "_a") => Ok(0),
            Some("_b") => Ok(1),
            _ => Err(UpdateError::NoSlots { reason: format!("the kernel's command line has no {SLOT}") }),
        }
    }

    /// What tells this boot from all others.
    pub fn boot_id(&self) -> Result<String, UpdateError> {
        text(&self.path("/proc/sys/kernel/random/boot_id")).map(|id| id.trim().to_owned())
    }

    fn areas(&self) -> Result<BootAreas, UpdateError> {
        let mut bytes = Vec::new();
        for path in &self.areas {
            let failed = |source| UpdateError::Io { path: path.clone(), source };
            let file = File::open(path).map_err(failed)?;
            file.take(MAX_AREAS).read_to_end(&mut bytes).map_err(failed)?;
        }
        BootAreas::parse(bytes)
            .map_err(|error| UpdateError::NoSlots { reason: format!("the boot areas: {error}") })
    }

    /// Which slot boots. Of two copies the first that is whole.
    pub fn metadata(&self) -> Result<SlotMetadata, UpdateError> {
        let areas = self.areas()?;
        let mut reason = "there is no partition SMD".to_owned();
        for slot in [0, 1] {
            match areas.partition("SMD", slot).map(SlotMetadata::parse) {
                Some(Ok(metadata)) => return Ok(metadata),
                Some(Err(error)) => reason = format!("{} {error}", in_slot("SMD", slot)),
                None => {}
            }
        }
        Err(UpdateError::NoSlots { reason })
    }

    /// The first part that a slot does not hold.
    pub fn differing<'a>(&self, parts: &'a [Part], slot: usize) -> Result<Option<&'a Part>, UpdateError> {
        let areas = self.areas()?;
        for part in parts {
            let length = usize::try_from(part.length).unwrap_or(usize::MAX);
            let found = match areas.partition(&part.partition, slot) {
                Some(bytes) => bytes.get(..length).map(bundle::sha256),
                None => {
                    let name = in_slot(&part.partition, slot);
                    let path = self.path("/dev/disk/by-partlabel").join(name);
                    let failed = |source| UpdateError::Io { path: path.clone(), source };
                    let mut bytes = Vec::new();
                    File::open(&path)
                        .map_err(failed)?
                        .take(part.length)
                        .read_to_end(&mut bytes)
                        .map_err(failed)?;
                    Some(bundle::sha256(&bytes))
                }
            };
            if found.as_ref() != Some(&part.sha256) {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// The carve-outs that the slots' boot configs ask for, in bytes.
    pub fn carve_outs(&self) -> Result<[Option<u64>; 2], UpdateError> {
        let areas = self.areas()?;
        let size =
            |slot| tegra_bct::mb1::read(areas.partition("MB1_BCT", slot)?).ok().map(|found| found.size);
        Ok([0, 1].map(size))
    }

    /// Whether parts for boards as they are sold are written.
    pub fn is_sold(&self) -> bool {
        text(&self.path(SOLD)).is_ok_and(|mode| mode.trim() == "1")
    }

    /// Turns A/B redundancy on, if it is off.
    pub fn make_redundant(&self, state: &Path) -> Result<(), UpdateError> {
        if self.metadata()?.is_redundant() {
            return Ok(());
        }
        self.run(ENGINE, &["-e"], state)?;
        match self.metadata()?.is_redundant() {
            true => Ok(()),
            false => {
                Err(UpdateError::NoSlots { reason: "A/B redundancy is off, and cannot be turned on".into() })
            }
        }
    }

    /// Has a payload written to the slot that does not run, which the next boot then tries.
    pub fn write(&self, payload: &Path, state: &Path) -> Result<(), UpdateError> {
        let payload = payload.display().to_string();
        self.run(ENGINE, &["-i", "bl", "--payload", &payload, "--no-reboot"], state)
    }

    /// Marks the slot that runs as good, and has it copied to the other one.
    pub fn keep(&self, state: &Path) -> Result<(), UpdateError> {
        self.run(ENGINE, &["--verify"], state)
    }

    /// Has the next boot take this slot.
    pub fn activate(&self, slot: usize, state: &Path) -> Result<(), UpdateError> {
        if self.metadata()?.active() == Some(slot) {
            return Ok(());
        }
        let ran = self.run(SLOTS, &["set-active-boot-slot", &slot.to_string()], state);
        match self.metadata()?.active() == Some(slot) {
            true => Ok(()),
            false => ran.and(Err(UpdateError::NotSwitched { slot: letter(slot) })),
        }
    }

    /// Runs one of NVIDIA's programs. What it prints is kept in a file.
    fn run(&self, program: &str, arguments: &[&str], state: &Path) -> Result<(), UpdateError> {
        let mut command = Command::new(self.path(program));
        command.args(arguments);
        let program = [&[program], arguments].concat().join(" ");
        programs::logged(command, &program, &state.join(LOG), TIMEOUT)
    }
}

/// A path of the device.
fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}
