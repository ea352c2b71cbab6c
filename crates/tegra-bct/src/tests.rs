use super::*;
use proptest::prelude::*;
use trusty_image::{Soc, Tzdram};

const SAMPLE: &str = "bctsize = 0;\n##### sw_carveout variables #####\ncarveout.misc.size = 0x800000; # 8MB\n\
    carveout.tzdram.size = 0x01000000; #16MB\ncarveout.tzdram.alignment = 0x00100000; #1MB\n\
    carveout.gsc[6].alignment = 0x400000;\n\n#do +1 to = the clock; dividers\ni2c.4 = 1000;";

fn error(text: &str) -> String {
    MiscCfg::parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn values_are_read() {
    let cfg = MiscCfg::parse(SAMPLE.as_bytes()).unwrap();
    assert_eq!(cfg.get(TZDRAM_SIZE), Ok(0x0100_0000));
    assert_eq!(cfg.get("carveout.gsc[6].alignment"), Ok(0x40_0000));
    assert_eq!(cfg.get("i2c.4"), Ok(1000));
    assert_eq!(cfg.line(TZDRAM_SIZE), Ok(4));
    assert_eq!(cfg.entries().count(), 6);
}

#[test]
fn an_edit_changes_one_value() {
    let mut cfg = MiscCfg::parse(SAMPLE.as_bytes()).unwrap();
    cfg.set(TZDRAM_SIZE, 0x0400_0000).unwrap();
    cfg.set(TZDRAM_ALIGNMENT, 0x0020_0000).unwrap();
    let expected = SAMPLE.replace("0x01000000", "0x04000000").replace("0x00100000", "0x00200000");
    assert_eq!(cfg.as_bytes(), expected.as_bytes());
}

#[test]
fn an_edit_that_changes_lengths_keeps_the_others_in_place() {
    let mut cfg = MiscCfg::parse(b"a = 1;\r\nb=\t2 ;# two\r\nc = 3;").unwrap();
    cfg.set("a", 0x1_2345_6789).unwrap();
    cfg.set("c", 5).unwrap();
    cfg.set("b", 4).unwrap();
    assert_eq!(cfg.as_bytes(), b"a = 0x123456789;\r\nb=\t0x00000004 ;# two\r\nc = 0x00000005;");
    assert_eq!((cfg.get("a"), cfg.get("b"), cfg.get("c")), (Ok(0x1_2345_6789), Ok(4), Ok(5)));
}

/// What NVIDIA's parser lets pass (seen by running tegrabct_v2 of L4T R32.7).
#[test]
fn each_defect_is_named_with_its_line() {
    let cases = [
        (
            "a = 1;\nb = 32M;",
            "line 2: `32M` is no value for `b`: write a decimal or 0x… number without unit (found: b = 32M;)",
        ),
        (
            "a = 1\nb = 2;",
            "line 1: `;` is missing behind the value of `a`: NVIDIA's parser would swallow the next line (found: a = 1)",
        ),
        (
            "a = ;",
            "line 1: the value of `a` is empty: NVIDIA's parser would lose other fields (found: a = ;)",
        ),
        (
            "a = 1; // x",
            "line 1: `// x` behind the `;` is no comment: comments start with `#` (found: a = 1; // x)",
        ),
        (
            "a = 1; /* x */",
            "line 1: `/* x */` behind the `;` is no comment: comments start with `#` (found: a = 1; /* x */)",
        ),
        (
            "carveout.tzdram.ecc_protected = 1;\n\ncarveout.tzdram.ecc_protected = 0;",
            "line 3: `carveout.tzdram.ecc_protected` stands on line 1 already: NVIDIA's parser takes the last \
             (found: carveout.tzdram.ecc_protected = 0;)",
        ),
        ("a 1;", "line 1: expected `key = value;`, a `#` comment or an empty line (found: a 1;)"),
        ("a;", "line 1: `=` is missing behind `a` (found: a;)"),
        (
            "1a = 1;",
            "line 1: `1a` is no key: letters, digits, `_`, `.` and `[]` are allowed (found: 1a = 1;)",
        ),
        (
            "a = 0x;",
            "line 1: `0x` is no value for `a`: write a decimal or 0x… number without unit (found: a = 0x;)",
        ),
        (
            "a = -1;",
            "line 1: `-1` is no value for `a`: write a decimal or 0x… number without unit (found: a = -1;)",
        ),
        (
            "a = 0x10000000000000000;",
            "line 1: `0x10000000000000000` of `a` does not fit into 64 bits (found: a = 0x10000000000000000;)",
        ),
        ("ä = 1;", "line 1: the line is no ASCII text (found: ä = 1;)"),
        ("", "line 1: the file has no `key = value;` line: an empty boot config would be flashed"),
        ("# a = 1;\n", "line 1: the file has no `key = value;` line: an empty boot config would be flashed"),
        ("\u{feff}a = 1;", "line 1: the file starts with a byte-order mark: save it as plain ASCII"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected);
    }
    assert_eq!(error("a = 1\nb = x;").lines().count(), 2, "all defects at once");
}

/// NVIDIA's configs of AGX Xavier Industrial have keys twice that have nothing to do with the carve-out.
#[test]
fn a_doubled_key_is_a_warning_unless_it_is_the_carve_outs() {
    let text = format!("enable_vpr_resize = 1;\n{SAMPLE}\nenable_vpr_resize = 0;\n");
    let mut cfg = MiscCfg::parse(text.as_bytes()).unwrap();
    let warnings: Vec<String> = cfg.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["line 11: `enable_vpr_resize` stands on line 1 already: NVIDIA's parser takes the last \
          (found: enable_vpr_resize = 0;)"]
    );
    assert_eq!(cfg.get("enable_vpr_resize"), Ok(0), "the last counts");
    cfg.set(TZDRAM_SIZE, 0x0400_0000).unwrap();
    assert_eq!(cfg.as_bytes(), text.replace("0x01000000", "0x04000000").as_bytes());
    for key in [TZDRAM_SIZE, TZDRAM_ALIGNMENT] {
        let doubled = format!("{SAMPLE}\n{key} = 1;\n");
        assert!(error(&doubled).contains(&format!("`{key}` stands on line")), "{key}");
    }
}

