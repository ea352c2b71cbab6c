//! The BitBake layer, as far as it can be tested without BitBake.
#![allow(clippy::unwrap_used, clippy::panic)]

use carveout_product as config;
use carveout_product::workspace::Workspace;
use carveout_yocto::conf;
use carveout_yocto::conf::Network;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    carveout_host::dirs::Dirs::find().root().unwrap().to_owned()
}

#[test]
fn the_layers_python_and_shell() {
    for (script, tests) in [("layer.py", 15), ("layer_crates.py", 11)] {
        let script = root().join("xtask/tests").join(script);
        let output = Command::new("python3").arg("-B").arg(script).arg(root()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains(&format!("Ran {tests} tests")), "{said}");
    }
}

/// A fact is written down in one place; Python has a copy, which must be the same.
#[test]
fn the_layers_limits_are_those_of_the_plan() {
    let path = root().join("layers/meta-carveout/lib/carveout/config.py");
    let text = fs::read_to_string(path).unwrap();
    for (name, bytes) in [
        ("TZDRAM_MIN", trusty_image::limits::TZDRAM_MIN),
        ("TZDRAM_MAX", trusty_image::limits::TZDRAM_MAX),
        ("ALIGNMENT_MAX", trusty_image::limits::TZDRAM_ALIGNMENT_MAX),
        ("APP_STACK_TOP", trusty_image::limits::APP_STACK_TOP.into()),
    ] {
        let expected = format!("{name} = {} * MIB\n", bytes >> 20);
        assert!(text.contains(&expected), "{expected}");
    }
    for (name, more) in [("NAME", bundle::NAME), ("VERSION", bundle::VERSION)] {
        assert!(text.contains(&format!("\n{name} = \"{more}\"\n")), "{name}");
    }
}

/// Every recipe, class and configuration says under which licence it is.
#[test]
fn the_layers_files_bear_their_licence() {
    let mut folders = ["layers", "recipes", "xtask/tests/oe-stand-in"].map(|name| root().join(name)).to_vec();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".bb", ".bbappend", ".bbclass", ".conf", ".py"].iter().any(|end| name.ends_with(end)) {
                files += 1;
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.contains("SPDX-License-Identifier: MIT OR Apache-2.0"), "{}", path.display());
            }
        }
    }
    assert!(files >= 30, "{files}");
}

const PRODUCT: &str = "name: xavier\nversion: 1.2.3\nboard: jetson-agx-xavier\ntzdram: { size: 32MiB }\n\
    trusted_apps:\n  - echo-srv\n  - { package: small-echo-srv, min_heap: 128KiB }\nclient_apps: [echo-srv-app]\n\
    rootfs: { kind: debian, suite: bookworm, size: 8GiB }\n\
    yocto: { image: my-image, sstate_mirror: 'file:///srv/sstate', hash_server: 'farm:8686', downloads_mirror: 'http://farm/dl' }\n";

/// What BitBake is told of a product.
fn local_conf(text: &str, without_rootfs: bool) -> Result<String, carveout_host::error::Error> {
    local_conf_of(text, without_rootfs, if without_rootfs { Network::None } else { Network::All })
}

fn local_conf_of(
    text: &str,
    without_rootfs: bool,
    network: Network,
) -> Result<String, carveout_host::error::Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    fs::write(&path, text).unwrap();
    let overrides = config::Overrides { without_rootfs, ..Default::default() };
    let product =
        config::load(&Workspace::load(&carveout_host::dirs::Dirs::find()).unwrap(), &path, &overrides)
            .unwrap();
    let machine = product.board.l4t.as_ref().unwrap().machine.clone();
    conf::refuse(&product)?;
    conf::local(&product, &machine, None, Path::new("/top"), network)
}

