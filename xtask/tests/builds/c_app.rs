//! Trusted apps in C: a folder with a rules.mk, built by NVIDIA's makefiles within NVIDIA's sources.

use crate::builds::conformance::run::Run;
use crate::builds::debug::gdb;
use crate::builds::util::{Ran, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tipc::{MAX_MESSAGE, Transport};

const SOURCES: &str = "CARVEOUT_L4T_SOURCES";
const PORT: &str = "com.carveout.example.c-echo";

/// A product whose trusted apps are these lines.
fn config(dir: &Path, apps: &str) -> PathBuf {
    let path = dir.join("product.yaml");
    let text = format!(
        "name: c\nversion: 0.1.0\nboard: virt\ntzdram: {{ size: 16MiB, alignment: 1MiB }}\ntrusted_apps:\n{apps}"
    );
    fs::write(&path, text).unwrap();
    path
}

fn command(verb: &str, config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args([verb, "-c"]).arg(config).current_dir(root());
    command
}

fn build(config: &Path) -> Ran {
    Ran::new(&mut command("trusted-apps", config))
}

/// The bundle of a product.
fn image(dir: &Path, apps: &str) -> PathBuf {
    let config = config(dir, apps);
    Ran::new(command("image", &config).arg("-o").arg(dir)).ok().into()
}

fn example(more: &str) -> String {
    format!("  - {{ source: {}{more} }}\n", root().join("examples/c/c-echo-srv").display())
}

fn has_sources() -> bool {
    has(SOURCES, "sources")
}

fn has(variable: &str, what: &str) -> bool {
    let there = std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    if !there {
        println!("skipped: {variable} names no {what} of NVIDIA's");
    }
    there
}

#[test]
fn what_is_no_app_in_c_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["empty", "a b"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("a b/rules.mk"), "").unwrap();
    for (app, expected) in [
        ("source: none", "trusted_apps[0].source: none is no folder with a rules.mk"),
        ("source: empty", "trusted_apps[0].source: empty is no folder with a rules.mk"),
        ("source: a b", "`a b`: the folder's name becomes the app's"),
        ("source: empty, elf: x.elf", "expected one of `package`, `elf` and `source`"),
    ] {
        let error = build(&config(dir.path(), &format!("  - {{ {app} }}\n"))).fails(2);
        assert!(error.contains("product.yaml:6: ") && error.contains(expected), "{error}");
    }
    let mut without = command("trusted-apps", &config(dir.path(), &example("")));
    let error = Ran::new(without.env_remove(SOURCES)).fails(2);
    assert!(error.contains("a trusted app in C is built within them, and none are given"), "{error}");
    assert!(error.contains("with --sources or in CARVEOUT_L4T_SOURCES"), "{error}");
}

/// The first values, and others behind them.
fn message(first: u32) -> Vec<u8> {
    let values = (0..1000_u32).map(|n| (first + n) as f32);
    first.to_le_bytes().into_iter().chain(values.flat_map(f32::to_le_bytes)).collect()
}

/// The team's story in C: malloc fails, nobody looks, the first payload stops all; with its place, in gdb too; and with enough heap it serves.
#[test]
fn a_crash_in_c_is_explained_and_mended() {
    if !has_sources() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bundle = image(dir.path(), &example(""));
    let run = Run::start_with(&bundle, "unicorn", PORT);
    run.connect(PORT).unwrap().send(&message(0)).unwrap();
    let said = run.fails();
    for expected in [
        "c-echo-srv: all data initialised",
        "c-echo-srv faults: null + 0 written: a pointer that was never set, or whose failure was not checked",
        "  place app/c-echo-srv/main.c:27 in store\n",
        "app/c-echo-srv/main.c:65 in main",
        "heap  0xf000 to 0x13000: 16 KiB by manifest, brk at 4 KiB",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let (_, script) = said.split_once("look at it: gdb-multiarch -x ").unwrap_or_else(|| panic!("{said}"));
    let dead =
        gdb(script.lines().next().unwrap().as_ref(), &["backtrace", "frame function store", "print first"]);
    for expected in ["store (length=4004)", "main () at app/c-echo-srv/main.c:", "$1 = 0"] {
        assert!(dead.contains(expected), "{expected} in {dead}");
    }
    // What gdb and reports read names no folder of this host.
    let debug = fs::read(bundle.join("trusted-apps/c-echo-srv.debug")).unwrap();
    let text = String::from_utf8_lossy(&debug);
    for place in [root().display().to_string(), "carveout-scratch".to_owned()] {
        assert!(!text.contains(&place), "{place}");
    }
    let bundle = image(dir.path(), &example(", min_heap: 320KiB"));
    serves(&bundle, "unicorn");
}

/// With enough heap the first and the last values come back.
fn serves(bundle: &Path, backend: &str) {
    let run = Run::start_with(bundle, backend, PORT);
    let mut channel = run.connect(PORT).unwrap();
    for first in [0, 63_000] {
        channel.send(&message(first)).unwrap();
        let mut answer = [0; MAX_MESSAGE];
        let length = channel.receive(&mut answer).unwrap();
        assert!(answer[..length] == message(first), "{length} bytes");
    }
    run.stop();
}

#[test]
fn an_app_in_c_serves_on_nvidias_kernel() {
    if !has_sources() || !has("CARVEOUT_L4T_BSP", "BSP") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &example(", min_heap: 320KiB"));
    let text = fs::read_to_string(&config).unwrap().replace("board: virt", "board: jetson-agx-xavier");
    fs::write(&config, text).unwrap();
    let mut image = command("image", &config);
    image.args(["--without", "rootfs", "--accept-license", "-o"]).arg(dir.path());
    image.env("XDG_STATE_HOME", dir.path().join("state"));
    serves(Ran::new(&mut image).ok().as_ref(), "qemu");
}

#[test]
fn what_does_not_compile_shows_its_first_error() {
    if !has_sources() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, file: &str, text: &str| {
        fs::create_dir_all(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join(file), text).unwrap();
    };
    let from = root().join("examples/c/c-echo-srv");
    for file in ["rules.mk", "manifest.c", "main.c"] {
        write("bad-srv", file, &fs::read_to_string(from.join(file)).unwrap());
    }
    let config = |name: &str| config(dir.path(), &format!("  - {{ source: {name} }}\n"));
    write("bad-srv", "main.c", "#include <trusty_std.h>\n\nint main(void)\n{\n\treturn nothing;\n}\n");
    let error = build(&config("bad-srv")).fails(1);
    let place = format!("{}/main.c:5:", dir.path().join("bad-srv").canonicalize().unwrap().display());
    assert!(error.contains(&place) && error.contains("error: 'nothing' undeclared"), "{error}");
    write("bad-srv", "rules.mk", "include make/nothing.mk\n");
    let error = build(&config("bad-srv")).fails(1);
    assert!(error.contains("make/nothing.mk: No such file or directory"), "{error}");
    write("sample", "rules.mk", "");
    let error = build(&config("sample")).fails(2);
    assert!(error.contains("NVIDIA's sources have a folder app/sample"), "{error}");
}
