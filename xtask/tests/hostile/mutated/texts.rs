//! Texts: configs, layouts, boot configs, manifests, declarations, records, consoles.

use super::mutator::{EXTREMES, Random, Tally};
use crate::hostile::kit;
use crate::report::small;
use bundle::Manifest;
use carveout_field::device::record;
use carveout_field::release::index::Index;
use carveout_product as config;
use carveout_product::Overrides;
use carveout_product::workspace::Workspace;
use std::fs;
use std::path::Path;
use tegra_bct::MiscCfg;
use tegra_flash::layout::substitute;
use tegra_flash::{ChipId, Layout, guids};
use trusty_fault::{Listener, Program};
use trusty_image::plan::{PlannedApp, Request};
use trusty_ta_build::Declaration;

const CFG: &[u8] = b"bctsize = 0;\r\ncarveout.tzdram.size = 0x02000000; #32MB\ncarveout.tzdram.alignment = 0x00100000;\n# x\nwp.waypoint0 = 7;\n";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn file(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap()
}

/// Product configs and boards.
pub fn configs(tally: &Tally) {
    let workspace = Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    let long = b"name: a\nversion: '1'\nboard: virt\ntzdram: { size: 32MiB, alignment: 1MiB }\ntrusted_apps:\n  - package: echo-srv\n    min_heap: \
        64KiB\n  - { package: small-echo-srv, min_stack: 0x4000 }\nclient_apps: [echo-srv-app]\nrootfs:\n  kind: debian\n  suite: bookworm\n  size: 1GiB\n  \
        packages: [apt]\n  mirror: [ 'file:///srv/a', { url: 'http://h/b', suites: [x] } ]\n";
    let seeds = [file("configs/desk.yaml"), file("configs/jetson-agx-xavier.yaml"), long.to_vec()];
    tally.run("product config", &seeds, 250, |bytes| {
        fs::write(&path, bytes).unwrap();
        match config::load(&workspace, &path, &Overrides::default()) {
            Ok(product) => {
                assert!((1..=trusty_image::limits::MAX_APPS).contains(&product.trusted_apps.len()));
                true
            }
            Err(error) => {
                assert!(error.exit as u8 != 130 && !error.message.is_empty());
                false
            }
        }
    });
}

