//! The command line.

use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// The trusted app that is meant if none is named.
pub const ECHO_SRV: &str = "echo-srv";

/// Send f32 arrays or files to a trusted app and verify every byte that comes back.
#[derive(Debug, Parser)]
#[command(version)]
#[command(
    after_help = "Exit codes: 0 all came back, 1 refused or damaged, 2 wrong usage or file, 3 no trusted app to talk to. \
                  With --self-test: 0 all outcomes are right, 1 one is wrong."
)]
pub struct Args {
    /// Trusted app: echo-srv, small-echo-srv, or the name of a port.
    #[arg(long, value_name = "NAME", default_value = ECHO_SRV, default_value_if("self_test", "true", None))]
    pub ta: Option<String>,
    /// How many f32 values to send: the trusted app holds them all, then sends them back.
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "file")]
    pub count: u32,
    /// A file to send instead, of any size up to 4 GiB - 1: it is sent back as it comes.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where to write what comes back.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How often to send them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Send 1000, 2048, 20480 and 64000 values to each echo trusted app (with --ta: to that one), and judge what comes of it:
    /// whether their memory is what it should be after flashing.
    #[arg(long, conflicts_with_all = ["count", "file", "output", "rounds"])]
    pub self_test: bool,
    /// How long to wait for each answer, in seconds; 0 waits for ever.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    pub timeout: u64,
    /// Device of Trusty's driver, or socket of the emulator.
    #[arg(long, value_name = "PATH", default_value_os_t = tipc::device())]
    pub device: PathBuf,
    /// Print the summary, and errors, as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Print no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

/// The port of a trusted app, or the port itself.
pub fn port(ta: &str) -> String {
    if ta.contains('.') { ta.into() } else { format!("com.carveout.srv.{ta}") }
}

impl Args {
    /// The port of the trusted app.
    pub fn port(&self) -> String {
        port(self.ta.as_deref().unwrap_or(ECHO_SRV))
    }

    /// How long to wait for each answer.
    pub fn timeout(&self) -> Option<Duration> {
        (self.timeout > 0).then(|| Duration::from_secs(self.timeout))
    }
}
