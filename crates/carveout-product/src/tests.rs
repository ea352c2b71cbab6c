use crate::workspace::Workspace;
use crate::{Overrides, Product, load};
use carveout_host::error::{Exit, Result};
use carveout_keys::pkcs11::{PkcKey, Uri};
use std::fs;

const GOOD: &str = "name: desk\nversion: 0.1.0\nboard: virt\ntzdram: { size: 32MiB, alignment: 1MiB }\n\
    trusted_apps:\n  - echo-srv\n  - { package: small-echo-srv, min_heap: 128KiB }\nclient_apps: [echo-srv-app]\n\
    rootfs: { kind: debian, suite: bookworm, packages: [systemd-sysv], size: 1GiB }\n";

fn read_with(text: &str, overrides: &Overrides) -> Result<Product> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    fs::write(&path, text).unwrap();
    load(&Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap(), &path, overrides).map_err(
        |mut error| {
            let folder = format!("{}/", dir.path().display());
            error.message = error.message.replace(&folder, "");
            error
        },
    )
}

/// First line of the error that the good config gives after one replacement.
fn error(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    let error = read_with(&GOOD.replacen(from, to, 1), &Overrides::default()).unwrap_err();
    assert_eq!(error.exit, Exit::Usage, "{error}");
    error.message.lines().next().unwrap().to_owned()
}

#[test]
fn a_good_config_is_read() {
    let product = read_with(GOOD, &Overrides::default()).unwrap();
    assert_eq!(product.tzdram.size(), 32 << 20);
    assert_eq!(product.trusted_apps[1].min_heap, Some(128 << 10));
    assert_eq!(product.rootfs.unwrap().size, 1 << 30);
}

#[test]
fn servers_and_comments_make_no_other_bundle() {
    let digest = |text: &str| read_with(text, &Overrides::default()).unwrap().digest;
    let good = digest(GOOD);
    assert_eq!(
        digest(&format!(
            "# A comment.\n{GOOD}\nyocto: {{ hash_server: 'a:1', sstate_mirror: 'file:///s' }}\n"
        )),
        good
    );
    assert_ne!(digest(&format!("{GOOD}\nyocto: {{ image: other-image, hash_server: 'a:1' }}\n")), good);
}

#[test]
fn the_command_line_overrides() {
    let overrides = Overrides { tzdram: Some(64 << 20), without_rootfs: true, ..Overrides::default() };
    let product = read_with(GOOD, &overrides).unwrap();
    assert_eq!(product.tzdram.size(), 64 << 20);
    assert!(product.rootfs.is_none());
    let other = read_with(GOOD, &Overrides::default()).unwrap();
    assert_ne!(product.digest, other.digest);
    let wrong = Overrides { tzdram: Some(5), ..Overrides::default() };
    assert!(read_with(GOOD, &wrong).unwrap_err().message.starts_with("--tzdram: a carve-out of 0x5 bytes"));
    let wrong = Overrides { board: Some("vitr".into()), ..Overrides::default() };
    assert!(read_with(GOOD, &wrong).unwrap_err().message.ends_with("Did you mean `virt`?"));
}

