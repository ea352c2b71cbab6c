//! Release notes: what the changelog says of a version, and what differs from the release before.

use crate::diff;
use bundle::{Diff, FlashPackage, Manifest};

/// How a release gets a list of changes.
pub const NO_CHANGELOG: &str = "the product config names no changelog. Add `changelog: FILE` to it (relative to the config), with a \
    section `## VERSION` in that file";

/// The changelog's section of a version, without its headline; of a version that has none, `Unreleased`.
pub fn section<'a>(changelog: &'a str, version: &str) -> Option<&'a str> {
    let of = |wanted: &str| {
        let mut from = None;
        let mut at = 0;
        for line in changelog.split_inclusive('\n') {
            if let Some(title) = line.strip_prefix("## ") {
                if let Some(start) = from {
                    return changelog.get(start..at).map(str::trim);
                }
                let word =
                    title.trim().trim_start_matches('[').split([']', ' ', ':']).next().unwrap_or_default();
                if word == wanted || word.strip_prefix('v') == Some(wanted) {
                    from = Some(at + line.len());
                }
            }
            at += line.len();
        }
        from.and_then(|start| changelog.get(start..)).map(str::trim)
    };
    of(version).or_else(|| of("Unreleased")).filter(|text| !text.is_empty())
}

/// The notes as Markdown.
pub fn text(manifest: &Manifest, changes: Option<&str>, previous: Option<(&Manifest, &Diff)>) -> String {
    let mut text = format!("# {} {}\n\nBoard {}, ", manifest.name, manifest.version, manifest.board);
    text += &format!("carve-out {}, ", manifest.tzdram);
    text += &format!("security version {}.\n", manifest.security_version);
    text += &match changes {
        // The changelog's headlines are one level below ours already.
        Some(changes) => format!("\n## Changes\n\n{changes}\n"),
        // For whoever makes the release; readers of the page do not see it.
        None => format!("\n<!-- No changes are listed: {NO_CHANGELOG}. -->\n"),
    };
    if let Some((old, diff)) = previous {
        text += &format!("\n## Since {}\n\n", old.version);
        text += &format!("To flash: `{}`. {}.\n", diff::scope_name(diff.scope), upper(diff::reason(diff)));
        if let Some(update) = diff::update(diff) {
            text += &format!("{}.\n", upper(&update));
        }
        if !diff.differences.is_empty() {
            text += "\n";
        }
        for difference in &diff.differences {
            text += &format!("- `{}`\n", diff::line(difference).replace('`', "'"));
        }
    }
    let name = manifest.bundle_name();
    let package = manifest.device.as_ref().map(|device| device.flash_package);
    let archive = format!("{name}.tar.zst");
    let flash = match package {
        Some(FlashPackage::None) => String::new(),
        Some(FlashPackage::Tegraflash) => {
            format!("tar -xf {archive}\nsudo bash {name}/flash/flash.sh\n")
        }
        // Only root reaches a board over USB.
        Some(FlashPackage::Modules) => {
            format!("sudo -E ./carveout flash {archive} --to usb --key PUBLIC_KEY\n")
        }
        None => format!("./carveout flash {archive} --to virt:FILE --scope auto --key PUBLIC_KEY\n"),
    };
    text += "\n## How to flash\n\nWith `carveout` of this folder, on any Linux on x86-64. It needs nothing else.\n\n";
    text += &format!("```\nchmod +x carveout\n./carveout verify {archive} --key PUBLIC_KEY\n{flash}```\n");
    if package == Some(FlashPackage::Modules) && previous.is_some() {
        text += &format!(
            "\nA board that has the release before gets what differs, if the bundle of that release is named:\n\n```\n\
             sudo -E ./carveout flash {archive} --to usb --scope auto --from OLD_BUNDLE --key PUBLIC_KEY\n```\n"
        );
    }
    text
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "# Changelog\n\n## Unreleased\n\n- new\n\n## [1.1.0] - 2026-01-01\n\n### Added\n\n- this\n\n## v1.0:\n\n- old\n";

    #[test]
    fn a_version_has_its_section() {
        assert_eq!(section(LOG, "1.1.0"), Some("### Added\n\n- this"));
        assert_eq!(section(LOG, "1.0"), Some("- old"));
        assert_eq!(section(LOG, "2.0"), Some("- new"));
        assert_eq!(section("# Changelog\n", "1"), None);
    }
}
