//! The command line of developers: all verbs of carveout, and those of its developers.

mod bench;
mod packages;
pub mod reference;
mod test;

use carveout::cli::{BuildArgs, Verb};
use carveout::{Context, Verbs};
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use clap::Subcommand;
use test::TestArgs;

pub use test::FULL;

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Xtask {
    /// Those of carveout.
    #[command(flatten)]
    Carveout(Verb),
    /// Run all checks: format, lints, licences, unit tests, whole builds.
    Test(TestArgs),
    /// Write the reference pages of docs/reference: errors, commands, configs, manifest, documents of --json.
    Reference {
        /// Write nothing; fail if a page is stale.
        #[arg(long)]
        check: bool,
    },
    /// Build carveout as one static program, and the Debian packages of it and of its emulator, into target/packages.
    Packages {
        /// Use no network: fail if something is not there yet.
        #[arg(long)]
        offline: bool,
    },
    /// Measure what bulk transfers cost, through the emulator; fail if a promise does not hold.
    Bench(BuildArgs),
}

impl Verbs for Xtask {
    fn run(&self, context: &Context) -> Result<Outcome> {
        match self {
            Self::Carveout(verb) => verb.run(context),
            Self::Test(args) => test::run(args, &context.dirs, context.ui),
            Self::Reference { check } => reference::run(*check, &context.command, &context.dirs, context.ui),
            Self::Packages { offline } => packages::run(*offline, &context.dirs, context.ui),
            Self::Bench(args) => bench::run(&args.request(), &context.dirs, context.ui),
        }
    }
}