#[test]
fn a_product_becomes_a_local_conf() {
    let text = local_conf(PRODUCT, false).unwrap();
    let settings: Vec<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let digest = settings.iter().find(|line| line.starts_with("CARVEOUT_CONFIG_DIGEST = \"")).unwrap();
    assert_eq!(digest.len(), "CARVEOUT_CONFIG_DIGEST = \"\"".len() + 64);
    assert_eq!(
        settings.iter().filter(|line| *line != digest).copied().collect::<Vec<_>>(),
        [
            "MACHINE = \"jetson-agx-xavier-devkit\"",
            "CARVEOUT_BOARD = \"jetson-agx-xavier\"",
            "DISTRO = \"nodistro\"",
            "TCLIBCAPPEND = \"\"",
            "PACKAGE_CLASSES = \"package_deb\"",
            "CARVEOUT_PRODUCT_NAME = \"xavier\"",
            "CARVEOUT_PRODUCT_VERSION = \"1.2.3\"",
            "CARVEOUT_SECURITY_VERSION = \"0\"",
            "CARVEOUT_TZDRAM_SIZE = \"0x2000000\"",
            "CARVEOUT_TZDRAM_ALIGNMENT = \"0x100000\"",
            "CARVEOUT_TRUSTED_APPS = \"echo-srv small-echo-srv\"",
            "CARVEOUT_MIN_HEAP[small-echo-srv] = \"0x20000\"",
            "CARVEOUT_CLIENT_APPS = \"echo-srv-app\"",
            "CARVEOUT_IMAGE = \"my-image\"",
            "ROOTFSPART_SIZE = \"8589934592\"",
            "DL_DIR = \"/top/downloads\"",
            "SSTATE_DIR = \"/top/sstate\"",
            "INHERIT += \"own-mirrors\"",
            "SOURCE_MIRROR_URL = \"http://farm/dl\"",
            "SSTATE_MIRRORS = \"file://.* file:///srv/sstate/PATH;downloadfilename=PATH\"",
            "BB_SIGNATURE_HANDLER = \"OEEquivHash\"",
            "BB_HASHSERVE = \"farm:8686\"",
        ]
    );
    // Each block of settings says why it is there.
    for block in text.split("\n\n") {
        assert!(block.starts_with("# "), "{block}");
    }
    let parts = local_conf(PRODUCT, true).unwrap();
    assert!(parts.contains("\nCARVEOUT_IMAGE = \"\"\n"), "{parts}");
    assert!(parts.contains("\nBB_NO_NETWORK = \"1\"\n") && !text.contains("BB_NO_NETWORK"));
    // Checks with the host's compilers fetch nothing, but may share.
    let checks = local_conf_of(PRODUCT, true, Network::Mirrors).unwrap();
    assert!(checks.contains("\nBB_ALLOWED_NETWORKS = \"farm\"\n") && !checks.contains("BB_NO_NETWORK"));
    let alone = PRODUCT.replace("http://farm/dl", "file:///srv/dl");
    let alone = local_conf_of(&alone, true, Network::Mirrors).unwrap();
    assert!(alone.contains("\nBB_NO_NETWORK = \"1\"\n") && !alone.contains("BB_ALLOWED_NETWORKS"));
}

#[test]
fn what_the_layer_cannot_do_is_refused() {
    let fails = |from: &str, to: &str| local_conf(&PRODUCT.replace(from, to), false).unwrap_err().to_string();
    let error = fails("yocto:", "l4t: { stock_trusted_apps: [] }\nyocto:");
    assert!(error.contains("keeps all of NVIDIA's own trusted apps\n  help: "), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("third-party.elf");
    fs::write(&file, "").unwrap();
    let error = fails("yocto:", "l4t: { pkc_key: \"pkcs11:token=a;object=b\" }\nyocto:");
    assert!(error.contains("does not sign"), "{error}");
    let error = fails("- echo-srv\n", &format!("- {{ elf: {} }}\n", file.display()));
    assert!(error.contains("and third-party is none"), "{error}");
}
