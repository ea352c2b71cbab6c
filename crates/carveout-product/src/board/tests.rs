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
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    };
    copy(&from, &to);
    copy(&from.join("virt"), &to.join("virt"));
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
    assert_eq!((board.name.as_str(), board.paths().count()), (NAME, 2));
    assert_eq!((l4t.flash_name.as_str(), l4t.machine.as_str()), ("carrier", "jetson-agx-xavier-devkit"));
    assert_eq!((&agx.layout, agx.l4t().unwrap().modules.len()), (&board.layout, 4));
    let specs = |board: &Board| board.l4t().unwrap().modules[2].update_specs(board.l4t().unwrap());
    assert_eq!(
        specs(&board),
        ["2888-400-0004--1-2-carrier-mmcblk0p1", "2888-401-0004--1-2-carrier-mmcblk0p1"]
    );
    // One that extends a board without L4T has its paths from where each of them stands.
    let virt = load("name: carrier\nextends: virt\nlayout: virt.yaml\n").unwrap();
    assert!(virt.layout.ends_with("configs/boards/virt.yaml"));
    assert!(virt.flash.ends_with("configs/boards/virt/tegra194-mb1-bct-misc-flash.cfg"));
    assert_ne!(virt.layout, Path::new("virt.yaml"));
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
            "carrier.yaml:1: boot_config: it is missing, and the file extends no board that has it",
        ),
        (
            "extends: jetson-agx-xavier\nl4t:",
            "boot_config: { cold_boot: a }\nlayout: c\nl4t:",
            "l4t.soc: it is missing",
        ),
        (
            "extends: jetson-agx-xavier\nl4t:",
            "boot_config: { cold_boot: a, flash: b }\nlayout: c\nl4t:\n  soc: t186",
            "l4t.recovery: it is missing",
        ),
        (
            "flash_name: carrier",
            "soc: t234",
            "carrier.yaml:4: l4t.soc: unknown variant `t234`, expected `t194` or `t186`",
        ),
        (
            "extends: jetson-agx-xavier\nl4t:",
            "boot_config: { cold_boot: x/a, flash: y/a }\nlayout: c\nl4t:",
            "carrier.yaml:2: boot_config.flash: both boot configs have one file name",
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
        ("flash_name: carrier", "app_size: 3 apples", "carrier.yaml:4: l4t.app_size: `3 apples` is no size"),
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
            "carrier.yaml:5: l4t.modules[0].id.fab: module a: fab is `4`",
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
    assert!(error.contains("carrier.yaml:6: l4t.modules[1].name: two modules are called a"), "{error}");
}

