//! The flash record: a line of JSON for each device and each flash, and of a board NVIDIA's full log beside it.

use crate::errors::FlashError;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_host::text::seen_json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// Name of the file of all records.
pub const RECORDS: &str = "records.jsonl";

/// The step of a full flash that writes.
pub const WRITE_EVERYTHING: &str = "write everything";
/// The first step of secure-os alone that writes.
pub const WRITE_SECURE_OS: &str = "write secure-os";
/// Steps after which a board may run what was flashed.
const WRITES: [&str; 2] = [WRITE_EVERYTHING, WRITE_SECURE_OS];

/// Longest record that is read, in bytes: a flash of a board has some KiB.
const MAX_LINE: u64 = 1 << 20;

/// How the step is called, or ends to be called, after which a device has the new contents.
pub const SWITCH: &str = "switch";

/// One step.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// What was done.
    pub step: String,
    /// How long it took.
    pub seconds: f64,
    /// Whether it succeeded.
    pub ok: bool,
}

/// A flash of one device.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Record {
    /// When it began, in UTC.
    pub started: String,
    /// What was done: `flash`, `backup`, `restore`, `rollback`, `status`.
    pub action: &'static str,
    /// Which device: USB bus and port, virt:FILE, or card: with a disk or a file.
    pub device: String,
    /// Who the board is, once that is known.
    pub board: Option<String>,
    /// The chip's own number, once it is known.
    pub chip: Option<String>,
    /// The bundle.
    pub bundle: String,
    /// SHA-256 of its manifest.
    pub bundle_digest: String,
    /// Its security version.
    pub security_version: u32,
    /// How much was written.
    pub scope: Option<String>,
    /// Step by step.
    pub steps: Vec<Step>,
    /// `ok`, or what failed.
    pub result: String,
    /// NVIDIA's full log; of a virt device and of a card there is none.
    pub log: PathBuf,
}

/// Where records are kept: a person's, as boards outlive build folders.
pub fn place(dirs: &Dirs) -> PathBuf {
    dirs.state().join("flash-records")
}

/// The same, once it is there.
pub fn folder(dirs: &Dirs) -> Result<PathBuf> {
    let folder = place(dirs);
    fs::create_dir_all(&folder).at(&folder)?;
    Ok(folder)
}

/// Whether a board may run what was flashed: all went well, or what failed came after the write of a secure-os image.
fn may_run(record: &serde_json::Value) -> bool {
    let written =
        |step: &serde_json::Value| step["ok"] == true && WRITES.iter().any(|name| step["step"] == **name);
    let steps = record["steps"].as_array().map_or(&[][..], Vec::as_slice);
    record["action"] == "flash" && (record["result"] == "ok" || steps.iter().any(written))
}

/// The largest security version that a chip may have, as far as this host's records know. Lines that are none are left
/// out: a record that was cut off must not keep anybody from flashing.
pub fn security_version(folder: &Path, chip: &str) -> Result<u32> {
    let mut most = 0;
    each(folder, |record: serde_json::Value| {
        if record["chip"] == chip && may_run(&record) {
            let version = record["security_version"].as_u64().and_then(|version| u32::try_from(version).ok());
            most = most.max(version.unwrap_or_default());
        }
    })?;
    Ok(most)
}

/// The bundle that was flashed to a chip last, as the records of this host know it.
pub fn last_bundle(folder: &Path, chip: &str) -> Result<Option<String>> {
    let mut last = None;
    each(folder, |record: serde_json::Value| {
        if record["chip"] == chip && may_run(&record) {
            last = record["bundle"].as_str().map(str::to_owned).or(last.take());
        }
    })?;
    Ok(last)
}

/// Reads the records of a folder, one after the other. A line that is none, because a power failure has cut it off, is left out.
pub fn each<T: DeserializeOwned>(folder: &Path, mut take: impl FnMut(T)) -> Result<()> {
    let path = folder.join(RECORDS);
    let file = match bundle::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.at(&path)?,
    };
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    loop {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).at(&path)? == 0 {
            return Ok(());
        }
        serde_json::from_slice(&line).into_iter().for_each(&mut take);
    }
}

