//! What a Rust trusted app (TA) declares about itself, and what its build makes of that.
//!
//! A TA says in its Cargo.toml, under `[package.metadata.trusty]`, what AOSP Trusty's `manifest.json` says: `uuid`,
//! `min_heap`, `min_stack` (bytes), `start_ports`, `mem_map`; and besides `heap_demand`, the bytes it will allocate.
//! The `main` of its build script is one line, `trusty_ta_build::build();`.
//!
//! It writes the manifest words and ports as Rust code into `OUT_DIR`, where `trusty_ta::trusted_app!` picks them up,
//! and, for the target without an OS, links with the linker script that Trusty's loader needs.

mod declaration;
mod generate;

pub use declaration::{Declaration, DeclarationError, PortFlags, Region, StartPort};
pub use generate::{LINKER_SCRIPT, rust_source};
use std::path::Path;
use std::{env, fs};

/// Runs as a TA's build script. Stops the build with a message if the declaration is wrong.
pub fn build() {
    if let Err(message) = try_build() {
        println!("cargo::error={}", message.replace('\n', " "));
    }
}

fn try_build() -> Result<(), String> {
    let variable = |name: &str| env::var(name).map_err(|e| format!("{name}: {e}"));
    let cargo_toml = variable("CARGO_MANIFEST_PATH")?;
    println!("cargo::rerun-if-changed={cargo_toml}");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(&cargo_toml).map_err(|e| format!("{cargo_toml}: {e}"))?;
    let declaration = Declaration::from_cargo_toml(&text).map_err(|e| format!("{cargo_toml}: {e}"))?;
    let out = variable("OUT_DIR")?;
    let write = |name: &str, text: &str| {
        let path = Path::new(&out).join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    write("trusted_app.rs", &rust_source(&declaration))?;
    if variable("CARGO_CFG_TARGET_OS")? == "none" {
        write("ta.ld", LINKER_SCRIPT)?;
        println!("cargo::rustc-link-arg-bins=-T{out}/ta.ld");
        println!("cargo::rustc-link-arg-bins=-zmax-page-size=0x1000");
    }
    Ok(())
}
