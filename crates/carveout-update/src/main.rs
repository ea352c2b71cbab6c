//! Updates a running device: what is new goes to the boot slots that are not active, is booted once, and stays if it is confirmed.

mod apps;
mod channel;
mod check;
mod commands;
mod config;
mod disk;
mod download;
mod durable;
mod error;
mod identity;
mod jetson;
mod journal;
mod lines;
mod power;
mod programs;
mod repack;
mod strays;
mod text;
mod update;

use clap::{Args, Parser, Subcommand};
use error::UpdateError;
use std::path::PathBuf;
use std::process::ExitCode;

/// A device has an update when nobody was there to see it: what went wrong must be told by the exit code, too.
#[derive(Parser)]
#[command(name = "carveout-update", version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// What all commands take.
#[derive(Args)]
pub struct Common {
    /// The device's disk: a block device, or the image of a virt device. By itself the disk that the root filesystem is on.
    #[arg(long, global = true, value_name = "FILE")]
    pub disk: Option<PathBuf>,
    /// Folder of the keys (keys.d) and of update.yaml.
    #[arg(long, global = true, value_name = "FOLDER", default_value = "/etc/carveout")]
    pub config: PathBuf,
    /// Folder of the journal.
    #[arg(long, global = true, value_name = "FOLDER", default_value = "/var/lib/carveout")]
    pub state: PathBuf,
    /// A folder in the place of `/`, for trials with a stand-in of a Jetson.
    #[arg(long, global = true, value_name = "FOLDER", default_value = "/", conflicts_with = "disk")]
    pub sysroot: PathBuf,
    /// Print results and errors as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Verify an update and write it to the boot slots that are not active. The next boot tries it.
    Install(InstallArgs),
    /// Run the checks of update.yaml, and let the running bundle stay if they pass. Without an update that is tried, nothing is done.
    Confirm,
    /// Give up the update that is tried, or go back to the bundle before. It takes effect with the next boot.
    Rollback,
    /// Tell which bundle runs, which one is tried, and which one could be gone back to.
    Status,
}

/// Options of `install`.
#[derive(Args)]
pub struct InstallArgs {
    /// An update archive (…-update.tar.zst), or a bundle, or the URL of one. Of a bundle the root filesystem is written, too.
    #[arg(required_unless_present = "releases", conflicts_with = "releases")]
    pub update: Option<PathBuf>,
    /// In place of a file: a folder of releases, or its URL, of which the newest one of the product is taken.
    #[arg(long, value_name = "FOLDER|URL", requires = "product")]
    pub releases: Option<PathBuf>,
    /// The product whose releases are meant.
    #[arg(long, value_name = "NAME", requires = "releases")]
    pub product: Option<String>,
    /// The channel of the releases.
    #[arg(long, value_name = "NAME", default_value = "stable", requires = "releases")]
    pub channel: String,
    /// Take it though nobody has signed it.
    #[arg(long)]
    pub unsigned: bool,
    /// Take it though its security version is lower than one that the device has had.
    #[arg(long)]
    pub allow_downgrade: bool,
    /// Take it though it has an EKB, which takes the place of the device's keys. Jetson alone.
    #[arg(long)]
    pub replace_ekb: bool,
    /// Install its client apps, too: dpkg does in the boot that tries the update, and installs what was there before if it does not stay.
    #[arg(long)]
    pub apps: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Install(args) => commands::install(args, &cli.common),
        Command::Confirm => commands::confirm(&cli.common),
        Command::Rollback => commands::rollback(&cli.common),
        Command::Status => commands::status(&cli.common),
    };
    match done {
        Ok(done) if cli.common.json => println!("{}", serde_json::json!({ "ok": true, "result": done.json })),
        Ok(done) => println!("{}", lines::shown(&done.text)),
        Err(error) => return fail(&error, cli.common.json),
    }
    ExitCode::SUCCESS
}

fn fail(error: &UpdateError, json: bool) -> ExitCode {
    if json {
        let told =
            serde_json::json!({ "code": error.code(), "message": error.to_string(), "help": error.help() });
        println!("{}", serde_json::json!({ "ok": false, "error": told }));
    } else {
        eprintln!("error: {}", lines::shown(&error.to_string()));
        eprintln!("help: {}", lines::shown(&error.help()));
    }
    ExitCode::from(error.exit())
}
