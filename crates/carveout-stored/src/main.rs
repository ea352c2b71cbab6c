//! The daemon: a thread for each trusted app, which connects again when the connection ends.

use carveout_stored::{KeepError, Keeper};
use clap::Parser;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use trusty_abi::text::Shown;

/// How long until a trusted app that is not there is looked for again: at first, and at most.
const WAIT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Keep the sealed stores of trusted apps as files.
#[derive(Debug, Parser)]
#[command(version, after_help = "Exit codes: 2 wrong usage or config. It does not end by itself.")]
struct Args {
    /// Ports of trusted apps, besides those that the config names.
    #[arg(value_name = "PORT")]
    ports: Vec<String>,
    /// Where stores are kept, a folder for each port.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/carveout-stored")]
    dir: PathBuf,
    /// Files that name ports, one in a line; lines of # are for people.
    #[arg(long, value_name = "DIR", default_value = "/etc/carveout-stored.d")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let ports = match ports(&args) {
        Ok(ports) if !ports.is_empty() => ports,
        Ok(_) => return refused(&format!("no port is named, here or in {}", args.config.display())),
        Err((path, error)) => return refused(&format!("{}: {error}", path.display())),
    };
    let threads = ports.into_iter().map(|port| {
        let dir = args.dir.clone();
        thread::spawn(move || keep(&port, &dir))
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| drop(thread.join()));
    ExitCode::FAILURE
}

fn refused(why: &str) -> ExitCode {
    say(&format!("error: {why}"));
    ExitCode::from(2)
}

/// The ports of the command line and of the config's files, each once.
fn ports(args: &Args) -> Result<Vec<String>, (PathBuf, io::Error)> {
    let mut ports = args.ports.clone();
    let failed = |path: &Path, error| (path.to_owned(), error);
    let entries = match fs::read_dir(&args.config) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        entries => Some(entries.map_err(|error| failed(&args.config, error))?),
    };
    for entry in entries.into_iter().flatten() {
        let path = entry.map_err(|error| failed(&args.config, error))?.path();
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        ports.extend(lines.map(str::to_owned));
    }
    ports.sort();
    ports.dedup();
    Ok(ports)
}

/// Connects and serves for ever. The same trouble is told once.
fn keep(port: &str, dir: &Path) {
    let [mut wait, most] = WAIT;
    let mut told = String::new();
    loop {
        let ended = match Keeper::connect(&tipc::device(), port, dir) {
            Ok(keeper) => {
                say(&format!("{port}: keeps its store"));
                (wait, told) = (WAIT[0], String::new());
                keeper.serve()
            }
            Err(error @ KeepError::Port(_)) => return say(&format!("error: {error}")),
            Err(error) => error,
        };
        let trouble = ended.to_string();
        if trouble != told {
            say(&format!("{port}: {trouble}; tries again"));
            told = trouble;
        }
        thread::sleep(wait);
        wait = (wait * 2).min(most);
    }
}

/// A line for the journal.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "carveout-stored: {}", Shown(line));
}
