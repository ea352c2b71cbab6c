//! The flash record: a line of JSON for each board and each flash, and NVIDIA's full log beside it.

use crate::error::{At, Error, Result};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// Name of the file of all records.
pub const RECORDS: &str = "records.jsonl";

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What was done.
    pub step: String,
    /// How long it took.
    pub seconds: f64,
    /// Whether it succeeded.
    pub ok: bool,
}

/// A flash of one board.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// When it began, in UTC.
    pub started: String,
    /// What was done: `flash`, `backup`, `restore`.
    pub action: &'static str,
    /// Where the board was.
    pub usb: String,
    /// Who the board is, once that is known.
    pub board: Option<String>,
    /// The chip's own number, once it is known.
    pub chip: Option<String>,
    /// The bundle.
    pub bundle: String,
    /// SHA-256 of its manifest.
    pub bundle_digest: String,
    /// How much was written.
    pub scope: Option<String>,
    /// Step by step.
    pub steps: Vec<Step>,
    /// `ok`, or what failed.
    pub result: String,
    /// NVIDIA's full log.
    pub log: PathBuf,
}

/// Where records are kept: a person's, as boards outlive build folders.
pub fn folder() -> Result<PathBuf> {
    let folder = crate::vendor::license::state().join("flash-records");
    fs::create_dir_all(&folder).at(&folder)?;
    Ok(folder)
}

impl Record {
    /// Begins a record, with a log of its own.
    pub fn begin(folder: &Path, action: &'static str, usb: &str, bundle: &str, digest: &str) -> Self {
        let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let log = folder.join(format!("{}-{usb}-{}.log", started.replace(':', ""), std::process::id()));
        Self {
            started,
            action,
            usb: usb.into(),
            board: None,
            chip: None,
            bundle: bundle.into(),
            bundle_digest: digest.into(),
            scope: None,
            steps: Vec::new(),
            result: String::new(),
            log,
        }
    }

    /// Does a step and notes how it went.
    pub fn step<T>(&mut self, what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = run();
        self.steps.push(Step {
            step: what.into(),
            seconds: start.elapsed().as_secs_f64(),
            ok: result.is_ok(),
        });
        result.map_err(|error| Error { message: format!("{what}: {}", error.message), ..error })
    }

    /// Ends the record and appends it to the file.
    pub fn end(mut self, folder: &Path, result: Result<()>) -> Result<Self> {
        self.result = match &result {
            Ok(()) => "ok".into(),
            Err(error) => error.message.clone(),
        };
        let path = folder.join(RECORDS);
        let line = serde_json::to_string(&self).map_err(|e| Error::check(e.to_string()))? + "\n";
        let mut file = OpenOptions::new().create(true).append(true).open(&path).at(&path)?;
        // One write: several boards are flashed at once.
        file.write_all(line.as_bytes()).at(&path)?;
        result.map(|()| self)
    }
}