#[test]
fn another_config_gets_no_advice_that_it_cannot_follow() {
    let pinmux = error("pinmux.major = 1;\npad-voltage.x = y;\n");
    assert!(
        pinmux.contains("this is a pinmux config: it has no such key. The carve-out is in tegra194-"),
        "{pinmux}"
    );
    let get = |text: &str| MiscCfg::parse(text.as_bytes()).unwrap().get(TZDRAM_SIZE).unwrap_err().to_string();
    let tx2 = get("bctsize = 0;\nsw_carveout.mb2_carveout_size = 1;\n");
    assert!(tx2.contains("misc boot config of t186 (Jetson TX2)") && !tx2.contains("Add the line"), "{tx2}");
    let unknown = get("a = 1;\n");
    assert!(unknown.contains("is it the right file?") && !unknown.contains("Add the line"), "{unknown}");
    assert!(get("carveout.os.size = 1;\n").contains("Add the line `carveout.tzdram.size = <value>;`"));
}

/// As NVIDIA ships it, a config of TX2 has no carve-out of Trusty; FACTS of the keys: `tegrabct_v2 --chip 0x18` (R32.7.2).
#[test]
fn a_config_of_t186_gets_its_carve_out() {
    let tzdram = Tzdram::of_size(24 << 20).unwrap();
    let set = |text: &str| {
        let mut cfg = MiscCfg::parse(text.as_bytes()).unwrap();
        assert_eq!(cfg.soc(), Soc::T186);
        cfg.set_tzdram(tzdram).unwrap();
        assert_eq!(cfg.tzdram(), Ok([24 << 20, 1 << 20]));
        String::from_utf8(cfg.as_bytes().to_vec()).unwrap()
    };
    let added = "sw_carveout.tzdram_carveout_size = 0x01800000;\nsw_carveout.tzdram_carveout_alignment = 0x00100000;\n";
    let [before, behind] =
        ["a = 1;\nsw_carveout.mb2_carveout_size = 0x00400000; # x\n", "\nast.mb2_va = 0x52000000;\n"];
    assert_eq!(set(&format!("{before}{behind}")), format!("{before}{added}{behind}"));
    let there = format!("{before}{added}{behind}");
    assert_eq!(set(&there.replace("0x01800000", "77")), there, "what is there is changed where it is");
    assert_eq!(
        set(before.trim_end()),
        format!("{before}{added}").trim_end(),
        "no newline at the end stays none"
    );
    assert_eq!(set(&before.replace('\n', "\r\n")), format!("{before}{added}").replace('\n', "\r\n"));
    assert_eq!(
        set("enable_can_boot = 1;\n"),
        format!("enable_can_boot = 1;\n{added}"),
        "without its section"
    );
    let missing = MiscCfg::parse(before.as_bytes()).unwrap();
    assert!(!missing.has_tzdram());
    let said = missing.tzdram().unwrap_err().to_string();
    assert!(said.contains("Add the line `sw_carveout.tzdram_carveout_size = <value>;`"), "{said}");
    assert!(error(&format!("{there}{added}")).contains("stands on line"), "twice");
}