/// What a file names must be there, or lead into the BSP; what it repeats or leaves empty is told where it stands.
#[test]
fn what_a_board_names_is_checked() {
    let module =
        |name: &str, rest: &str| format!("    - {{ name: {name}, id: {{ board: \"2888\", {rest} }}\n");
    let id = "fab: \"400\", sku: \"0004\" }";
    let sum = "0".repeat(64);
    let download = |url: &str, sha: &str| {
        format!(
            "  downloads:\n    bsp: {{ url: {url}, sha256: {sha} }}\n    sources: {{ url: \"https://x/y\", sha256: {sum} }}\n"
        )
    };
    for (text, words) in [
        ("  modules: []\n".into(), "carrier.yaml:4: l4t.modules: expected at least one module"),
        (
            "  modules:\n".to_owned() + &module("../x", id),
            "carrier.yaml:5: l4t.modules[0].name: `../x`: letters",
        ),
        ("  modules:\n".to_owned() + &module(".", id), "l4t.modules[0].name: `.`: letters"),
        ("  modules:\n".to_owned() + &module("''", id), "l4t.modules[0].name: ``: letters"),
        (
            "  modules:\n".to_owned() + &module("\"a\\e[1m\"", id),
            "l4t.modules[0].name: `a\\u{1b}[1m`: letters",
        ),
        ("  modules:\n".to_owned() + &module(&"a".repeat(65), id), "64 characters at most"),
        (
            "  modules:\n".to_owned() + &module("common", id),
            "carrier.yaml:5: l4t.modules[0].name: a bundle has `common` beside",
        ),
        (
            "  modules:\n".to_owned() + &module("a", id) + &module("b", id),
            "carrier.yaml:6: l4t.modules[1]: a board may be module a and module b",
        ),
        (
            "  modules:\n".to_owned()
                + &module("a", &format!("{id}, fits: [{{ fabs: 300-499 }}]"))
                + &module("b", "fab: \"500\", sku: \"0004\" }, fits: [{ fabs: 499- }]"),
            "carrier.yaml:6: l4t.modules[1]: a board may be module a and module b",
        ),
        (
            "  modules:\n".to_owned() + &module("a", &format!("{id}, fits: [{{ sku: \"5\" }}]")),
            "carrier.yaml:5: l4t.modules[0].fits[0].sku: module a: sku is `5`, expected four digits",
        ),
        ("  modules:\n".to_owned() + &module("Flash.sh", id), "a bundle has `flash.sh` beside"),
        (
            "  modules:\n".to_owned() + &module("a", id) + &module("A", "fab: \"500\", sku: \"0004\" }"),
            "carrier.yaml:6: l4t.modules[1].name: two modules are called A",
        ),
        (
            "  modules:\n".to_owned()
                + &module("a", &format!("{id}, update: [2888-400-0004-, 2888-400-0004-]")),
            "carrier.yaml:5: l4t.modules[0].update[1]: 2888-400-0004- is listed twice",
        ),
        ("  app_size: 0x11e1a301\n".into(), "carrier.yaml:4: l4t.app_size: 300000001 bytes; allowed are"),
        ("  secure_os: ../x.img\n".into(), "carrier.yaml:4: l4t.secure_os: `../x.img`: a path below"),
        ("  secure_os: ''\n".into(), "carrier.yaml:4: l4t.secure_os: ``: a path below"),
        ("  machine: m\nlayout: /etc/x\n".into(), "carrier.yaml:5: layout: `/etc/x`: a path below"),
        (
            "  machine: m\nboot_config: { cold_boot: a/./../b }\n".into(),
            "carrier.yaml:5: boot_config.cold_boot: `a/./../b`: a path below",
        ),
        (download("ftp://x", &sum), "carrier.yaml:5: l4t.downloads.bsp.url: `ftp://x`: an address"),
        (download("\"https://x\"", "00"), "carrier.yaml:5: l4t.downloads.bsp.sha256: `00`: 64 digits"),
    ] {
        let error = load(&GOOD.replace("  flash_name: carrier\n", &text)).unwrap_err();
        assert!(error.contains(words), "{words} in {error}");
    }
    let fabs = module("a", id) + &module("b", "fab: \"500\", sku: \"0004\" }, fits: [{ fabs: 500- }]");
    load(&GOOD.replace("  flash_name: carrier\n", &format!("  modules:\n{fabs}"))).unwrap();

    let error = load("name: carrier\nextends: virt\nlayout: own.xml\n").unwrap_err();
    assert!(error.contains("carrier.yaml:3: layout: ") && error.contains("own.xml"), "{error}");
    let error = load("name: carrier\nextends: virt\nboot_config:\n  cold_boot: virt.yaml\n  flash: x.cfg\n")
        .unwrap_err();
    assert!(error.contains("carrier.yaml:5: boot_config.flash: "), "{error}");
    let error = load("name: carrier\nextends: virt\nlayout: a\nlayout: b\n").unwrap_err();
    assert!(error.contains("carrier.yaml:4: duplicate field `layout`"), "{error}");
    let error = load("# a\nname: carrier\nextends: virt\n---\nname: b\n").unwrap_err();
    assert!(error.contains("carrier.yaml:4: a second YAML document begins"), "{error}");
    let error = load("name: carrier\n...\n# x\nfoo\n").unwrap_err();
    assert!(error.contains("carrier.yaml:4: a second YAML document begins"), "{error}");
    let error = load("name: carrier\nextends: a\u{1b}[1m\n").unwrap_err();
    assert!(error.contains("carrier.yaml:2: "), "{error}");
    load("\u{feff}name: carrier\nextends: virt\n").unwrap();
    let error = load("[a]\n").unwrap_err();
    assert!(error.contains("carrier.yaml:1: wrong type: a list, expected a mapping"), "{error}");
    let error = load("name: carrier\nl4t:\n  recovery: 5\n").unwrap_err();
    assert!(error.contains("l4t.recovery: wrong type: integer `5`, expected a mapping"), "{error}");
}

/// A link that leads nowhere is told with its path.
#[test]
fn a_board_that_is_a_broken_link_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("configs/boards");
    fs::create_dir_all(&to).unwrap();
    std::os::unix::fs::symlink("carrier.yaml", to.join("carrier.yaml")).unwrap();
    let error = Board::find(dir.path(), NAME).unwrap_err().message;
    assert!(error.contains("configs/boards/carrier.yaml"), "{error}");
}

/// What carveout's own boards say passes all checks.
#[test]
fn all_of_ours_are_read() {
    let root = Dirs::find().root().unwrap().to_owned();
    let names = super::boards(&root);
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        Board::find(&root, &name).unwrap().unwrap();
    }
}
