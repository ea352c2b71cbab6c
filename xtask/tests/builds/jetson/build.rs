//! Bundles for Jetson AGX Xavier.

use super::device::{bundle, product};
use super::standin::{KERNEL, MONITOR};
use super::{BOARD, Machine};
use crate::builds::util::{files, manifest, root, run, test_kernel, xtask};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tegra_bct::mb1::{self, Mb1Tzdram};
use tegra_flash::payload::Payload;
use trusty_image::stock::STOCK;
use trusty_image::{Container, tasks};

/// Boot configs that NVIDIA's tools sign: of the cold boot, and while flashing.
pub const BCTS: [&str; 2] =
    ["mb1_cold_boot_bct_MB1_sigheader.bct.encrypt", "mb1_bct_MB1_sigheader.bct.encrypt"];

/// SHA-256 of a bundle's archive.
pub fn archive_sum(bundle: &Path) -> String {
    let archive = format!("{}.tar.zst", bundle.display());
    ::bundle::hash_file(Path::new(&archive)).unwrap().sha256
}

/// Both archives are the same, byte for byte; else what differs in their manifests is told.
pub fn assert_same(one: &Path, other: &Path) {
    if archive_sum(one) != archive_sum(other) {
        let [one, other] = [one, other].map(|bundle| bundle.join(::bundle::MANIFEST));
        panic!("{}", run("diff", ["-u".as_ref(), one.as_os_str(), other.as_os_str()]).stdout());
    }
}

#[test]
fn a_bundle_is_whole_and_explained() {
    assert_eq!(bundle().file_name().unwrap().to_str().unwrap(), format!("bench-1.0.0-{BOARD}-tzdram32M"));
    let archive = PathBuf::from(format!("{}.tar.zst", bundle().display()));
    for path in [bundle(), &archive] {
        assert_eq!(xtask(["verify".as_ref(), path.as_os_str()]).ok(), "ok");
    }
    let text = xtask(["inspect".as_ref(), bundle().join("secure-os/tos.img").as_os_str()]).ok();
    let own = ["c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001", "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c002"];
    let stock = STOCK.map(|(uuid, name)| format!("{uuid}, NVIDIA's {name}"));
    for words in own.iter().copied().chain(stock.iter().map(String::as_str)) {
        assert!(text.contains(words), "{words} in {text}");
    }
    let manifest = manifest(bundle());
    assert_eq!(manifest["inputs"]["bsp"], "R32.7.2");
    assert_eq!(manifest["device"]["lacks"], serde_json::json!([]));
    assert_eq!(manifest["device"]["stock_trusted_apps"], serde_json::json!(STOCK.map(|(uuid, _)| uuid)));
    let names = |key: &str| manifest["device"][key].as_array().unwrap().iter().map(|m| m["name"].clone());
    assert_eq!(names("modules").collect::<Vec<_>>(), ["16gb-d0", "16gb", "32gb", "64gb"]);
}

#[test]
fn the_image_holds_monitor_kernel_and_all_trusted_apps() {
    let image = fs::read(bundle().join("secure-os/tos.img")).unwrap();
    let container = Container::parse(&image).unwrap();
    assert!(container.monitor.starts_with(MONITOR), "that of the BSP's own image");
    let kernel = [test_kernel(), format!("kernel of {}", stage_cache::EPOCH).into_bytes()].concat();
    assert!(container.os.starts_with(&kernel), "it bears a time, which is always the same");
    assert_eq!(manifest(bundle())["desk_boot"], "answered");
    let apps = tasks::find(container.os);
    assert_eq!(apps.len(), 6);
    for (name, found) in ["echo-srv", "small-echo-srv"].iter().zip(apps) {
        let elf = fs::read(bundle().join(format!("trusted-apps/{name}.elf"))).unwrap();
        assert!(elf == found, "{name}");
    }
}

/// The proof that the carve-out takes effect: in what MB1 reads, both of the cold boot and while flashing.
#[test]
fn both_signed_boot_configs_carry_the_carve_out() {
    for name in BCTS {
        let bct = fs::read(bundle().join("flash/common").join(name)).unwrap();
        assert_eq!(mb1::read(&bct), Ok(Mb1Tzdram { size: 0x0200_0000, alignment: 0x0010_0000 }), "{name}");
        assert_eq!(bct.len(), 0x1000 + 0x6930);
    }
    let entries = manifest(bundle())["files"].clone();
    let partitions = |end: &str| {
        let entries = entries.as_array().unwrap();
        let entry = entries.iter().find(|file| file["path"].as_str().unwrap().ends_with(end)).unwrap();
        entry["partitions"].clone()
    };
    assert_eq!(partitions(BCTS[0]), serde_json::json!(["MB1_BCT", "MB1_BCT_b"]));
    assert_eq!(partitions(BCTS[1]), serde_json::json!([]), "it is sent, not written");
    assert_eq!(
        partitions("tos-trusty_t194_sigheader.img.encrypt"),
        serde_json::json!(["secure-os", "secure-os_b"])
    );
}