#[test]
fn a_missing_key_or_a_prefix_of_it_is_an_error() {
    let mut cfg = MiscCfg::parse(b"carveout.tzdram.sizes = 0x1;\n#carveout.tzdram.size = 2;\n").unwrap();
    let expected = "line 2: `carveout.tzdram.size` is missing: NVIDIA's parser would take 0. \
                    Add the line `carveout.tzdram.size = <value>;`";
    assert_eq!(cfg.get(TZDRAM_SIZE).unwrap_err().to_string(), expected);
    assert_eq!(cfg.set(TZDRAM_SIZE, 1).unwrap_err().to_string(), expected);
}

/// NVIDIA's own files, where they are at hand: they are not ours to copy.
#[test]
fn real_files_are_edited_without_loss() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/l4t-data");
    for name in ["tegra194-mb1-bct-misc-l4t.cfg", "tegra194-mb1-bct-misc-flash.cfg"] {
        let Ok(bytes) = std::fs::read(format!("{folder}/{name}")) else {
            eprintln!("skipped: {folder}/{name} is not there");
            continue;
        };
        let mut cfg = MiscCfg::parse(&bytes).unwrap();
        assert_eq!((cfg.get(TZDRAM_SIZE), cfg.get(TZDRAM_ALIGNMENT)), (Ok(0x0100_0000), Ok(0x0010_0000)));
        cfg.set(TZDRAM_SIZE, 0x0400_0000).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let expected =
            text.replace("carveout.tzdram.size = 0x01000000;", "carveout.tzdram.size = 0x04000000;");
        assert_eq!(cfg.as_bytes(), expected.as_bytes());
    }
}

proptest! {
    #[test]
    fn any_input_is_survived(bytes: Vec<u8>) {
        let _ = MiscCfg::parse(&bytes);
    }

    #[test]
    fn any_lines_of_the_kind_are_survived(text in "([a-c.\\[\\]0-9x=;# \t\r]{0,12}\n?){0,6}") {
        if let Ok(cfg) = MiscCfg::parse(text.as_bytes()) {
            prop_assert_eq!(cfg.as_bytes(), text.as_bytes());
        }
    }

    /// Reading, editing and putting back gives the same bytes but for the edited digits.
    #[test]
    fn edits_are_lossless(value: u64, other: u64, spaces in "[ \t]{0,3}", end in "(\r\n|\n)", last in "(\r\n|\n|)") {
        let text = |digits: &str| {
            format!("# c{end}x.a{spaces}={spaces}{other};{end}{end}x.b ={spaces}{digits}{spaces};{spaces}# d{last}")
        };
        let mut cfg = MiscCfg::parse(text("7").as_bytes()).unwrap();
        cfg.set("x.b", value).unwrap();
        let expected = text(&format!("0x{value:08x}"));
        prop_assert_eq!(cfg.as_bytes(), expected.as_bytes());
        prop_assert_eq!(MiscCfg::parse(cfg.as_bytes()).unwrap(), cfg);
    }
}
