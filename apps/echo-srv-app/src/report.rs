//! Progress, summary, errors.

use crate::EXIT_ENVIRONMENT;
use crate::cli::Args;
use crate::echo::EchoError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tipc::{Exchanged, MAX_MESSAGE};

/// What all rounds have done.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// What has passed.
    pub exchanged: Exchanged,
    /// How long it took.
    pub time: Duration,
}

impl Summary {
    /// Bytes of payload a second, there and back.
    fn throughput(&self) -> f64 {
        (self.exchanged.sent + self.exchanged.received) as f64 / self.time.as_secs_f64().max(1e-9)
    }

    /// Share of the messages' 4080 bytes that is payload.
    fn payload_share(&self) -> f64 {
        let room = self.exchanged.data_messages * MAX_MESSAGE as u64;
        (self.exchanged.sent + self.exchanged.received) as f64 / room.max(1) as f64
    }
}

/// A bar on a terminal, a line for each round elsewhere.
pub struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    /// Progress of exchanges of `total` bytes each way.
    pub fn new(args: &Args, total: u64) -> Self {
        let quiet = args.quiet || args.json;
        let is_terminal = std::io::stderr().is_terminal();
        let target =
            if quiet || !is_terminal { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(total * 2), target);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {binary_bytes_per_sec} {percent}%");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, lines: !quiet && !is_terminal && args.rounds > 1 }
    }

    /// An exchange begins.
    pub fn begin(&self, what: String) {
        if self.lines {
            let _ = writeln!(std::io::stderr(), "{what}");
        }
        self.bar.reset();
        self.bar.set_message(what);
    }

    /// So much of the exchange has passed.
    pub fn show(&self, done: &Exchanged) {
        self.bar.set_position(done.sent + done.received);
    }

    /// The last exchange has ended.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Prints the summary.
pub fn print(args: &Args, summary: &Summary) -> ExitCode {
    let Summary { exchanged, time } = summary;
    let text = if args.json {
        let value = json!({
            "port": args.port(),
            "mode": if args.file.is_some() { "stream" } else { "hold" },
            "rounds": args.rounds,
            "bytes_sent": exchanged.sent,
            "bytes_received": exchanged.received,
            "data_messages": exchanged.data_messages,
            "payload_share": summary.payload_share(),
            "seconds": time.as_secs_f64(),
            "bytes_per_second": summary.throughput(),
            "intact": true,
        });
        format!("{value:#}")
    } else {
        let each = exchanged.received / u64::from(args.rounds);
        let what = match args.file {
            Some(_) => format!("{each} bytes"),
            None => format!("{} values ({each} bytes)", args.count),
        };
        let times = if args.rounds == 1 { "once".into() } else { format!("{} times", args.rounds) };
        let rate = summary.throughput() / (1 << 20) as f64;
        format!(
            "{}: {what} came back intact, {times}, in {:.2} s ({rate:.1} MiB/s both ways)",
            args.port(),
            time.as_secs_f64()
        )
    };
    tell(&text)
}

/// Prints a result. One that cannot be told is none.
pub fn tell(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "error: stdout: {error}");
            ExitCode::from(EXIT_ENVIRONMENT)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// An error for machines.
pub fn error_value(message: &str, exit: u8) -> Value {
    json!({ "message": message.trim_end(), "exit": exit })
}

/// Prints an error for machines.
pub fn json_error(message: &str, exit: u8) {
    let value = json!({ "error": error_value(message, exit) });
    let _ = writeln!(std::io::stdout(), "{value:#}");
}

/// Prints an error.
pub fn fail(args: &Args, error: &EchoError) {
    if args.json {
        json_error(&error.to_string(), error.exit());
    } else {
        let _ = writeln!(std::io::stderr(), "error: {error}");
    }
}
