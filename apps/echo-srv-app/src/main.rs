//! Client app: sends f32 arrays to a trusted app and verifies what comes back.

mod echo;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Send f32 arrays to a trusted app and verify what comes back.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Trusted app: echo-srv, small-echo-srv, or the name of a port.
    #[arg(long, value_name = "NAME", default_value = "echo-srv")]
    ta: String,
    /// How many values to send.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: u32,
    /// How often to send them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Device of Trusty's driver.
    #[arg(long, value_name = "PATH", default_value = tipc::DEVICE)]
    device: PathBuf,
}

/// No trusted app to talk to.
const EXIT_ENVIRONMENT: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    let port = if args.ta.contains('.') { args.ta.clone() } else { format!("com.carveout.srv.{}", args.ta) };
    let mut channel = match tipc::Channel::connect(&args.device, &port) {
        Ok(channel) => channel,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(EXIT_ENVIRONMENT);
        }
    };
    for round in 1..=args.rounds {
        if let Err(error) = echo::echo(&mut channel, args.count, round) {
            eprintln!("error: {port}, round {round} of {}: {error}", args.rounds);
            return ExitCode::FAILURE;
        }
    }
    println!("{port}: {} values came back intact, {} times", args.count, args.rounds);
    ExitCode::SUCCESS
}
