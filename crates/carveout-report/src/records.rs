//! What this host has flashed: the records of one bundle.

use carveout_field::device::record;
use carveout_host::error::Result;
use serde::Deserialize;
use std::path::Path;

/// A flash of one device, as far as the page shows it. Fields that another version of carveout writes do not matter.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Flashed {
    /// When it began, in UTC.
    pub started: String,
    /// `flash`, `rollback` and others.
    pub action: String,
    /// Where the device was: USB bus and port, or the file of a virt device.
    #[serde(alias = "device", alias = "target", default)]
    pub usb: String,
    /// Who the device is, if that was found out.
    #[serde(default)]
    pub board: Option<String>,
    /// The chip's own number, if it was found out.
    #[serde(default)]
    pub chip: Option<String>,
    /// SHA-256 of the bundle's manifest.
    pub bundle_digest: String,
    /// How much was written.
    #[serde(default)]
    pub scope: Option<String>,
    /// Its steps.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// `ok`, or what failed.
    pub result: String,
}

/// A step of a flash.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Step {
    /// How long it took.
    pub seconds: f64,
}

impl Flashed {
    /// The records of a bundle in a folder of records, the latest first. `digest`: the sha256 of the bundle's manifest.
    pub fn of(folder: &Path, digest: &str) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        record::each(folder, |record: Self| {
            if record.bundle_digest == digest {
                found.push(record);
            }
        })?;
        found.sort_by(|a, b| b.started.cmp(&a.started));
        Ok(found)
    }

    /// How long its steps took together.
    pub fn seconds(&self) -> f64 {
        self.steps.iter().map(|step| step.seconds).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_field::device::record::{RECORDS, Record};

    #[test]
    fn records_of_the_bundle_are_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Flashed::of(dir.path(), "d1"), Ok(Vec::new()), "nothing has been flashed here");
        for (digest, usb) in [("d1", "1-2"), ("d2", "1-3"), ("d1", "1-4")] {
            let mut record = Record::begin(dir.path(), "flash", usb, "desk", digest);
            record.step("write", || Ok(())).unwrap();
            record.end(dir.path(), Ok(())).unwrap();
        }
        let path = dir.path().join(RECORDS);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"started\": \"2026-01-01")).unwrap();
        let found = Flashed::of(dir.path(), "d1").unwrap();
        let told: Vec<_> = found.iter().map(|r| (r.usb.as_str(), r.result.as_str(), r.steps.len())).collect();
        assert_eq!(told.len(), 2);
        assert!(told.contains(&("1-2", "ok", 1)) && told.contains(&("1-4", "ok", 1)), "{told:?}");
    }
}
