//! The command line of carveout, as a library: xtask adds the verbs of its developers.

mod bsp_report;
pub mod cli;
pub mod errors;
pub mod results;
mod usage;
pub mod verbs;

use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Exit, Result};
use carveout_host::interrupt;
use carveout_host::outcome::{Outcome, document};
use carveout_host::ui::{self, Ui, Verbosity};
use clap::{Command, CommandFactory, FromArgMatches, Subcommand};
use cli::{Cli, OutputArgs};
use std::process::ExitCode;

/// What a verb works with.
pub struct Context<'a> {
    /// Where things lie.
    pub dirs: Dirs,
    /// Progress.
    pub ui: &'a Ui,
    /// Whether the result is for machines.
    pub json: bool,
    /// The whole command line's definition.
    pub command: Command,
}

/// Verbs of a command line.
pub trait Verbs: Subcommand {
    /// Does what a verb says.
    ///
    /// # Errors
    /// What was asked for could not be done.
    fn run(&self, context: &Context) -> Result<Outcome>;
}

/// A command line with these verbs, under its name.
pub fn command<V: Verbs>(name: &'static str) -> Command {
    let command = Cli::<V>::command().name(name).bin_name(name);
    let target = "[OPTIONS] <BUNDLE|IMAGE|virt:FILE>";
    let usage = format!("{name} emulate {target}\n       {name} emulate {target} -- <ARGS>...");
    command.mut_subcommands(|verb| {
        let verb = if verb.get_name() == "emulate" { verb.override_usage(usage.clone()) } else { verb };
        // Examples name the command as it is called here.
        match verb.get_after_help().map(ToString::to_string) {
            Some(text) => verb.after_help(ui::spoken(text)),
            None => verb,
        }
    })
}

/// Reads the arguments and does what they say.
pub fn main<V: Verbs>(name: &'static str) -> ExitCode {
    if let Some(code) = carveout_keys::token::helper() {
        return code;
    }
    // Modes of files are the same for every caller: they are part of what is built.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if let Some(code) = usage::key_in_arguments() {
        return code;
    }
    ui::called(name);
    let command = command::<V>(name);
    let parsed = command.clone().try_get_matches().and_then(|matches| Cli::<V>::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage::refused(&error, command),
    };
    let verbosity = match cli.output {
        OutputArgs { quiet: true, .. } => Verbosity::Quiet,
        OutputArgs { verbose: true, .. } => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let ui = Ui::new(verbosity);
    interrupt::catch();
    let json = cli.output.json;
    match cli.verb.run(&Context { dirs: Dirs::find(), ui: &ui, json, command }) {
        Ok(outcome) => {
            let printed = match &outcome.line {
                _ if json => ui::print_json(&document(Ok(&outcome))),
                Some(text) => ui::print(text.as_str()),
                None => ExitCode::SUCCESS,
            };
            if printed != ExitCode::SUCCESS {
                return printed;
            }
            let failed = if outcome.failed { Exit::Check as u8 } else { 0 };
            ExitCode::from(outcome.exit_code.unwrap_or(failed))
        }
        // What fails because its programs were ended is no failure of its own.
        Err(_) if interrupt::is_set() => fail(&Error::interrupted(), json),
        Err(error) if json => fail(&error, true),
        Err(error) => fail(&ui.untold(&error), false),
    }
}

fn fail(error: &Error, json: bool) -> ExitCode {
    if json {
        ui::print_json(&document(Err(error)));
    } else {
        ui::fail(error);
    }
    ExitCode::from(error.exit as u8)
}