#[test]
fn errors_name_line_text_and_what_is_allowed() {
    let cases = [
        (
            "board:",
            "bord:",
            "p.yaml:3: unknown field `bord`, expected one of `name`, `version`, `security_version`, `board`, `tzdram`, `trusted_apps`, `client_apps`, `rootfs`, `l4t`, `yocto`, `self_test`, `changelog`. Did you mean `board`?",
        ),
        (
            "virt",
            "vrit",
            "p.yaml:3: board: unknown board `vrit`: configs/boards has jetson-agx-xavier, jetson-agx-xavier-industrial, jetson-tx2, jetson-tx2-4gb, jetson-tx2-nx, jetson-tx2i, jetson-xavier-nx-devkit, jetson-xavier-nx-devkit-emmc, virt. Did you mean `virt`?",
        ),
        (
            "32MiB",
            "32",
            "p.yaml:4: tzdram.size: `32` has no unit: write KiB, MiB or GiB behind a number, or bytes in hexadecimal, 0x20",
        ),
        (
            "32MiB",
            "0MiB",
            "p.yaml:4: tzdram.size: a carve-out of 0x0 bytes does not boot: allowed are 1MiB to 106MiB (the kernel maps TZDRAM into 106 MiB of address space)",
        ),
        (
            "32MiB",
            "0x1800001",
            "p.yaml:4: tzdram.size: a carve-out of 0x1800001 bytes is not a multiple of its alignment 0x100000",
        ),
        (
            "32MiB",
            "4GiB",
            "p.yaml:4: tzdram.size: a carve-out of 0x100000000 bytes does not boot: allowed are 1MiB to 106MiB (the kernel maps TZDRAM into 106 MiB of address space)",
        ),
        (
            "alignment: 1MiB",
            "alignment: 3MiB",
            "p.yaml:4: tzdram.alignment: an alignment of 0x300000 bytes is impossible: allowed are powers of two from 1MiB to 128MiB",
        ),
        (
            "size: 32MiB",
            "sise: 32MiB",
            "p.yaml:4: tzdram: unknown field `sise`, expected `size` or `alignment`. Did you mean `size`?",
        ),
        (
            "- echo-srv",
            "- ehco-srv",
            "p.yaml:6: trusted_apps[0]: unknown package `ehco-srv`: this workspace has echo-srv, small-echo-srv, conformance-peer, conformance-srv, unchecked-srv, vault-srv. Did you mean `echo-srv`?",
        ),
        (
            "- echo-srv",
            "- small-echo-srv",
            "p.yaml:7: trusted_apps[1]: small-echo-srv has the same name small-echo-srv as small-echo-srv: each must be unique",
        ),
        (
            "- echo-srv",
            "- 7: 8",
            "p.yaml:6: trusted_apps[0]: unknown field `7`, expected one of `package`, `elf`, `source`, `min_heap`, `min_stack`",
        ),
        (
            "- echo-srv",
            "- { elf: x.elf }",
            "p.yaml:6: trusted_apps[0].elf: x.elf is no file of at most 16 MiB (paths are relative to the config file)",
        ),
        (
            "- echo-srv",
            "- { min_heap: 4KiB }",
            "p.yaml:6: trusted_apps[0]: expected one of `package`, `elf` and `source`",
        ),
        (
            "128KiB",
            "16MiB",
            "p.yaml:7: trusted_apps[1].min_heap: 16777216 bytes; allowed are 1 to less than 16 MiB",
        ),
        (
            "[echo-srv-app]",
            "[echo-srv]",
            "p.yaml:8: client_apps[0]: package `echo-srv` has no [package.metadata.deb] in ROOT/apps/echo-srv/Cargo.toml",
        ),
        (
            "[echo-srv-app]",
            "echo-srv-app",
            "p.yaml:8: client_apps: wrong type: string \"echo-srv-app\", expected a list",
        ),
        (
            "kind: debian",
            "kind: debain",
            "p.yaml:9: rootfs.kind: unknown variant `debain`, expected one of `debian`, `l4t-sample`, `tarball`. Did you mean `debian`?",
        ),
        (
            "1GiB",
            "1MiB",
            "p.yaml:9: rootfs.size: 1048576 bytes; allowed are 256 MiB to 1024 GiB, a multiple of 4096",
        ),
        (
            "systemd-sysv",
            "\"a b\"",
            "p.yaml:9: rootfs.packages[0]: `a b` is no package name: a-z, 0-9, + - . are allowed",
        ),
        (
            "board: virt",
            "board: virt\nchangelog: NEWS.md",
            "p.yaml:4: changelog: NEWS.md is no file (paths are relative to the config file)",
        ),
        (
            "name: desk",
            "name: a/b",
            "p.yaml:1: name: `a/b`: letters, digits and -_. are allowed, 64 characters at most",
        ),
    ];
    let root = Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap().root;
    for (from, to, expected) in cases {
        assert_eq!(error(from, to).replace(root.to_str().unwrap(), "ROOT"), expected);
    }
}

/// A package of nothing, as dpkg-deb writes it.
fn deb(folder: &std::path::Path, file: &str, name: &str, version: &str, architecture: &str) {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: a <a@acme.example>\nDescription: a\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let mut build = std::process::Command::new("dpkg-deb");
    let built = build.args(["--nocheck", "--build"]).arg(&tree).arg(folder.join(file)).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[test]
fn finished_packages_are_client_apps_and_wrong_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    for (file, name, version, architecture) in [
        ("good.deb", "acme-tool", "2:1.4+b1~x", "arm64"),
        ("all.deb", "acme-data", "1", "all"),
        ("other.deb", "acme-other", "1", "amd64"),
        ("clash.deb", "echo-srv-app", "1", "arm64"),
        ("again.deb", "acme-tool", "3", "arm64"),
    ] {
        deb(folder, file, name, version, architecture);
    }
    fs::write(folder.join("text.deb"), "no package\n").unwrap();
    let read = |apps: &str| {
        let apps = apps.replace("deb: ", &format!("deb: {}/", folder.display()));
        read_with(&GOOD.replace("[echo-srv-app]", &apps), &Overrides::default())
    };
    let product = read("[{ deb: good.deb }, echo-srv-app, { deb: all.deb }]").unwrap();
    assert_eq!(product.client_names(), ["acme-tool", "echo-srv-app", "acme-data"]);
    assert_eq!(product.own_client_apps().collect::<Vec<_>>(), ["echo-srv-app"]);
    let names = product.client_apps.iter().filter_map(|app| Some(app.deb.as_ref()?.file_name(&app.name)));
    assert_eq!(names.collect::<Vec<_>>(), ["acme-tool_1.4+b1~x_arm64.deb", "acme-data_1_all.deb"]);
    for (apps, code, expected) in [
        ("[{ deb: none.deb }]", "product::client-app::no-deb", "client_apps[0].deb: "),
        (
            "[{ deb: other.deb }]",
            "product::client-app::architecture",
            "its architecture is amd64; allowed are arm64 and all",
        ),
        ("[{ deb: text.deb }]", "host::package::not-a-package", "text.deb: is no Debian package"),
        (
            "[echo-srv-app, { deb: clash.deb }]",
            "product::client-app::duplicate-name",
            "of the name echo-srv-app",
        ),
        ("[{ deb: clash.deb }, echo-srv-app]", "product::client-app::duplicate-name", "client_apps[1]: "),
        ("[{ deb: good.deb }, { deb: again.deb }]", "product::client-app::duplicate-name", "acme-tool"),
        ("[echo-srv-app, echo-srv-app]", "product::config::listed-twice", "echo-srv-app is listed twice"),
        ("[{ dep: good.deb }]", "product::config::unknown-key", "unknown field `dep`"),
    ] {
        let error = read(apps).unwrap_err();
        assert_eq!(error.code, code, "{apps}: {error}");
        assert!(error.message.contains("p.yaml:8: ") && error.message.contains(expected), "{error}");
    }
}

