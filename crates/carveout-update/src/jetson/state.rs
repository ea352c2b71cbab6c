//! What a board cannot tell of itself: which bundles its slots have. In two files, so that what is tried is there or not.

use crate::durable::{read, sync, write};
use crate::error::UpdateError;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What stays.
const SLOTS: &str = "slots.json";
/// What is tried. While it is there, NVIDIA's own service must not mark the slot as good: carveout-update.conf beside the unit.
const TRIAL: &str = "trial.json";

/// A part of a bundle, as a slot holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The partition, without a slot.
    pub partition: String,
    /// Its bytes.
    pub length: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// A bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Its name.
    pub bundle: String,
    /// The board it is for.
    pub board: String,
    /// SHA-256 of its manifest.
    pub digest: String,
    /// Its security version.
    pub security_version: u32,
    /// What a slot holds of it.
    pub parts: Vec<Part>,
}

/// How far a trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is written to its slot.
    Writing,
    /// It is there, and the next boot tries it.
    Armed,
    /// It has passed, and is copied to the other slot.
    Copying,
    /// It was given up while it ran.
    Abandoned,
}

/// A bundle that is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The bundle.
    pub installed: Installed,
    /// The slot that was left.
    pub from: usize,
    /// The slot that it is in.
    pub to: usize,
    /// The boot in which it was written.
    pub boot: String,
    /// How far it is.
    pub phase: Phase,
}

/// What stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// The bundle of both slots; none: it was not written by us.
    pub active: Option<Installed>,
    /// A bundle that was tried and did not stay.
    pub gone_back_from: Option<String>,
    /// The largest that the device has had.
    pub security_version: u32,
}

/// Both files.
pub struct State {
    folder: PathBuf,
    /// What stays.
    pub slots: Slots,
    /// What is tried.
    pub trial: Option<Trial>,
}

impl State {
    /// Reads it.
    pub fn read(folder: &Path) -> Result<Self, UpdateError> {
        let slots = read(&folder.join(SLOTS))?.unwrap_or_default();
        Ok(Self { folder: folder.into(), slots, trial: read(&folder.join(TRIAL))? })
    }

    /// Notes what stays.
    pub fn keep(&mut self, slots: Slots) -> Result<(), UpdateError> {
        write(&self.folder, SLOTS, &slots)?;
        self.slots = slots;
        Ok(())
    }

    /// Notes what is tried; nothing is, if none.
    pub fn try_out(&mut self, trial: Option<Trial>) -> Result<(), UpdateError> {
        match &trial {
            Some(trial) => write(&self.folder, TRIAL, trial)?,
            None => {
                let path = self.folder.join(TRIAL);
                let removed = match fs::remove_file(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    removed => removed,
                };
                removed
                    .and_then(|()| sync(&self.folder))
                    .map_err(|source| UpdateError::Io { path, source })?;
            }
        }
        self.trial = trial;
        Ok(())
    }

    /// What is tried goes on to this phase.
    pub fn advance(&mut self, phase: Phase) -> Result<(), UpdateError> {
        let trial = self.trial.clone().map(|trial| Trial { phase, ..trial });
        self.try_out(trial)
    }
}