/// What updates a running board is what a flash of the bundle writes to it; the partitions that each module gets.
pub fn update_of(folder: &Path) -> Vec<BTreeSet<String>> {
    let bytes = fs::read(folder.join(::bundle::UPDATE_PAYLOAD)).unwrap();
    let payload = Payload::parse(&bytes).unwrap();
    let source = ::bundle::Source::open(folder).unwrap();
    let (manifest, _) = ::bundle::extract(&source, |_| false).unwrap();
    let modules = manifest.device.iter().flat_map(|device| &device.modules);
    let written = modules.map(|module| {
        let parts = payload.of_module(&module.update_specs[0]);
        let partition = parts.map(|part| {
            let (_, file) = manifest.partition_file(&module.name, &part.partition).unwrap();
            assert_eq!(::bundle::sha256(part.data), file.sha256, "{} of {}", part.partition, module.name);
            part.partition.clone()
        });
        partition.collect()
    });
    written.collect()
}

#[test]
fn the_update_payload_has_what_a_flash_writes() {
    let modules = update_of(bundle());
    assert_eq!(modules.len(), 4);
    for partitions in &modules {
        for name in ["secure-os", "MB1_BCT", "BCT", "mb1", "bpmp-fw-dtb", "VER"] {
            assert!(partitions.contains(name), "{name} in {partitions:?}");
        }
        for name in ["eks", "kernel", "kernel-dtb", "APP"] {
            assert!(!partitions.contains(name), "{name} in {partitions:?}");
        }
    }
    let payload = bundle().join(::bundle::UPDATE_PAYLOAD);
    let told = xtask(["inspect".as_ref(), payload.as_os_str()]).ok();
    assert!(
        told.contains("carve-out    32 MiB for 2888-402-0005--1-2-jetson-agx-xavier-devkit-mmcblk0p1"),
        "{told}"
    );
}

/// What all modules get is there once; what one gets, in its folder; what a run leaves behind, nowhere.
#[test]
fn the_flash_folder_holds_what_flashing_needs_and_no_more() {
    let all = files(bundle());
    let flash: Vec<&str> = all.iter().filter_map(|path| path.strip_prefix("flash/")).collect();
    for file in [
        "flash.sh",
        "README.txt",
        "common/nvaflash.sh",
        "common/tegrarcm_v2",
        "common/tegradevflash_v2",
        "common/tegraparser_v2",
        "common/chkbdinfo",
        "common/rcm_list_signed.xml",
        "common/LICENSE",
        "common/LICENSE.of-something",
        "common/identify/rcm_list_signed.xml",
        "common/identify/nvtboot_applet_t194_sigheader.bin.encrypt",
        "common/boot_sigheader.img.encrypt",
        "32gb/flash.xml.bin",
        "32gb/tegra194-a02-bpmp-p2888-a04_sigheader.dtb.encrypt",
        "64gb/tegra194-a02-bpmp-p2888-0005-a04_sigheader.dtb.encrypt",
    ] {
        assert!(flash.contains(&file), "{file} in {flash:#?}");
    }
    for part in
        ["gpt_", "mbr_", "tmp", "mfi.log", "system.img", "misbehave", "/lacks", "/partitions", "flash.idx"]
    {
        assert!(!flash.iter().any(|file| file.contains(part)), "{part} in {flash:#?}");
    }
    let layout = xtask(["inspect".as_ref(), bundle().join("layout/flash_t194_sdmmc.xml").as_os_str()]).ok();
    assert!(layout.contains("268435456 system.img"), "as the product says: {layout}");
}

/// Files of these stages seem to have been changed, so that the next build makes them anew.
fn touch(stages: &[&str]) {
    for stage in stages {
        let folder = root().join("target/carveout/stages").join(stage);
        let folder = folder.to_str().unwrap();
        run("find", [folder, "-type", "f", "!", "-name", ".*", "-exec", "touch", "{}", "+"]).ok();
    }
}

