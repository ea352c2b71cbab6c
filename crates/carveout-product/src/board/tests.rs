use super::Board;
use carveout_host::dirs::Dirs;
use std::fs;
use std::path::Path;

const NAME: &str = "carrier";
const GOOD: &str = "name: carrier\nextends: jetson-agx-xavier\nl4t:\n  flash_name: carrier\n";

/// A workspace with carveout's boards and one more.
fn load(text: &str) -> Result<Board, String> {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("configs/boards");
    fs::create_dir_all(&to).unwrap();
    let from = Dirs::find().root().unwrap().join("configs/boards");
    for entry in fs::read_dir(from).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    fs::write(to.join("carrier.yaml"), text).unwrap();
    let found = Board::find(dir.path(), NAME).map_err(|error| error.message)?;
    found.map_err(|error| error.to_string())
}

/// A carrier of a team's own has a file of a few lines.
#[test]
fn a_board_has_what_the_one_that_it_extends_has() {
    let (board, agx) =
        (load(GOOD).unwrap(), load(&GOOD.replace("flash_name: carrier", "machine: m")).unwrap());
    let l4t = board.l4t().unwrap();
    assert_eq!((board.name.as_str(), board.paths.len()), (NAME, 2));
    assert_eq!((l4t.flash_name.as_str(), l4t.machine.as_str()), ("carrier", "jetson-agx-xavier-devkit"));
    assert_eq!((&agx.layout, agx.l4t().unwrap().modules.len()), (&board.layout, 4));
    let specs = |board: &Board| board.l4t().unwrap().modules[2].update_specs(board.l4t().unwrap());
    assert_eq!(
        specs(&board),
        ["2888-400-0004--1-2-carrier-mmcblk0p1", "2888-401-0004--1-2-carrier-mmcblk0p1"]
    );
    // One that extends a board without L4T has its paths from where each of them stands.
    let virt = load("name: carrier\nextends: virt\nlayout: own.xml\n").unwrap();
    assert!(virt.layout.ends_with("configs/boards/own.xml"));
    assert!(virt.flash.ends_with("configs/boards/virt/tegra194-mb1-bct-misc-flash.cfg"));
    assert_ne!(virt.layout, Path::new("own.xml"));
}

#[test]
fn errors_of_a_board_have_their_line() {
    let module = |rest: &str| {
        format!(
            "  modules:\n    - {{ name: a, id: {{ board: \"2888\", fab: \"400\", sku: \"0004\" }}{rest} }}\n"
        )
    };
    for (from, to, words) in [
        (
            "jetson-agx-xavier\n",
            "jetson-agx-xavie\n",
            "carrier.yaml:2: extends: unknown board `jetson-agx-xavie`: ",
        ),
        ("jetson-agx-xavier\n", "jetson-agx-xavie\n", "Did you mean `jetson-agx-xavier`?"),
        (
            "extends: jetson-agx-xavier",
            "extends: carrier",
            "carrier.yaml:2: extends: a board, and those that it extends, have 8 files",
        ),
        (
            "extends: jetson-agx-xavier\n",
            "",
            "carrier.yaml: boot_config is missing, and it extends no board that has it",
        ),
        (
            "extends: jetson-agx-xavier\nl4t:",
            "boot_config: { cold_boot: a }\nlayout: c\nl4t:",
            "l4t.soc is missing",
        ),
        (
            "extends: jetson-agx-xavier\nl4t:",
            "boot_config: { cold_boot: a, flash: b }\nlayout: c\nl4t:\n  soc: t186",
            "l4t.recovery is missing",
        ),
        (
            "flash_name: carrier",
            "soc: t234",
            "carrier.yaml:4: l4t.soc: unknown variant `t234`, expected `t194` or `t186`",
        ),
        (
            "extends: jetson-agx-xavier\nl4t:",
            "boot_config: { cold_boot: x/a, flash: y/a }\nlayout: c\nl4t:",
            "both boot configs have one file name",
        ),
        (
            "flash_name: carrier",
            "flash_name: car;rier",
            "carrier.yaml:4: l4t.flash_name: `car;rier`: letters, digits",
        ),
        ("flash_name: carrier", "root_device: -x", "carrier.yaml:4: l4t.root_device: `-x`"),
        ("flash_name: carrier", "machine: ''", "carrier.yaml:4: l4t.machine: ``"),
        ("flash_name", "flashname", "carrier.yaml:4: l4t: unknown field `flashname`"),
        (
            "name: carrier\ne",
            "name: other\ne",
            "carrier.yaml:1: name: `other`, expected `carrier` as the file is called",
        ),
        ("flash_name: carrier", "app_size: 3 apples", "carrier.yaml:4: l4t: `3 apples` is no size"),
        (
            "flash_name: carrier",
            "recovery: { name: x, usb_product: 7E19, how: y }",
            "carrier.yaml:4: l4t.recovery.usb_product: `7E19`",
        ),
        (
            "flash_name: carrier",
            "recovery: { name: x, usb_product: \"7019\", how: \"a\\e[1mb\" }",
            "carrier.yaml:4: l4t.recovery.how: `a\\u{1b}[1mb`: one line",
        ),
        ("flash_name: carrier", "recovery: { name: x, how: y }", "missing field `usb_product`"),
        ("flash_name: carrier", "downloads: { bsp: { url: x } }", "missing field `sha256`"),
        (
            "  flash_name: carrier\n",
            &module("").replace("400", "4"),
            "carrier.yaml:5: l4t.modules[0].id: module a: fab is `4`",
        ),
        ("  flash_name: carrier\n", &module(", fits: [{ fabs: 4-5 }]"), "`4-5` is neither"),
        (
            "  flash_name: carrier\n",
            &module(", fits: [{ revisions: E.0-D.0 }]"),
            "`E.0-D.0` is neither a fab or revision",
        ),
        (
            "  flash_name: carrier\n",
            &module(", update: [2888-400-0004]"),
            "carrier.yaml:5: l4t.modules[0].update[0]: `2888-400-0004`, expected",
        ),
        (
            "  flash_name: carrier\n",
            &module(", update: [2888-400-0001-]"),
            "`2888-400-0001-`, expected number, fab, SKU",
        ),
        ("flash_name: carrier", &format!("flash_name: {}", "x".repeat(40)), "is longer than 63 bytes"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = load(&GOOD.replace(from, to)).unwrap_err();
        assert!(error.contains(words), "{words} in {error}");
    }
    let twice = module("") + &module("").replace("  modules:\n", "");
    let error = load(&GOOD.replace("  flash_name: carrier\n", &twice)).unwrap_err();
    assert!(error.contains("carrier.yaml:5: l4t.modules: two modules are called a"), "{error}");
}
