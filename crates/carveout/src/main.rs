//! The binary `carveout`.

fn main() -> std::process::ExitCode {
    carveout::main::<carveout::cli::Verb>("carveout")
}