impl Record {
    /// Begins a record, with a log of its own.
    pub fn begin(folder: &Path, action: &'static str, device: &str, bundle: &str, digest: &str) -> Self {
        // A clock before 1970 is none.
        let now = SystemTime::now().max(SystemTime::UNIX_EPOCH);
        let started = humantime::format_rfc3339_seconds(now).to_string();
        let name = device.rsplit('/').next().unwrap_or_default().replace(':', "-");
        let log = folder.join(format!("{}-{name}-{}.log", started.replace(':', ""), std::process::id()));
        Self {
            started,
            action,
            device: device.into(),
            board: None,
            chip: None,
            bundle: bundle.into(),
            bundle_digest: digest.into(),
            security_version: 0,
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
        result.map_err(|error| error.within(what))
    }

    /// Ends the record and appends it to the file.
    pub fn end(mut self, folder: &Path, result: Result<()>) -> Result<Self> {
        self.result = match &result {
            Ok(()) => "ok".into(),
            Err(error) => error.message.clone(),
        };
        let path = folder.join(RECORDS);
        let line = serde_json::to_string(&self);
        let line = line.map_err(|e| FlashError::RecordNotEncoded { source: e.into() })?;
        // People read it, too, with whatever a device or a bundle has said.
        let line = seen_json(&line);
        match (files::append(&path, &line), result) {
            (Ok(()), result) => result.map(|()| self),
            (Err(unwritten), Ok(())) => Err(self.done_without(unwritten)),
            (Err(unwritten), Err(error)) => Err(Error::all([error.clone(), unwritten]).unwrap_or(error)),
        }
    }

    /// Whoever hears only that a record is missing would do it again.
    fn done_without(&self, unwritten: Error) -> Error {
        let switched = self.steps.iter().any(|step| step.ok && step.step.ends_with(SWITCH));
        let what =
            if switched { format!("the switch to {} was made", self.bundle) } else { "all of it".into() };
        unwritten
            .within(format!("the {} is done ({what}), only its record could not be written", self.action))
            .remedy("do not repeat it; make the folder of the records writable for what comes next")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_chip_has_had_is_in_the_records() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(security_version(dir.path(), "c1").unwrap(), 0);
        let flashed = |chip: &str, version, result: Result<()>| {
            let mut record = Record::begin(dir.path(), "flash", "1-2", "b", "d");
            (record.chip, record.security_version) = (Some(chip.into()), version);
            let _ = record.end(dir.path(), result);
        };
        flashed("c1", 3, Ok(()));
        flashed("c1", 2, Ok(()));
        flashed("c2", 9, Ok(()));
        flashed("c1", 8, Err(Error::check("pulled out")));
        fs::write(
            dir.path().join(RECORDS),
            fs::read_to_string(dir.path().join(RECORDS)).unwrap() + "{cut off",
        )
        .unwrap();
        assert_eq!(security_version(dir.path(), "c1").unwrap(), 3);
        assert_eq!(security_version(dir.path(), "c2").unwrap(), 9);
        // A line that was cut off does not take the next one with it.
        flashed("c1", 4, Ok(()));
        assert_eq!(security_version(dir.path(), "c1").unwrap(), 4);
    }

    /// All was written, and only the read-back or the restart failed: the board may run it.
    #[test]
    fn what_was_written_counts_whatever_failed_then() {
        let dir = tempfile::tempdir().unwrap();
        let flashed = |action, chip: &str, version, steps: &[&str]| {
            let mut record = Record::begin(dir.path(), action, "1-2", "b", "d");
            (record.chip, record.security_version) = (Some(chip.into()), version);
            steps.iter().for_each(|step| record.step(step, || Ok(())).unwrap());
            let failed = record.step("restart", || Err::<(), _>(Error::check("pulled out")));
            let _ = record.end(dir.path(), failed);
        };
        flashed("flash", "c1", 2, &["identify", WRITE_SECURE_OS]);
        flashed("flash", "c2", 3, &["identify", WRITE_EVERYTHING, "read MB1_BCT back"]);
        flashed("flash", "c3", 4, &["identify", "compare the carve-out"]);
        flashed("flash", "c3", 4, &["write APP"]);
        flashed("restore", "c3", 4, &[WRITE_EVERYTHING]);
        let version = |chip| security_version(dir.path(), chip).unwrap();
        assert_eq!((version("c1"), version("c2"), version("c3")), (2, 3, 0));
    }
}
