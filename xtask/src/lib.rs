//! The command line of carveout, as a library so that tests reach everything.

pub mod boot_check;
pub mod cli;
pub mod config;
pub mod desk;
pub mod device;
pub mod dirs;
pub mod error;
pub mod files;
pub mod host;
pub mod interrupt;
pub mod loader;
pub mod outcome;
pub mod process;
pub mod release;
pub mod report;
pub mod secret;
pub mod signing;
pub mod size;
pub mod sparse;
pub mod stage;
pub mod stages;
pub mod text;
pub mod toolchain;
pub mod tools;
pub mod tree;
pub mod ui;
mod usage;
pub mod vendor;
pub mod verbs;
pub mod workshop;
pub mod workspace;
pub mod yocto;

use clap::Parser;
use cli::{AssembleStep, Cli, Verb, requests};
use dirs::Dirs;
use error::{Error, Result};
use outcome::Outcome;
use std::process::ExitCode;
use ui::{Ui, Verbosity};
use verbs::build::Part;
use verbs::{
    assemble, bench, diff, doctor, emulate, flash, image, inspect, key, manual, plan, recipes,
    release as release_verb, report as report_verb, test, verify, yocto as yocto_verb,
};
use workshop::Sources;
use yocto_verb::Engine;

/// Runs the command line.
pub fn main() -> ExitCode {
    // Modes of files are the same for every caller: they are part of what is built.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if let Some(code) = usage::key_in_arguments() {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::refused(&error),
    };
    let verbosity = match cli.output {
        cli::OutputArgs { quiet: true, .. } => Verbosity::Quiet,
        cli::OutputArgs { verbose: true, .. } => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let ui = Ui::new(verbosity);
    interrupt::catch();
    match run(&cli, &ui) {
        Ok(outcome) => {
            let printed = match &outcome.line {
                _ if cli.output.json => ui::print_json(&outcome.json),
                Some(text) => ui::print(text.as_str()),
                None => ExitCode::SUCCESS,
            };
            match printed {
                code if outcome.failed && code == ExitCode::SUCCESS => {
                    ExitCode::from(error::Exit::Check as u8)
                }
                code => code,
            }
        }
        // What fails because its programs were ended is no failure of its own.
        Err(_) if interrupt::is_set() => fail(&Error::interrupted(), cli.output.json),
        Err(error) if cli.output.json => fail(&error, true),
        Err(error) => fail(&ui.untold(&error), false),
    }
}

fn run(cli: &Cli, ui: &Ui) -> Result<Outcome> {
    let dirs = Dirs::find();
    match &cli.verb {
        Verb::Image(args) => image::run(args, ui),
        Verb::TrustedApps(args) => image::part(Part::TrustedApps, &args.request(), ui),
        Verb::SecureOs(args) => image::part(Part::SecureOs, &args.request(), ui),
        Verb::ClientApps(args) => image::part(Part::ClientApps, &args.request(), ui),
        Verb::Rootfs(args) => image::part(Part::Rootfs, &args.request(), ui),
        Verb::Plan(args) => plan::run(&args.request(), ui),
        Verb::Inspect { path } => inspect::run(path),
        Verb::Verify { bundle, key } => verify::run(bundle, requests::key(key.as_deref())?.as_ref(), ui),
        Verb::Release(args) => release_verb::run(&args.request(), ui),
        Verb::Key(args) => key::run(args, ui),
        Verb::Diff { old, new } => diff::run(old, new, ui),
        Verb::Report(args) => report_verb::run(args, ui),
        Verb::Flash(args) => flash::run(&args.request()?, &dirs, ui),
        Verb::Rollback(args) => flash::rollback(&args.device, args.allow_downgrade, &dirs, ui),
        Verb::Backup(args) => flash::backup(&args.request(), &dirs, ui),
        Verb::Restore(args) => flash::restore(&args.request(), &dirs, ui),
        Verb::Emulate(args) => {
            let workshop = Sources { dirs: &dirs, offline: false, ui };
            emulate::run(&args.request(cli.output.json)?, &workshop, &dirs, ui)
        }
        Verb::Recipes(args) => recipes::run(args.check, ui),
        Verb::Yocto(args) => {
            let request = args.request();
            yocto_verb::suits(Engine::Bitbake, &request.build, &request.layers)?;
            yocto_verb::run(&request, ui)
        }
        Verb::Assemble(args) => match &args.step {
            AssembleStep::App(args) => assemble::app(&args.request(), ui),
            AssembleStep::Bundle(args) => assemble::assemble(&args.parts, &args.output_dir, ui),
        },
        Verb::Doctor => doctor::run(ui),
        Verb::Test(args) => test::run(args, ui),
        Verb::Bench(args) => bench::run(&args.request(), ui),
        Verb::Manual(args) => manual::run(args, ui),
        Verb::Completions { shell } => Ok(manual::completions(*shell)),
    }
}

fn fail(error: &Error, json: bool) -> ExitCode {
    if json {
        ui::print_json(&error.json());
    } else {
        ui::fail(error);
    }
    ExitCode::from(error.exit as u8)
}
