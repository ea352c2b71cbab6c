//! Every board that carveout knows: built for, flashed, and kept apart from all others, on stand-ins.

use super::Machine;
use super::build::update_of;
use super::device::Bus;
use super::standin::put;
use crate::builds::util::{Ran, manifest, root, xtask};
use std::path::{Path, PathBuf};
use tegra_flash::Layout;

/// A board, a module of it by the product's name and as its EEPROM says, its USB product, and where its secure-os lies.
type Kind = (&'static str, &'static str, &'static str, &'static str, &'static str);
const BOARDS: [Kind; 8] = [
    ("jetson-agx-xavier", "16gb", "2888 401 0001 H.0", "7019", "sdmmc_user"),
    ("jetson-agx-xavier-industrial", "32gb", "2888 601 0008 B.0", "7919", "spi"),
    ("jetson-xavier-nx-devkit-emmc", "emmc", "3668 301 0003 A.0", "7e19", "spi"),
    ("jetson-xavier-nx-devkit", "sd", "3668 100 0000 G.0", "7e19", "spi"),
    ("jetson-tx2", "b01", "3310 C04 1000 F.0", "7c18", "sdmmc_user"),
    ("jetson-tx2i", "fab300", "3489 300 0000 A.0", "7018", "sdmmc_user"),
    ("jetson-tx2-4gb", "4gb", "3489 301 0888 F.0", "7418", "sdmmc_user"),
    ("jetson-tx2-nx", "4gb", "3636 300 0001 B.0", "7c18", "sdmmc_user"),
];
/// The signed boot config of the cold boot.
const SIGNED_BCT: &str = "mb1_cold_boot_bct_MB1_sigheader.bct.encrypt";

/// The signed image of a board.
fn signed_image(board: &str) -> &'static str {
    match board.contains("-tx2") {
        true => "tos-trusty_sigheader.img.encrypt",
        false => "tos-trusty_t194_sigheader.img.encrypt",
    }
}

/// The product config of a board that comes with carveout, with a small root filesystem of the test's own in place of Debian.
pub fn product(machine: &Machine, board: &str) -> String {
    let shipped = std::fs::read_to_string(root().join(format!("configs/{board}.yaml"))).unwrap();
    let (text, rootfs) = shipped.split_once("\nrootfs: ").unwrap();
    assert_eq!(rootfs.lines().count(), 1, "{board}: more keys behind rootfs would be lost");
    let path = machine.path("product.yaml");
    put(&path, format!("{text}\nl4t: {{ app_size: 256MiB }}\n"));
    path.display().to_string()
}

pub fn build(machine: &Machine, config: &str, more: &[&str]) -> Ran {
    let [bsp, sources, out] =
        [&machine.bsp.dir, &machine.sources.dir, &machine.path("out")].map(|path| path.display().to_string());
    let words = ["image", "-c", config, "--bsp", &bsp, "--sources", &sources, "-o", &out, "--accept-license"];
    Ran::new(&mut machine.command(words.iter().chain(more)))
}