#[test]
fn errors_have_codes_and_facts() {
    let failed =
        |from: &str, to: &str| read_with(&GOOD.replacen(from, to, 1), &Overrides::default()).unwrap_err();
    for (from, to, code) in [
        ("board:", "bord:", "product::config::unknown-key"),
        ("kind: debian", "kind: debain", "product::config::unknown-value"),
        ("[echo-srv-app]", "echo-srv-app", "product::config::wrong-type"),
        ("name: desk", "\tname: desk", "product::config::malformed"),
        ("name: desk", "name: desk\nname: desk", "product::config::duplicate-key"),
        ("name: desk\n", "", "product::config::missing-key"),
        ("32MiB", "32", "product::config::not-a-size"),
        ("32MiB", "4GiB", "product::config::carve-out-out-of-range"),
        ("- echo-srv", "- small-echo-srv", "product::app::duplicate-name"),
        ("- echo-srv", "- ehco-srv", "product::package::unknown-package"),
    ] {
        assert_eq!(failed(from, to).code, code, "{to}");
    }
    let facts = failed("board: virt", "board: vrit").facts.unwrap();
    assert_eq!((facts["line"].as_u64(), facts["key"].as_str()), (Some(3), Some("board")));
    assert_eq!((facts["name"].as_str(), facts["meant"].as_str()), (Some("vrit"), Some("virt")));
    let error = failed("name: desk", "name: 'https://me:7391@host/'");
    assert!(!format!("{error:?}").contains("7391"), "{error:?}");
}

#[test]
fn an_error_shows_the_line_and_how_to_mend_it() {
    let error = read_with(&GOOD.replacen("32MiB", "32M", 1), &Overrides::default()).unwrap_err();
    let shown = error.to_string().replace(&std::env::temp_dir().display().to_string(), "");
    assert!(
        shown.contains("\n     4 | tzdram: { size: 32M, alignment: 1MiB }\n  help: edit line 4 of "),
        "{shown}"
    );
}

#[test]
fn the_line_is_that_of_the_value() {
    let text = GOOD
        .replace("{ size: 32MiB, alignment: 1MiB }", "\n  alignment: 1MiB\n  # stock is 16 MiB\n  size: 32");
    let error = read_with(&text, &Overrides::default()).unwrap_err();
    assert!(error.message.starts_with("p.yaml:7: "), "{error}");
    let text = GOOD.replace(
        "- { package: small-echo-srv, min_heap: 128KiB }",
        "- package: small-echo-srv\n    min_heap: x",
    );
    let error = read_with(&text, &Overrides::default()).unwrap_err();
    assert!(error.message.starts_with("p.yaml:8: "), "{error}");
    let text = GOOD.replace("{ size: 32MiB, alignment: 1MiB }", "\n  alignment: 1MiB\n  sise: 32MiB");
    let error = read_with(&text, &Overrides::default()).unwrap_err();
    assert!(error.message.starts_with("p.yaml:6: tzdram: unknown field `sise`"), "{error}");
    let text = GOOD.replace("{ kind: debian,", "\n  kind: debain\n  x: {");
    let error = read_with(&text, &Overrides::default()).unwrap_err();
    assert!(error.message.starts_with("p.yaml:10: rootfs.kind: unknown variant"), "{error}");
}

