//! Bundles of earlier formats, and of later ones.

use super::{problems, written};
use crate::*;
use std::fs;
use trusty_image::{Budget, stock};

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
        fs::write(folder.join(SUMS), manifest.sums().unwrap()).unwrap();
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

/// Without them a report of a bundle of format 1 would promise memory that the device has not.
#[test]
fn stock_apps_of_format_1_count_by_their_names() {
    let (_dir, _folder, mut manifest) = written();
    manifest.device = Some(Device {
        modules: Vec::new(),
        soc: Default::default(),
        recovery: None,
        fused: Fused::No,
        app_size: 0,
        lacks: Vec::new(),
        stock_trusted_apps: vec![stock::STOCK[3].0],
        flash_package: FlashPackage::None,
        update_eks: false,
    });
    assert_eq!(manifest.stock().apps, []);
    manifest.format = 1;
    assert_eq!(manifest.stock().apps, stock::memory(Some(&["nvidia-sample/luks-srv".to_owned()])));
    assert_eq!(manifest.stock().apps[0].total(), 80 * 1024);
}
