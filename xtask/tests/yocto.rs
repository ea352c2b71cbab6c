//! The BitBake layer, as far as it can be tested without BitBake.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::process::Command;
use xtask::workspace::root;

#[test]
fn the_layers_python_and_shell() {
    let script = root().join("xtask/tests/layer.py");
    let output = Command::new("python3").arg("-B").arg(script).arg(root()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Ran 9 tests"), "{said}");
}

/// A fact is written down in one place; Python has a copy, which must be the same.
#[test]
fn the_layers_limits_are_those_of_the_plan() {
    let path = root().join("layers/meta-carveout/lib/carveout/config.py");
    let text = fs::read_to_string(path).unwrap();
    for (name, bytes) in [
        ("TZDRAM_MIN", trusty_image::limits::TZDRAM_MIN),
        ("TZDRAM_MAX", trusty_image::limits::TZDRAM_MAX),
        ("ALIGNMENT_MAX", 128 << 20),
    ] {
        let expected = format!("{name} = {} * MIB\n", bytes >> 20);
        assert!(text.contains(&expected), "{expected}");
    }
    assert!(trusty_image::budget::check_tzdram(128 << 20, 256 << 20).is_err());
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
