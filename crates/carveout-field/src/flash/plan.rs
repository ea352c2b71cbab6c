//! What will be done with boards, told before it is done.

use super::board_job::BoardJob;
use super::image::ensure_room;
use super::kept::kept_in;
use super::request::EkbChoice;
use crate::errors::FlashError;
use bundle::{Fused, ModuleEntry};
use carveout_host::error::Result;
use carveout_host::size::human;
use tegra_flash::Scope;

/// Bytes a second that are assumed before anything has been measured: eMMC and USB 2 do 20 to 40 MB.
const ASSUMED_RATE: u64 = 25 << 20;

impl BoardJob<'_> {
    /// The bundle's modules.
    fn entries(&self) -> &[ModuleEntry] {
        self.package.manifest.device.as_ref().map_or(&[], |device| &device.modules)
    }

    /// Whether the boot config of the board cannot be read: it is encrypted with the SBK.
    pub fn encrypted(&self) -> bool {
        self.package.manifest.device.as_ref().is_some_and(|device| device.fused == Fused::PkcSbk)
    }

    /// Refuses secure-os alone where nobody can see what carve-out the board has, unless somebody has said that it is known.
    pub fn ensure_carve_out_known(&self) -> Result<()> {
        if self.scope != Scope::SecureOs || !self.encrypted() || self.carve_out_unseen {
            return Ok(());
        }
        Err(FlashError::CarveOutUnseen { carve_out: self.package.manifest.tzdram.size() }.into())
    }

    /// Bytes of the bundle's files that are written to a module, without the root filesystem.
    fn files(&self, module: &str) -> u64 {
        let written =
            |partition: &String| self.scope == Scope::Full || Scope::of_partition(partition) == self.scope;
        let files = self.package.manifest.flash_files(module);
        let size = |file: &&bundle::FileEntry| {
            file.size * file.partitions.iter().filter(|p| written(p)).count() as u64
        };
        files.values().map(size).sum()
    }

    /// Bytes of the root filesystem that is written.
    fn root(&self) -> u64 {
        match self.scope {
            Scope::SecureOs => 0,
            _ if self.without_card => 0,
            _ if self.keep_app || self.app.is_some() => self.app_size(),
            _ => {
                let role = |file: &&bundle::FileEntry| file.role == bundle::Role::Rootfs;
                self.package.manifest.files.iter().find(role).map_or(0, |file| file.size)
            }
        }
    }

    /// Bytes that are written to a board, at most.
    pub fn bytes(&self) -> u64 {
        let largest = self.entries().iter().map(|module| self.files(&module.name)).max();
        largest.unwrap_or(0) + self.root()
    }

    /// Bytes of the partition APP.
    pub fn app_size(&self) -> u64 {
        self.package.manifest.device.as_ref().map_or(0, |device| device.app_size)
    }

    /// What a board of each module gets: name, identity, bytes.
    pub fn modules(&self) -> Vec<String> {
        let line = |module: &ModuleEntry| {
            let bytes = self.files(&module.name) + self.root();
            format!(
                "module {} ({}): {} are written, {}",
                module.name,
                module.id,
                human(bytes),
                duration(bytes)
            )
        };
        self.entries().iter().map(line).collect()
    }

    /// What will be done, in words; an error if there is no room for it.
    pub fn plan(&self, boards: &[String]) -> Result<String> {
        let bundle = self.package.manifest.bundle_name();
        let there = match boards.len() {
            0 => "no board in recovery mode is at this host".into(),
            1 => format!("board {}", boards.join("")),
            several => format!("{several} boards: {}", boards.join(", ")),
        };
        let mut text = format!("{bundle}: scope {}; {there}", self.scope);
        for line in self.modules() {
            text += &format!("\n  {line}");
        }
        if self.keep_app {
            let need = self.app_size().saturating_mul(boards.len().max(1) as u64);
            let dir = kept_in(self.backup_dir)?;
            ensure_room(dir, need)?;
            let time = duration(self.app_size());
            text += &format!("\n  APP is read first: {} in {}, {time}", human(need), dir.display());
        }
        if self.scope == Scope::Full {
            text += match &self.ekb {
                EkbChoice::Keep => "\n  an EKB of the board's own stays",
                EkbChoice::Replace => "\n  the bundle's EKB takes the place of the board's",
                EkbChoice::File(_) => "\n  the board gets the EKB of the file that --ekb names",
            };
        }
        let tzdram = self.package.manifest.tzdram;
        text += "\n  ";
        text += &match self.scope {
            Scope::Full if self.without_card => {
                format!("everything but the SD card is written; the carve-out becomes {tzdram}")
            }
            Scope::Full => format!("everything is written; the carve-out becomes {tzdram}"),
            Scope::SecureOs if self.encrypted() => {
                "both slots of secure-os are written; the carve-out of the board is not compared: its boot config is encrypted".into()
            }
            Scope::SecureOs => {
                format!("both slots of secure-os are written, if the board's carve-out is {tzdram} already")
            }
            Scope::App => "the root filesystem is written; carve-out and secure-os stay".into(),
        };
        Ok(text)
    }
}

fn duration(bytes: u64) -> String {
    let seconds = bytes.div_ceil(ASSUMED_RATE);
    let time = match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    };
    format!("some {time} if USB and eMMC do {} a second", human(ASSUMED_RATE))
}
