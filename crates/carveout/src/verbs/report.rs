//! `report`: the page that explains a bundle.

use crate::cli::{ReportArgs, requests};
use crate::errors::CommandError;
use crate::results::Reported;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use carveout_report::{Flashed, Report, save};
use serde_json::json;
use std::path::PathBuf;

/// Verifies a bundle and writes its page.
pub fn run(args: &ReportArgs, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let key = requests::key(args.key.as_deref())?;
    let mut report = Report::read(&args.bundle, args.previous.as_deref(), key.as_ref())?;
    let text = report.manifest.to_text();
    let text = text.map_err(|e| CommandError::ManifestNotWritten { source: e.into() })?;
    report.records =
        Flashed::of(&carveout_field::device::record::place(dirs), &bundle::sha256(text.as_bytes()))?;
    let name = report.manifest.bundle_name();
    let to = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.report.html")));
    save(&report, &args.bundle, &to)?;
    ui.note(&format!("{name}: verified; the page needs no network and no other file"));
    Ok(Outcome {
        line: Some(to.display().to_string().into()),
        json: json!(Reported { report: to, bundle: name }),
        ..Outcome::default()
    })
}