/// All other texts.
pub fn others(tally: &Tally) {
    let virt = file("configs/boards/virt/flash_virt.xml");
    let layouts = [small_layout(), virt];
    let layout = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(substitute(&text, &[]), text);
        let with = guids::with_guids(&text, |_, _| "0".repeat(36));
        let Ok(layout) = Layout::parse(&text) else { return false };
        for app in [0, 1 << 30, u64::MAX] {
            let _ = layout.too_small(app);
        }
        let sizes: Vec<(String, u64)> =
            layout.partitions().filter_map(|p| Some((p.name.clone(), p.size.number()?))).collect();
        let needed = virt_device::needed(&sizes);
        assert!(needed.is_err() || needed.is_ok_and(|size| size <= virt_device::MAX_DEVICE));
        let again = Layout::parse(&with.unwrap()).unwrap();
        assert_eq!(again.partitions().count(), layout.partitions().count());
        true
    };
    tally.run("layout", &layouts, 200, layout);
    // Well-formed ones, whose sizes and counts of sectors are extreme.
    let text = String::from_utf8(small_layout()).unwrap();
    for number in 0..100 {
        let mut random = Random::of("layout sizes", number);
        let mut extreme =
            || EXTREMES[random.below(EXTREMES.len())].wrapping_sub(random.next() % 3).to_string();
        let text = ["9999", "65536", "2621440", "512"]
            .iter()
            .fold(text.clone(), |text, old| text.replace(old, &extreme()));
        tally.one("layout sizes", number as usize, text.as_bytes(), layout);
    }
    tally.run("boot config", &[CFG.to_vec()], 150, |bytes| {
        let Ok(mut cfg) = MiscCfg::parse(bytes) else { return false };
        assert_eq!(cfg.as_bytes(), bytes);
        let before: Vec<(String, u64)> = cfg.entries().map(|(key, value)| (key.to_owned(), value)).collect();
        let Some((key, _)) = before.first() else { return false };
        cfg.set(key, u64::MAX).unwrap();
        let again = MiscCfg::parse(cfg.as_bytes()).unwrap();
        for (other, value) in &before {
            assert_eq!(again.get(other), Ok(if other == key { u64::MAX } else { *value }));
        }
        true
    });
    let dir = tempfile::tempdir().unwrap();
    let folder = kit::bundle_of(dir.path());
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    tally.run("bundle manifest", &[&manifest], 200, |bytes| {
        let Ok(manifest) = Manifest::from_text(&String::from_utf8_lossy(bytes)) else { return false };
        assert_eq!(manifest.to_text().unwrap().as_bytes(), bytes);
        true
    });
    // Its digest is anybody's to compute: the same with one that fits, so that the arithmetic behind it is reached.
    tally.run("manifest with a digest", &[manifest], 200, |bytes| {
        let Ok(mut value) = serde_json::from_slice::<Manifest>(bytes) else { return false };
        value.files.sort_by(|a, b| a.path.cmp(&b.path));
        let Ok(manifest) = Manifest::from_text(&value.to_text().unwrap()) else { return false };
        let _ = (manifest.plan.memory.least(), manifest.plan.memory.in_carve_out(manifest.tzdram.size()));
        let _ =
            manifest.plan.memory.trusted_apps.iter().map(trusty_image::AppMemory::total).collect::<Vec<_>>();
        let bundle = kit_dir(&folder, &manifest);
        let verified = bundle::verify(&bundle::Source::open(bundle.path()).unwrap()).unwrap();
        let path = bundle.path().join("manifest.json");
        let _ = carveout_report::inspect::run(&path);
        plan(&manifest);
        verified.problems.is_empty()
    });
    let index = br#"{ "format": 1, "channels": { "stable": [ { "bundle": "a-1-virt-tzdram32M", "name": "a", "version": "1",
        "board": "virt", "security_version": 3, "archive": "a-1-virt-tzdram32M/a-1-virt-tzdram32M.tar.zst", "size": 77,
        "sha256": "0000000000000000000000000000000000000000000000000000000000000000" } ] } }"#;
    tally.run("index", &[index.to_vec()], 150, |bytes| {
        let Ok(index) = Index::parse("place", bytes, None, None) else { return false };
        index.channels.values().flatten().all(|entry| !entry.archive.starts_with(['/', '.']))
    });
    let line = br#"{"started":"2026-01-01T00:00:00Z","action":"flash","device":"1-2","chip":"c","bundle":"b","bundle_digest":"d","security_version":7,"steps":[{"step":"a","seconds":1.5,"ok":true}],"result":"ok"}"#;
    let record = [line, &b"\n"[..], line, b"\n"].concat();
    tally.run("flash records", &[record], 100, |bytes| {
        fs::write(dir.path().join(record::RECORDS), bytes).unwrap();
        record::security_version(dir.path(), "c").is_ok()
    });
    tally.run("declaration", &[file("apps/echo-srv/Cargo.toml")], 100, |bytes| {
        Declaration::from_cargo_toml(&String::from_utf8_lossy(bytes))
            .is_ok_and(|declared| declared.check().is_ok())
    });
    let console = b"echo: panicked at src/main.rs:7:9:\nno\necho: out of memory: 4096 bytes asked (alignment 8), heap 65536, used 1, largest 9\n\
        echo: ended: trusted app 6d1fc0de-5275-7374-ec40-000000000001, called from 0x8004 0x8008\n0x: BR_CID: 0x88021911645995822400000015028280\n";
    tally.run("console", &[console.to_vec()], 100, |bytes| {
        let (text, mut listener) = (String::from_utf8_lossy(bytes), Listener::default());
        let _ = ChipId::find(&text);
        let endings: Vec<_> = text.lines().filter_map(|line| listener.line(line)).collect();
        endings.iter().for_each(|ending| drop(ending.report("a", None, &Program::default())));
        !endings.is_empty()
    });
}

fn small_layout() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    fs::read(dir.path().join(small::write(dir.path(), "1", 32 << 20)).join("layout/layout.xml")).unwrap()
}

/// The bundle with another manifest.
fn kit_dir(folder: &Path, manifest: &Manifest) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for path in ["boot-config/misc.cfg", "layout/layout.xml", "secure-os/tos.img", "trusted-apps/a.elf"] {
        let to = dir.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::hard_link(folder.join(path), to).unwrap();
    }
    fs::write(dir.path().join("manifest.json"), manifest.to_text().unwrap()).unwrap();
    fs::write(dir.path().join("SHA256SUMS"), manifest.sums().unwrap()).unwrap();
    dir
}

fn plan(manifest: &Manifest) {
    let elf = trusty_image::test_elf::TestElf::good().build();
    let app = trusty_image::inspect(&elf).unwrap();
    let planned = |entry: &bundle::AppEntry| PlannedApp {
        name: entry.name.clone(),
        app: app.clone(),
        file_size: manifest.files.first().map_or(u64::MAX, |file| file.size),
        heap_demand: entry.heap_demand,
    };
    let plan = trusty_image::Plan::new(&Request {
        soc: trusty_image::Soc::T194,
        tzdram: manifest.tzdram,
        stock: manifest.stock(),
        apps: manifest.trusted_apps.iter().map(planned).collect(),
        image: manifest.plan.partitions.first().map(|partition| partition.used),
        partition: manifest.plan.partitions.first().map(|partition| partition.size),
    });
    assert!(plan.findings.iter().all(|finding| !finding.what.is_empty()));
}
