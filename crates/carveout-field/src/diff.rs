//! `diff`: what differs between two bundles, and what must be flashed for it.

use super::verify::{check, unreadable};
use crate::results::Compared;
use bundle::{Diff, Difference, Manifest, Side, Source};
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use serde_json::json;
use std::path::Path;
use tegra_flash::Scope;

/// Verifies both bundles and compares them.
pub fn run(old: &Path, new: &Path, ui: &Ui) -> Result<Outcome> {
    let (_, diff) = between(old, new)?;
    diff.differences.iter().for_each(|difference| ui.note(&line(difference)));
    ui.note(reason(&diff));
    if let Some(told) = update(&diff) {
        ui.note(&told);
    }
    Ok(Outcome {
        line: Some(scope_name(diff.scope).into()),
        json: json!(Compared {
            scope: scope_name(diff.scope),
            in_two_steps: diff.in_two_steps,
            left_by_update: diff.left_by_update,
            differences: diff.differences,
        }),
        ..Outcome::default()
    })
}

/// The old bundle's manifest, and what differs.
pub fn between(old: &Path, new: &Path) -> Result<(Manifest, Diff)> {
    let side = |path: &Path| {
        let manifest = check(path)?;
        Side::read(&Source::open(path).map_err(unreadable)?, manifest).map_err(unreadable)
    };
    let (old, new) = (side(old)?, side(new)?);
    let diff = bundle::diff(&old, &new);
    Ok((old.manifest, diff))
}

/// A difference in a line.
pub fn line(difference: &Difference) -> String {
    let Difference { what, old, new, scope } = difference;
    let (old, new) = (old.as_deref().map(short), new.as_deref().map(short));
    let change = match (old, new) {
        (Some(old), Some(new)) => format!("{old} -> {new}"),
        (Some(old), None) => format!("gone, was {old}"),
        (None, Some(new)) => format!("new, {new}"),
        (None, None) => String::new(),
    };
    let scope = scope.map_or(String::new(), |scope| format!(" [{scope}]"));
    format!("{what}: {change}{scope}")
}

/// A value that fits a line: of digests the first digits.
pub fn short(value: &str) -> String {
    const DIGITS: usize = 12;
    let word = |word: &str| match word.len() {
        40.. if word.bytes().all(|b| b.is_ascii_hexdigit()) => word.chars().take(DIGITS).collect(),
        _ => word.to_owned(),
    };
    value.split(' ').map(word).collect::<Vec<String>>().join(" ")
}

/// A scope in a word.
pub fn scope_name(scope: Option<Scope>) -> &'static str {
    scope.map_or("none", Scope::name)
}

/// The scope in words.
pub fn reason(diff: &Diff) -> &'static str {
    match diff.scope {
        None => "nothing that is on a device differs",
        Some(Scope::App) => "the root filesystem differs, and nothing else of what is flashed",
        Some(Scope::SecureOs) => {
            "secure-os differs, and nothing else of what is flashed: the carve-out is the same"
        }
        Some(Scope::Full) if diff.in_two_steps => {
            "secure-os and the root filesystem differ: a full flash writes both, and so do the scopes secure-os and app, one after the other"
        }
        Some(Scope::Full) => {
            "boot config, layout or what a full flash uses differs: the carve-out is part of the signed MB1_BCT, which no smaller scope writes"
        }
    }
}

/// What an update of a running device does of it.
pub fn update(diff: &Diff) -> Option<String> {
    let left = diff.left_by_update.as_ref().filter(|_| diff.scope.is_some())?;
    Some(match left[..] {
        [] => "a running device can take all of it as an update: both boot slots, and no flash".into(),
        _ => format!("an update of a running device leaves as it is: {}", left.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_short_and_other_values_whole() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(short(&format!("17 bytes, sha256 {digest}")), "17 bytes, sha256 0123456789ab");
        assert_eq!(short("rustc 1.95.0 (59807616e 2026-04-14)"), "rustc 1.95.0 (59807616e 2026-04-14)");
    }
}
