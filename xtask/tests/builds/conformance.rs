//! What trusted apps rely on, on both backends of `emulate`: examples/conformance-srv does it, and tells what it saw.
//!
//! `conformance/*.txt` is what NVIDIA's kernel answers, taken from it with `CARVEOUT_CONFORMANCE_WRITE=1` and compared with
//! its sources. The model must answer the same.

mod clients;
mod ends;
pub mod run;

use crate::builds::util::{Ran, root, xtask};
use run::Run;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where checks are asked for.
const SRV: &str = "com.carveout.conformance";
/// Where each message is answered with itself.
const PEER: &str = "com.carveout.conformance.peer";
/// Checks with a transcript, in the order in which they run.
const CHECKS: [&str; 15] = [
    "start",
    "ports",
    "connect",
    "handles",
    "events",
    "order",
    "cookies",
    "queue",
    "queue-limits",
    "timeouts",
    "brk",
    "errors",
    "processor",
    "random",
    "memory",
];

fn config(dir: &Path, board: &str) -> PathBuf {
    let config = dir.join("product.yaml");
    let text = format!(
        "name: conformance\nversion: 0.1.0\nboard: {board}\ntzdram: {{ size: 32MiB, alignment: 1MiB }}\n\
         trusted_apps: [conformance-srv, conformance-peer]\n"
    );
    fs::write(&config, text).unwrap();
    config
}

#[test]
fn conformance_of_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "virt");
    let arguments = [OsStr::new("image"), OsStr::new("-c"), config.as_os_str(), OsStr::new("-o")];
    let bundle = PathBuf::from(xtask(arguments.into_iter().chain([dir.path().as_os_str()])).ok());
    suite(&bundle, "unicorn");
}

#[test]
fn conformance_of_the_kernel() {
    let real = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !real("CARVEOUT_L4T_BSP") || !real("CARVEOUT_L4T_SOURCES") {
        println!("skipped: CARVEOUT_L4T_BSP and CARVEOUT_L4T_SOURCES name no real BSP and sources");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut image = Command::new(env!("CARGO_BIN_EXE_xtask"));
    image.args(["image", "--without", "rootfs", "--accept-license", "-c"]);
    image.arg(config(dir.path(), "jetson-agx-xavier")).arg("-o").arg(dir.path());
    image.env("XDG_STATE_HOME", dir.path().join("state")).current_dir(root());
    let bundle = PathBuf::from(Ran::new(&mut image).ok());
    suite(&bundle, "qemu");
}

fn suite(bundle: &Path, backend: &str) {
    let run = Run::start(bundle, backend);
    transcripts(&run, backend);
    clients::check(&run, backend);
    run.stop();
    ends::check(bundle, backend);
}

/// All checks, twice: what one leaves behind would change the next.
fn transcripts(run: &Run, backend: &str) {
    let folder = root().join("xtask/tests/builds/conformance");
    let write = std::env::var_os("CARVEOUT_CONFORMANCE_WRITE").is_some() && backend == "qemu";
    let mut channel = run.connect(SRV).unwrap();
    let mut wrong = String::new();
    for round in [1, 2] {
        for check in CHECKS {
            let path = folder.join(check).with_extension("txt");
            let found = run::ask(&mut channel, check);
            if write && round == 1 {
                fs::write(&path, &found).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            wrong.push_str(&difference(&format!("{check}, round {round}"), &expected, &found));
        }
    }
    assert!(wrong.is_empty(), "{backend} answers otherwise than is written:\n{wrong}");
}

/// Lines that differ. The texts have as many lines, unless a check has changed.
fn difference(what: &str, expected: &str, found: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let mut text = String::new();
    for at in 0..old.len().max(new.len()) {
        let [old, new] = [&old, &new].map(|lines| lines.get(at).copied().unwrap_or("(no line)"));
        if old != new {
            text.push_str(&format!("{what}, line {}:\n  - {old}\n  + {new}\n", at + 1));
        }
    }
    text
}
