//! `cargo xtask`: carveout, in this workspace.

fn main() -> std::process::ExitCode {
    carveout::main::<carveout::cli::Verb>("cargo xtask")
}
