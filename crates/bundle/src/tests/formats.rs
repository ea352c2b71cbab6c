//! Bundles of earlier formats, and of later ones.

use super::{problems, written};
use crate::*;
use std::fs;
use trusty_image::Budget;

#[test]
fn a_later_format_is_refused() {
    let (_dir, folder, manifest) = written();
    let text = fs::read_to_string(folder.join(MANIFEST)).unwrap().replace("\"format\": 2", "\"format\": 3");
    assert_eq!(Manifest::from_text(&text), Err(ManifestError::Format(3)));
    let earlier = Manifest { format: 1, ..manifest };
    assert_eq!(Manifest::from_text(&earlier.to_text().unwrap()).map(|m| m.format), Ok(1));
}

/// Format 1 counted the kernel's memory in another way: each format is verified by its own.
#[test]
fn the_memory_is_counted_as_the_format_has_it() {
    let (_dir, folder, mut manifest) = written();
    let wrong = "manifest.json: plan: memory is not that of the trusted apps";
    let write = |manifest: &Manifest| {
        fs::write(folder.join(MANIFEST), manifest.to_text().unwrap()).unwrap();
        fs::write(folder.join("SHA256SUMS"), manifest.sums().unwrap()).unwrap();
        problems(&folder)
    };
    let budget = &manifest.plan.memory;
    let old = Budget::of_format_1(budget.tzdram, budget.monitor > 0, budget.trusted_apps.clone());
    assert!(old.kernel > budget.kernel && old.free < budget.free);
    manifest.format = 1;
    assert_eq!(write(&manifest), [wrong]);
    manifest.plan.memory = old;
    assert_eq!(write(&manifest), [""; 0]);
    manifest.format = 2;
    assert_eq!(write(&manifest), [wrong]);
}
