//! Client app: sends f32 arrays or files to a trusted app and verifies what comes back.

mod cli;
mod echo;
mod report;

use clap::Parser;
use cli::Args;
use std::process::ExitCode;

/// What came back is not what was sent, or it was refused.
const EXIT_FAILED: u8 = 1;
/// A file that cannot be read or written.
const EXIT_USAGE: u8 = 2;
/// No trusted app to talk to.
const EXIT_ENVIRONMENT: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    match echo::run(&args) {
        Ok(summary) => {
            report::print(&args, &summary);
            ExitCode::SUCCESS
        }
        Err(error) => {
            report::fail(&args, &error);
            ExitCode::from(error.exit())
        }
    }
}
