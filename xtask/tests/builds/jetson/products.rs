//! Products that say more of NVIDIA's parts than the default one.

use super::Machine;
use super::device::{Bus, XAVIER_32GB};
use super::standin::put;
use crate::builds::util::{Ran, files, manifest, root, run, xtask};
use std::fs;
use std::path::{Path, PathBuf};
use tegra_bct::mb1::{self, Mb1Tzdram};
use tegra_flash::Ekb;
use tegra_flash::ekb::{Key, Root, SAMPLE_VECTOR};
use trusty_image::stock::STOCK;
use trusty_image::test_elf::TestElf;
use trusty_image::{Container, tasks};

/// Builds a product, which accepts the licence by itself.
fn build(machine: &Machine, trusted_apps: &str, l4t: &str, more: &[&str]) -> Ran {
    let product = machine.product(trusted_apps, &format!("accept_license: true{l4t}"));
    machine.image(&[&["-c", &product], more].concat())
}

fn image(bundle: &Path) -> Vec<u8> {
    fs::read(bundle.join("secure-os/tos.img")).unwrap()
}

#[test]
fn the_monitor_is_built_and_keys_are_replaced_on_demand() {
    let machine = Machine::new();
    let built = PathBuf::from(build(&machine, "echo-srv", ", monitor: sources, eks: write", &[]).ok());
    // An update replaces the keys of devices only if the product says so.
    assert!(super::build::update_of(&built).iter().all(|partitions| partitions.contains("eks")));
    assert_eq!(xtask(["verify".as_ref(), built.as_os_str()]).ok(), "ok");
    assert!(Container::parse(&image(&built)).unwrap().monitor.starts_with(b"monitor of l4t"));
}

#[test]
fn stock_trusted_apps_are_chosen() {
    for (chosen, expected) in
        [("[]", &[][..]), ("[nvidia-sample/luks-srv, sample/ipc-unittest/srv]", &[3, 1])]
    {
        let machine = Machine::new();
        let built = build(&machine, "echo-srv", &format!(", stock_trusted_apps: {chosen}"), &[]).ok();
        let uuids: Vec<_> = expected.iter().map(|index: &usize| STOCK[*index].0).collect();
        let manifest = manifest(Path::new(&built));
        assert_eq!(manifest["device"]["stock_trusted_apps"], serde_json::json!(uuids));
        let image = image(Path::new(&built));
        assert_eq!(tasks::find(Container::parse(&image).unwrap().os).len(), 1 + expected.len());
    }
}

/// 1 MiB holds the monitor, the kernel with the two of its stock trusted apps that are no tests, and one app that is small enough.
#[test]
fn the_least_carve_out_is_possible() {
    let machine = Machine::new();
    put(&machine.path("small.elf"), TestElf::good().build());
    let app = "{ elf: small.elf, min_heap: 4KiB, min_stack: 4KiB }";
    let kept = ", stock_trusted_apps: [nvidia-sample/hwkey-agent, nvidia-sample/luks-srv]";
    let built = PathBuf::from(build(&machine, app, kept, &["--tzdram", "1MiB"]).ok());
    let bct = fs::read(built.join("flash/common/mb1_bct_MB1_sigheader.bct.encrypt")).unwrap();
    assert_eq!(mb1::read(&bct), Ok(Mb1Tzdram { size: 1 << 20, alignment: 1 << 20 }));
    assert!(built.ends_with("product-1.0.0-jetson-agx-xavier-tzdram1M"));
}

/// The boot config of such a board is encrypted: nobody can compare its carve-out, and nobody says that it was compared.
fn secure_os_alone_needs_somebody_who_knows_the_carve_out(bundle: &Path) {
    let flash = ["flash", bundle.to_str().unwrap(), "--to", "usb", "--scope", "secure-os"];
    const UNSEEN: &str = "--carve-out-unseen";
    let bus = Bus::new();
    let board = bus.plug("1-2", XAVIER_32GB);
    board.chip("0xd8021911000000000000000000000001");
    let error = bus.xtask(flash).fails(2);
    assert!(
        error.contains("--scope secure-os: the boot config of a board with an SBK is encrypted"),
        "{error}"
    );
    assert!(error.contains("add --carve-out-unseen"), "{error}");
    assert_eq!(board.calls(), Vec::<String>::new());
    let ran = bus.xtask([&flash[..], &[UNSEEN]].concat());
    let plan = ran.stderr();
    assert!(plan.contains("is not compared"), "{plan}");
    ran.ok();
    for record in super::flash::records(&bus) {
        let steps = record["steps"].as_array().unwrap();
        let named = |name: &str| steps.iter().any(|step| step["step"] == name && step["ok"] == true);
        assert!(named("carve-out not compared: encrypted") && !named("compare the carve-out"), "{record}");
        assert!(named("write secure-os") && named("read secure-os_b back") && named("restart"), "{record}");
    }
}

