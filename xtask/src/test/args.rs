//! Options of `test`.

use clap::Args;

/// Options of `test`.
#[derive(Clone, Debug, Args)]
pub struct TestArgs {
    /// Leave out what takes minutes: whole builds, the page in a browser, and the layer.
    #[arg(long)]
    pub quick: bool,
    /// Also run cargo-deny on licences and sources (the tests check the same rules without it), and the tests of carveout as a release has
    /// it: both take minutes to compile.
    #[arg(long, conflicts_with = "quick")]
    pub full: bool,
}