#[test]
fn two_builds_of_two_copies_are_the_same_and_leave_them_alone() {
    const STAGES: [&str; 7] = [
        "secure-os",
        "boot-config",
        "unchanged-boot-config-32gb",
        "flash-package-16gb-d0",
        "flash-package-16gb",
        "flash-package-32gb",
        "flash-package-64gb",
    ];
    let expected = archive_sum(bundle());
    let lacks = || {
        touch(&STAGES);
        let machine = Machine::new();
        let before = machine.trees();
        let json = machine.image(&["--json", "-c", &product(&machine)]).result();
        assert_eq!(archive_sum(Path::new(json["bundle"].as_str().unwrap())), expected);
        assert_eq!(machine.trees(), before);
        let rows = json["stages"].as_array().unwrap().iter();
        let built: BTreeSet<String> = rows
            .filter(|row| row["reused"] == false)
            .map(|row| row["stage"].as_str().unwrap().replace(' ', "-"))
            .collect();
        let wanted = STAGES.into_iter().chain(["bsp", "sources", "bundle"]);
        wanted.filter(|stage| !built.contains(*stage)).collect::<Vec<_>>()
    };
    // A test beside this one may find them changed first, and make one of them anew.
    let found: Vec<_> = (0..5).map(|_| lacks()).take_while(|lacks| !lacks.is_empty()).collect();
    assert!(found.len() < 5, "never made anew here: {found:?}");
}

/// NVIDIA's own form: tarballs, that of the sources with others in it.
#[test]
fn tarballs_do_as_well() {
    let machine = Machine::new();
    let (bsp, sources) = (machine.path("bsp.tbz2"), machine.path("public_sources.tbz2"));
    let tar = |tarball: &Path, folder: &Path, name: &str| {
        let [tarball, folder] = [tarball, folder].map(|path| path.to_str().unwrap());
        run("tar", ["-cf", tarball, "-C", folder, name]).ok();
    };
    tar(&bsp, machine.bsp.dir.parent().unwrap(), "Linux_for_Tegra");
    let inner = machine.path("packed/Linux_for_Tegra/source/public");
    fs::create_dir_all(&inner).unwrap();
    tar(&inner.join("trusty_src.tbz2"), &machine.sources.dir, "trusty");
    tar(&inner.join("atf_src.tbz2"), &machine.sources.dir, "arm-trusted-firmware");
    tar(&sources, &machine.path("packed"), "Linux_for_Tegra");
    let [bsp, sources] = [&bsp, &sources].map(|path| path.to_str().unwrap());
    let built = machine.image(&["-c", &product(&machine), "--bsp", bsp, "--sources", sources]).ok();
    assert_same(Path::new(&built), bundle());
}

#[test]
fn the_environment_and_the_config_name_both_trees() {
    let machine = Machine::new();
    let out = machine.path("out");
    let product = product(&machine);
    // What the command line says besides is in a bundle's digest of its config.
    let more = ["--board", BOARD, "--without", "rootfs"];
    let mut command = machine.command(["image", "-c", &product, "--accept-license"]);
    command.args(more);
    command.arg("-o").arg(&out).env("CARVEOUT_L4T_BSP", &machine.bsp.dir);
    command.env("CARVEOUT_L4T_SOURCES", &machine.sources.dir);
    let built = PathBuf::from(crate::builds::util::Ran::new(&mut command).ok());
    assert_same(&built, bundle());
    // Paths in a config are relative to it; the folder above Linux_for_Tegra does as well.
    let product = machine.product("echo-srv", "bsp: ., sources: sources, accept_license: true");
    let arguments = ["image", "-c", &product, "-o", out.to_str().unwrap()];
    let built = PathBuf::from(crate::builds::util::Ran::new(&mut machine.command(arguments)).ok());
    assert_eq!(manifest(&built)["inputs"]["bsp"], "R32.7.2");
}

/// NVIDIA's sources come without a kernel: such a BSP flashes secure-os alone, and says so.
#[test]
fn without_a_kernel_there_is_no_kernel_in_the_bundle() {
    let machine = Machine::new();
    machine.bsp.remove(&KERNEL);
    let product = machine.product("echo-srv", "accept_license: true");
    let built = PathBuf::from(machine.image(&["-c", &product]).ok());
    let manifest = manifest(&built);
    assert_eq!(manifest["device"]["lacks"], serde_json::json!(KERNEL));
    let written = manifest["files"].as_array().unwrap().iter().map(|file| file["partitions"].to_string());
    assert!(written.clone().any(|partitions| partitions.contains("\"kernel-dtb\"")));
    assert!(!written.clone().any(|partitions| partitions.contains("\"kernel\"")));
    assert!(!files(&built).iter().any(|file| file.contains("boot_sigheader.img")), "{:#?}", files(&built));
    assert_eq!(xtask(["verify".as_ref(), built.as_os_str()]).ok(), "ok");
}
