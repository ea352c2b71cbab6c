//! `cargo xtask`.

fn main() -> std::process::ExitCode {
    carveout::main::<xtask::Xtask>("cargo xtask")
}
