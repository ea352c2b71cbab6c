//! Linker scripts: each program lies at an address of its own and comes out as a flat binary.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for program in ["desk-monitor", "desk-agent", "desk-test-kernel"] {
        let script = format!("{folder}/src/bin/{program}/link.ld");
        println!("cargo::rerun-if-changed={script}");
        println!("cargo::rustc-link-arg-bin={program}=-T{script}");
        println!("cargo::rustc-link-arg-bin={program}=--oformat=binary");
        println!("cargo::rustc-link-arg-bin={program}=--build-id=none");
    }
}
