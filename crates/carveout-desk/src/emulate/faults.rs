//! What stopped Trusty, as an error.

use crate::errors::EmulateError;
use carveout_host::error::Error;
use carveout_host::ui::Ui;
use serde_json::Value;

/// What stopped Trusty, if anything did.
pub fn fault(stats: &Value, ui: &Ui) -> Option<Error> {
    let report = stats.get("fault").and_then(Value::as_str)?;
    let error = if stats.get("backend").is_some_and(|backend| backend == "qemu") {
        EmulateError::TrustyStopped { report: report.to_owned() }
    } else {
        // The unicorn emulator has shown its report itself, unless it was to be quiet.
        let shown = if ui.is_quiet() { report } else { report.lines().next().unwrap_or_default() };
        EmulateError::TrustedAppFault { report: shown.to_owned() }
    };
    Some(error.into())
}
