//! Trusted apps by the rules of the kernel's loader.

use crate::error::{Error, Result};
use std::path::Path;
use trusty_image::TrustedApp;

/// A TA that passes all rules, or all findings.
pub fn inspect(path: &Path, elf: &[u8]) -> Result<TrustedApp> {
    trusty_image::inspect(elf).map_err(|findings| {
        let list: Vec<String> = findings.iter().map(|f| format!("  {f}")).collect();
        let message =
            format!("{}: the kernel's loader would not take it:\n{}", path.display(), list.join("\n"));
        let remedies: Vec<&str> = findings.iter().map(|f| f.rule.remedy()).collect();
        let facts: Vec<_> = findings
            .iter()
            .map(|f| serde_json::json!({ "rule": f.rule.code(), "finding": f.to_string() }))
            .collect();
        Error::check(message).remedy(remedies.first().copied().unwrap_or_default()).fact("findings", facts)
    })
}