#[test]
fn each_board_is_built_for_flashed_and_kept_from_the_others() {
    for (board, module, eeprom, usb, device) in BOARDS {
        let machine = Machine::new();
        let built = PathBuf::from(build(&machine, &product(&machine, board), &["--no-boot"]).ok());
        assert_eq!(xtask(["verify".as_ref(), built.as_os_str()]).ok(), "ok");
        let said = manifest(&built);
        assert_eq!(
            (&said["board"], &said["device"]["recovery"]["usb_product"]),
            (&board.into(), &usb.into())
        );
        let layout = std::fs::read_dir(built.join("layout")).unwrap().next().unwrap().unwrap().path();
        let layout = Layout::parse(&std::fs::read_to_string(layout).unwrap()).unwrap();
        let holds = |kind: &&tegra_flash::Device| kind.partitions.iter().any(|part| part.name == "secure-os");
        assert_eq!(layout.devices.iter().find(holds).unwrap().kind, device, "{board}");
        for partitions in update_of(&built) {
            assert!(partitions.contains("secure-os") && partitions.contains("MB1_BCT"), "{board}");
        }
        let bundle = built.to_str().unwrap();
        let flash = ["flash", bundle, "--to", "usb"];
        let bus = Bus::new();
        let it = bus.plug_kind("1-2", eeprom, usb);
        let said = bus.xtask([&flash[..], &["--scope", "full", "--app"], &[&app(&machine)]].concat()).ok();
        assert!(said.starts_with("1-2: done in "), "{said}");
        let file = |name: &str| std::fs::read(built.join("flash/common").join(name)).unwrap();
        for (partition, name) in [("MB1_BCT", SIGNED_BCT), ("secure-os", signed_image(board))] {
            for slot in ["", "_b"] {
                let held = it.partition(&format!("{partition}{slot}")).unwrap();
                assert!(held.starts_with(&file(name)), "{board}: {partition}{slot}, module {module}");
            }
        }
        // None of the others is a board of this kind; and if one said so, or the cable lied, its EEPROM would not.
        let (honest, lying) = (Bus::new(), Bus::new());
        let others = || BOARDS.into_iter().filter(|(other, ..)| *other != board).zip(1..);
        let error = {
            for ((_, _, eeprom, other_usb, _), port) in
                others().filter(|((_, _, _, other, _), _)| *other != usb)
            {
                honest.plug_kind(&format!("1-{port}"), eeprom, other_usb);
            }
            honest.xtask([&flash[..], &["--scope", "secure-os"]].concat()).fails(3)
        };
        assert!(error.contains(&format!("in recovery mode (0955:{usb}) at this host; at USB 1-")), "{error}");
        let plugged: Vec<_> = others()
            .map(|((_, _, eeprom, ..), port)| lying.plug_kind(&format!("1-{port}"), eeprom, usb))
            .collect();
        let error = lying.xtask([&flash[..], &["--scope", "secure-os"]].concat()).fails(1);
        let refused = error.matches("which this bundle is not for").count();
        assert!(refused == BOARDS.len() - 1, "{board}: {refused} are refused: {error}");
        assert!(plugged.iter().all(|it| it.partition("secure-os").is_none()), "{board}");
    }
}

/// What NVIDIA's tools do otherwise for t186 and nobody has tried is refused, and so is a board with another chip on the cable.
#[test]
fn what_t186_has_not_is_told() {
    let machine = Machine::new();
    let config = product(&machine, "jetson-tx2");
    let text = std::fs::read_to_string(&config).unwrap();
    put(Path::new(&config), text.replace("app_size: 256MiB", "app_size: 256MiB, eks: write"));
    let error = build(&machine, &config, &[]).fails(2);
    assert!(error.contains("l4t.eks: board jetson-tx2 has t186"), "{error}");
    let bus = Bus::new();
    let board = bus.plug("1-2", super::device::XAVIER_32GB);
    board.note("cid", "0x81801001641d200100000000000000001");
    let bundle = super::device::bundle().to_str().unwrap();
    let error = bus.xtask(["flash", bundle, "--to", "usb", "--scope", "secure-os"]).fails(1);
    assert!(error.contains("the board's chip is a t186 (Jetson TX2)"), "{error}");
    assert_eq!(board.partition("secure-os"), None);
}

/// A root filesystem's image for these products.
fn app(machine: &Machine) -> String {
    let path = machine.path("app.img");
    put(&path, super::flash::rootfs(3));
    path.display().to_string()
}

/// flash.sh reads what its own board file names: that must be what carveout changes.
#[test]
fn cfgs_of_two_boards_are_not_mixed() {
    let machine = Machine::new();
    let config = product(&machine, "jetson-agx-xavier");
    machine.bsp.put("jetson-agx-xavier-devkit.conf", "source \"${LDK_DIR}/jetson-xavier-nx-devkit.conf\";\n");
    let error = build(&machine, &config, &[]).fails(2);
    assert!(
        error.contains("MISC_COLD_BOOT_CONFIG is `tegra194-mb1-bct-misc-sd-l4t.cfg`, and the board jetson-agx-xavier of carveout has"),
        "{error}"
    );
    machine
        .bsp
        .put("jetson-agx-xavier-devkit.conf", "source \"${LDK_DIR}/jetson-xavier-nx-devkit-emmc.conf\";\n");
    let error = build(&machine, &config, &[]).fails(2);
    assert!(error.contains("EMMC_CFG is `flash_l4t_t194_spi_emmc_p3668.xml`"), "{error}");
}
