//! Manifest and linker script, from `[package.metadata.trusty]`.

fn main() {
    trusty_ta_build::build();
}
