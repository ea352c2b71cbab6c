//! The same with NVIDIA's real files, where they are.

use super::build::{BCTS, update_of};
use super::{BOARD, real_bundle, real_trees, sums};
use crate::builds::util::{manifest, xtask};
use std::fs;
use tegra_bct::mb1::{self, Mb1Tzdram};
use tegra_flash::update::update_parts;
use trusty_image::stock::STOCK;
use trusty_image::{Container, tasks};

#[test]
fn a_bundle_of_the_real_trees() {
    let Some([bsp, sources]) = real_trees() else { return };
    let trees = || [&bsp, &sources].map(|tree| sums(tree)).concat();
    let (before, dir) = (trees(), tempfile::tempdir().unwrap());
    let built = real_bundle(BOARD, dir.path(), &[]);
    assert!(trees() == before, "NVIDIA's trees have changed");
    assert_eq!(xtask(["verify".as_ref(), built.as_os_str()]).ok(), "ok");
    for name in BCTS {
        // One for all modules, or one for each.
        let of_any =
            crate::builds::util::files(&built).into_iter().filter(|file| file.ends_with(&format!("/{name}")));
        let of_any: Vec<String> = of_any.collect();
        assert!(!of_any.is_empty(), "{name}");
        for file in of_any {
            let bct = fs::read(built.join(&file)).unwrap();
            assert_eq!(mb1::read(&bct), Ok(Mb1Tzdram { size: 32 << 20, alignment: 1 << 20 }), "{file}");
        }
    }
    // All parts that NVIDIA's own payload has for each of the four modules, but for eks.
    assert!(
        update_of(&built)
            .iter()
            .all(|partitions| partitions.len() == update_parts(trusty_image::Soc::T194).len() - 1)
    );
    let image = fs::read(built.join("secure-os/tos.img")).unwrap();
    let container = Container::parse(&image).unwrap();
    let uuid = |elf: &&[u8]| trusty_image::inspect(elf).unwrap().manifest.uuid.to_string();
    let found: Vec<String> = tasks::find(container.os).iter().map(uuid).collect();
    let apps = manifest(&built)["trusted_apps"].clone();
    let own = apps.as_array().unwrap().iter().map(|app| app["uuid"].as_str().unwrap().to_owned());
    let known: Vec<String> = own.chain(STOCK.map(|(uuid, _)| uuid.to_string())).collect();
    // Sources may have more of their own, behind NVIDIA's.
    assert!(found.starts_with(&known), "{known:?} in {found:?}");
    // The monitor is the BSP's, and packing is lossless.
    let stock = fs::read(bsp.join("bootloader/tos-trusty_t194.img")).unwrap();
    let read = Container::parse(&stock).unwrap();
    assert!(read.monitor == container.monitor);
    assert!(Container::pack(read.monitor, read.os, read.tos_type).unwrap() == stock);
}
