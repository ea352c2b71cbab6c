//! Manifest and linker script.

fn main() {
    trusty_ta_build::build();
}
