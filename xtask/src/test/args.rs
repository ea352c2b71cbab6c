//! Options of `test`.

use clap::Args;

/// Options of `test`.
#[derive(Clone, Debug, Args)]
pub struct TestArgs {
    /// Leave out what takes minutes: whole builds, the page in a browser, and the layer.
    #[arg(long)]
    pub quick: bool,
    /// Also run cargo-deny on licences and sources: the tests check the same rules without it, which takes a minute to build.
    #[arg(long, conflicts_with = "quick")]
    pub full: bool,
}