#[test]
fn broken_yaml_is_an_error() {
    for text in ["", "name: [", "\tname: x", "- a\n- b\n", "name: desk\nname: desk\n", "\u{0}"] {
        let error = read_with(text, &Overrides::default()).unwrap_err();
        assert!(error.message.starts_with("p.yaml:"), "{text:?}: {error}");
    }
}

#[test]
fn keys_in_tokens_are_checked() {
    let overrides = Overrides { without_rootfs: true, ..Overrides::default() };
    let read = |l4t: &str| {
        let text = GOOD.replace("board: virt", "board: jetson-agx-xavier");
        read_with(&format!("{text}l4t: {{ {l4t} }}\n"), &overrides)
    };
    let uri = "pkcs11:token=Boot%20keys;object=pkc";
    let product = read(&format!("pkc_key: \"{uri}\"")).unwrap();
    assert_eq!(product.l4t.unwrap().pkc_key, Some(PkcKey::Token(Uri::parse(uri).unwrap())));
    let cases = [
        (
            "pkc_key: \"pkcs11:token=a\"",
            "p.yaml:10: l4t.pkc_key: it names no key: add object=LABEL or id=%01",
        ),
        (
            "pkc_key: \"pkcs11:token=a;object=b?pin-value=7391\"",
            "p.yaml:10: l4t.pkc_key: `pin-value` is not allowed: what a config says ends up in logs and version control. Give \
             the PIN in the environment variable CARVEOUT_PKCS11_PIN, or name a file that has it: ?pin-source=/PATH",
        ),
        (
            "sbk_key: \"pkcs11:token=a;object=b?pin-value=7391\"",
            "p.yaml:10: l4t.sbk_key: an SBK must be a file: NVIDIA's tools encrypt with its bytes, which no token gives away. \
             Only pkc_key may be in a token",
        ),
        (
            "modules: \"pkcs11:pin-value=7391\"",
            "p.yaml:10: l4t.modules: wrong type: string \"pkcs11:pin-value=…",
        ),
        (
            "pkc_key: no.pem",
            "p.yaml:10: l4t.pkc_key: no.pem: No such file or directory (os error 2) (paths are relative to the config file)",
        ),
    ];
    for (l4t, expected) in cases {
        let error = read(l4t).unwrap_err();
        assert_eq!(error.message.lines().next().unwrap(), expected);
        assert!(!error.to_string().contains("7391"), "{error}");
    }
}

/// What NVIDIA's tools would not use is refused before the build, and never shown.
#[test]
fn key_files_of_another_form_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = Overrides { without_rootfs: true, ..Overrides::default() };
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let read = |l4t: &str| {
        let text = GOOD.replace("board: virt", "board: jetson-agx-xavier");
        read_with(&format!("{text}l4t: {{ {l4t} }}\n"), &overrides)
    };
    let lines = file("lines.key", "0x01234567\n0x89abcdef\n0xfedcba98\n0x76543210\n");
    let short = file("short.key", "0x01234567 0x89abcdef 0xfedcba98\n");
    let words = file("words.key", "0x01234567 0x89abcdef 0xfedcba98 0x76543210\n");
    let public = file("public.pem", "-----BEGIN PUBLIC KEY-----\n");
    let token = "pkc_key: \"pkcs11:token=a;object=b\"";
    for good in [&words, &lines] {
        assert!(read(&format!("{token}, sbk_key: {good}")).unwrap().l4t.unwrap().sbk_key.is_some());
    }
    for (l4t, start) in [
        (format!("{token}, sbk_key: {short}"), format!("p.yaml:10: l4t.sbk_key: {short}: it has 3 words; ")),
        (
            format!("pkc_key: {public}"),
            format!("p.yaml:10: l4t.pkc_key: {public}: it is a public key: the private one signs; "),
        ),
        (format!("pkc_key: {words}"), format!("p.yaml:10: l4t.pkc_key: {words}: it is no PEM file")),
    ] {
        let error = read(&l4t).unwrap_err();
        assert!(error.message.starts_with(&start), "{error}");
        assert!(!error.to_string().contains("89abcdef"), "{error}");
    }
}

#[test]
fn each_board_has_a_config_that_can_be_built_from() {
    let workspace = Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap();
    let files = |folder: &str| {
        let entries = fs::read_dir(workspace.root.join(folder)).unwrap().flatten().map(|entry| entry.path());
        entries.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let mut boards = Vec::new();
    for path in files("configs") {
        let product = crate::load(&workspace, &path, &Overrides::default()).unwrap();
        // A board with L4T flashes all only with a root filesystem or an APP of a size.
        assert!(product.rootfs.is_some() && !product.trusted_apps.is_empty(), "{path:?}");
        boards.push(product.board.name);
    }
    let names = files("configs/boards");
    let mut all: Vec<_> = names.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    boards.sort();
    all.sort_unstable();
    assert_eq!(boards, all);
}
