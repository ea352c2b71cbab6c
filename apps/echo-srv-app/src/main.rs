//! Client app: sends f32 arrays or files to a trusted app and verifies what comes back.

mod cli;
mod echo;
#[cfg(test)]
mod loopback;
mod report;
mod self_test;

use clap::Parser;
use cli::Args;
use std::process::ExitCode;

/// What came back is not what was sent, or it was refused. Of a self-test: an outcome is wrong.
const EXIT_FAILED: u8 = 1;
/// A file that cannot be read or written.
const EXIT_USAGE: u8 = 2;
/// No trusted app to talk to.
const EXIT_ENVIRONMENT: u8 = 3;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Err(error) if error.use_stderr() && std::env::args().any(|argument| argument == "--json") => {
            report::json_error(&error.render().to_string(), EXIT_USAGE);
            return ExitCode::from(EXIT_USAGE);
        }
        Err(error) => error.exit(),
        Ok(args) => args,
    };
    let done = if args.self_test {
        self_test::run(&args)
    } else {
        echo::run(&args).map(|summary| report::print(&args, &summary))
    };
    done.unwrap_or_else(|error| {
        report::fail(&args, &error);
        ExitCode::from(error.exit())
    })
}