/// Fused boards get files of other names. Keys are used where they lie; nothing of them is in the bundle.
#[test]
fn fused_boards_get_signed_and_encrypted_files() {
    let machine = Machine::new();
    let sbk = "0x5ec2e7aa 0x5ec2e7bb 0x5ec2e7cc 0x5ec2e7dd";
    let pkc = rsa(&machine.path("pkc.pem"));
    put(&machine.path("sbk.key"), sbk);
    let tos = "flash/common/tos-trusty_t194_sigheader.img";
    for (keys, fused, bct, tos) in [
        ("", "pkc", "mb1_cold_boot_bct_MB1_sigheader.bct.signed", format!("{tos}.signed")),
        (
            ", sbk_key: sbk.key",
            "pkc-sbk",
            "mb1_cold_boot_bct_MB1.bct_sigheader.encrypt.signed",
            format!("{tos}.encrypt.signed"),
        ),
    ] {
        let built =
            PathBuf::from(build(&machine, "echo-srv", &format!(", pkc_key: pkc.pem{keys}"), &[]).ok());
        let manifest = manifest(&built);
        assert_eq!(manifest["device"]["fused"], fused);
        let partitions = |path: &str| {
            let all = manifest["files"].as_array().unwrap();
            all.iter().find(|file| file["path"] == path).map(|file| file["partitions"].clone())
        };
        assert_eq!(
            partitions(&tos),
            Some(serde_json::json!(["secure-os", "secure-os_b"])),
            "{:#?}",
            files(&built)
        );
        assert_eq!(
            partitions(&format!("flash/common/{bct}")),
            Some(serde_json::json!(["MB1_BCT", "MB1_BCT_b"]))
        );
        assert!(files(&built).contains(&"flash/common/secureflash.xml.bin".into()));
        assert_eq!(xtask(["verify".as_ref(), built.as_os_str()]).ok(), "ok");
        if fused == "pkc-sbk" {
            secure_os_alone_needs_somebody_who_knows_the_carve_out(&built);
        }
        for key in [pkc.lines().nth(5).unwrap(), sbk] {
            let [stages, logs] = ["stages", "logs"].map(|name| root().join("target/carveout").join(name));
            let places = [&built, &stages, &logs].map(|path| path.to_str().unwrap());
            let holders = |text| run("grep", [&["-rlF", text][..], &places].concat());
            let found = holders(key);
            assert_eq!(found.stdout(), "");
            // Tests beside this one remove their own stages; nothing else may keep it from looking.
            let unread = found.stderr();
            assert!(unread.lines().all(|line| line.ends_with(": No such file or directory")), "{unread}");
            assert!(
                holders("jetson-agx-xavier").stdout().contains(bundle::MANIFEST),
                "it finds what is there"
            );
        }
    }
}

/// A new RSA private key of 2048 bits.
fn rsa(path: &Path) -> String {
    run("openssl", ["genrsa", "-traditional", "-out", path.to_str().unwrap(), "2048"]).ok();
    fs::read_to_string(path).unwrap()
}

/// NVIDIA's tools take a key that they cannot read for none, and end with success. These two are sound, and the stand-ins do not use them, as
/// the tool of R32.5 does not use the first one.
#[test]
fn keys_that_nvidias_tools_do_not_use_are_noticed() {
    let machine = Machine::new();
    let key = rsa(&machine.path("good.pem"));
    put(&machine.path("text.pem"), format!("our key\n{key}"));
    put(&machine.path("binary.key"), [0xa5; 16]);
    for (keys, words) in [
        ("pkc_key: text.pem", "NVIDIA's tools have not signed with the PKC"),
        ("pkc_key: good.pem, sbk_key: binary.key", "NVIDIA's tools have not encrypted "),
    ] {
        let product = machine.product("echo-srv", keys);
        machine.refuses(1, &["-c", &product], &[words, "help: l4t.pkc_key must be an RSA private key"]);
    }
}

/// The EKB that a product names is signed, flashed and put into updates in the place of NVIDIA's; a fused board never gets the one that
/// everybody can open.
#[test]
fn the_products_own_ekb_is_what_a_board_gets() {
    let machine = Machine::new();
    let keys = [1, 2].map(|byte| Key::new([byte; 16]));
    let own = Ekb::seal(&Root::new(&Key::new([9; 16]), &SAMPLE_VECTOR), &keys, None).unwrap();
    let known = Ekb::seal(&Root::sample(), &keys, None).unwrap();
    put(&machine.path("own.img"), &own);
    put(&machine.path("known.img"), &known);
    let built = PathBuf::from(build(&machine, "echo-srv", ", ekb: own.img, eks: write", &[]).ok());
    let signed = fs::read(built.join("flash/common/eks_sigheader.img.encrypt")).unwrap();
    assert!(signed[0x1000..].starts_with(&own));
    let manifest = manifest(&built);
    let all = manifest["files"].as_array().unwrap();
    let eks = all.iter().find(|file| file["partitions"] == serde_json::json!(["eks", "eks_b"])).unwrap();
    assert_eq!(eks["made_of"]["file"], "given:l4t.ekb");
    let given = manifest["inputs"]["given"].as_array().unwrap();
    assert!(given.iter().any(|given| given["name"] == "l4t.ekb"), "{given:?}");
    assert_eq!(xtask(["verify".as_ref(), built.as_os_str()]).ok(), "ok");

    rsa(&machine.path("pkc.pem"));
    let refused = |l4t: &str, words: &[&str]| {
        let error = build(&machine, "echo-srv", l4t, &[]).fails(2);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(", pkc_key: pkc.pem, ekb: known.img", &["product.yaml:6: l4t.ekb: its keys", "default test key"]);
    refused(", ekb: product.yaml", &["product.yaml:6: l4t.ekb: ", "product.yaml"]);
    refused(", ekb: none.img", &["product.yaml:6: l4t.ekb: ", "none.img: No such file"]);
    put(&machine.bsp.dir.join("bootloader/eks.img"), &known);
    refused(
        ", pkc_key: pkc.pem",
        &["bootloader/eks.img of the BSP has keys", "name one of your own as l4t.ekb"],
    );
    build(&machine, "echo-srv", ", pkc_key: pkc.pem, ekb: own.img", &[]).ok();
}
