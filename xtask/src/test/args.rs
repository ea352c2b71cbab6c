//! Options of `test`.

use clap::Args;

/// Options of `test`.
#[derive(Clone, Debug, Args)]
pub struct TestArgs {
    /// Leave out whole builds and the layer.
    #[arg(long)]
    pub quick: bool,
    /// Also run what takes minutes: recipes by cargo-bitbake, an update in the booted guest, a pinned base of a root filesystem that is
    /// built again, a team's workspace in two places, the page in a browser, carveout as a release has it, and cargo-deny on licences and sources (the tests check the same rules without it).
    #[arg(long, conflicts_with = "quick")]
    pub full: bool,
}
