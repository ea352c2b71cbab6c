//! Runs the trusted apps (TAs) of a Trusty secure-os image, and lets clients connect to them through a Unix socket.
//!
//! Each TA has a 32-bit ARM core of the unicorn engine and the memory that the kernel's loader gives it: image, heap and
//! stack of exactly the manifest's sizes. Ports, channels, messages and events are those of [`trusty_model`]. There is no
//! kernel code and no device. A fault stops all, as it does on a board, and is explained.

mod calls;
mod clock;
mod comparisons;
mod coverage;
mod debugger;
mod engine;
mod fault;
mod fuzz;
mod image;
mod locate;
mod machine;
mod process;
mod say;
mod server;
mod stats;
mod stub;
mod system;
mod tap;
#[cfg(test)]
mod tests;

use clap::Parser;
use fuzz::{FuzzArgs, Setting};
use process::Known;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use system::{End, StartError, System, has_stdin_ended};

/// Run the trusted apps of a secure-os image.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// A secure-os image (NVTOSP), an lk.bin, or trusted apps' ELF files one behind the other.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Where to listen: a Unix socket for each message a packet.
    #[arg(long, value_name = "PATH", required_unless_present = "fuzz")]
    listen: Option<PathBuf>,
    /// Where to write what the trusted apps have used, as JSON, at the end.
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
    /// The name of the trusted app with a UUID, for reports.
    #[arg(long, value_name = "UUID=NAME")]
    name: Vec<String>,
    /// The ELF file with debug information of the trusted app with a UUID, for reports.
    #[arg(long, value_name = "UUID=FILE")]
    debug: Vec<String>,
    /// Where to write the core file of the trusted app with a UUID, if it faults.
    #[arg(long, value_name = "UUID=FILE")]
    core: Vec<String>,
    /// What the carve-out has free for the kernel's receive buffers, in bytes; without it there is no limit.
    #[arg(long, value_name = "BYTES")]
    kernel_memory: Option<u64>,
    /// Stand in for NVIDIA's hwkey-agent, with a key that is no secret.
    #[arg(long)]
    hwkey_agent: bool,
    /// Let gdb stop the trusted app with a UUID: it connects to this Unix socket, and nothing runs before it does.
    #[arg(long, value_name = "UUID=PATH", value_parser = debugged)]
    gdb: Option<(uuid::Uuid, PathBuf)>,
    /// Fuzzing, instead of listening.
    #[command(flatten)]
    fuzz: FuzzArgs,
    /// End when standard input ends.
    #[arg(long)]
    until_eof: bool,
}

static STOP: AtomicBool = AtomicBool::new(false);

/// A trusted app faulted.
const EXIT_FAULT: u8 = 1;
/// The image, the socket or the statistics file.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(End::Told) => ExitCode::SUCCESS,
        Ok(End::Fault(report)) => {
            say::lines(&report);
            say::line("On a board all of Trusty stops here: every later call from Linux fails.");
            ExitCode::from(EXIT_FAULT)
        }
        Err(error) => {
            say::lines(&format!("error: {error}"));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// The trusted app that is debugged, and where.
fn debugged(text: &str) -> Result<(uuid::Uuid, PathBuf), String> {
    let (uuid, path) = text.split_once('=').ok_or("UUID=PATH is expected")?;
    Ok((uuid.parse().map_err(|error: uuid::Error| error.to_string())?, path.into()))
}

/// What an option says for a UUID.
fn said(options: &[String], uuid: uuid::Uuid) -> Option<&str> {
    options.iter().find_map(|option| option.strip_prefix(&format!("{uuid}=")))
}

impl Known for Args {
    fn name(&self, uuid: uuid::Uuid) -> Option<String> {
        said(&self.name, uuid).map(str::to_owned)
    }

    fn core(&self, uuid: uuid::Uuid) -> Option<PathBuf> {
        said(&self.core, uuid).map(PathBuf::from)
    }

    fn debug(&self, uuid: uuid::Uuid) -> Option<Vec<u8>> {
        let file = said(&self.debug, uuid)?;
        // Without it reports are shorter.
        std::fs::read(file).map_err(|error| say::line(&format!("emulator: {file}: {error}"))).ok()
    }
}

fn run(args: &Args) -> Result<End, String> {
    let elves = image::read(&args.image).map_err(|error| failed(&args.image, &error))?;
    if let Some(target) = args.fuzz.fuzz {
        return fuzz(args, target, &elves);
    }
    let listen = args.listen.as_deref().unwrap_or(Path::new(""));
    let mut system = System::new(&elves, args, listen).map_err(|error| match error {
        StartError::Image(error) => failed(&args.image, &error),
        other => other.to_string(),
    })?;
    if let Some(bytes) = args.kernel_memory {
        system.kernel.limit_memory(bytes);
    }
    if args.hwkey_agent {
        system.start_agent();
    }
    if let Some((uuid, socket)) = &args.gdb {
        system.debug(*uuid, socket).map_err(|error| error.to_string())?;
        say::awaits_debugger();
    }
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).map_err(|error| error.to_string())?;
    let end = system.run(&STOP, args.until_eof);
    let sockets = args.gdb.iter().map(|(_, socket)| socket).chain(&args.listen);
    sockets.for_each(|socket| drop(std::fs::remove_file(socket)));
    if let Some(path) = &args.stats {
        write(path, &stats::collect(&system, &end))?;
    }
    Ok(end)
}

fn failed(what: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", what.display())
}

fn write(path: &Path, stats: &serde_json::Value) -> Result<(), String> {
    std::fs::write(path, format!("{stats:#}\n")).map_err(|error| failed(path, &error))
}

/// Fuzzes until its time is over. What is found is no end of this program: the statistics tell it.
fn fuzz(args: &Args, target: uuid::Uuid, elves: &[Vec<u8>]) -> Result<End, String> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).map_err(|error| error.to_string())?;
    let setting = Setting { elves, known: args, agent: args.hwkey_agent, memory: args.kernel_memory };
    let stop = || STOP.load(Ordering::Relaxed) || args.until_eof && has_stdin_ended();
    let result = fuzz::run(&args.fuzz, target, &setting, &stop).map_err(|error| error.to_string())?;
    args.stats.iter().try_for_each(|path| write(path, &result))?;
    Ok(End::Told)
}
