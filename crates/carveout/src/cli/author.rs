//! Options of what authors of apps call.

use super::build::BuildArgs;
use clap::Args;
use std::path::PathBuf;

/// Options of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Which product.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Which client app of the workspace. Without it, the first of the product config.
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Run no client app: the trusted apps wait for clients until Ctrl-C.
    #[arg(long, conflicts_with_all = ["client", "client_args"])]
    pub wait: bool,
    /// Run again each time a source is saved, until Ctrl-C.
    #[arg(long, conflicts_with = "wait")]
    pub watch: bool,
    /// Print what each trusted app used of its heap and stack, and what would be enough.
    #[arg(long)]
    pub profile: bool,
    /// Let gdb or lldb stop a trusted app: it waits for one before its first instruction. Without a name, the only one.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "",
        conflicts_with_all = ["profile", "watch"])]
    pub gdb: Option<String>,
    /// Arguments of the client app.
    #[arg(last = true, value_name = "CLIENT ARGS")]
    pub client_args: Vec<String>,
}

/// Options of `fuzz`.
#[derive(Clone, Debug, Args)]
pub struct FuzzArgs {
    /// The trusted app. Without it, the only one of the product.
    #[arg(value_name = "TA")]
    pub app: Option<String>,
    /// Which product.
    #[command(flatten)]
    pub build: BuildArgs,
    /// How long. Cases that were kept are played first, however long that takes.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub seconds: u64,
    /// End when so many different things are found.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub most: usize,
    /// What the cases are made from: another number makes others.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Where cases are read from and kept. [default: fuzz/TA in the workspace]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Play these cases again and make none; without a file, all of the folder. Of a single case a core file is kept.
    #[arg(long, value_name = "FILE", num_args = 0.., conflicts_with_all = ["seconds", "most", "seed"])]
    pub replay: Option<Vec<PathBuf>>,
}

/// Options of `new`.
#[derive(Clone, Debug, Args)]
pub struct NewArgs {
    /// The folder of the new workspace.
    #[arg(value_name = "DIR", required_unless_present_any = ["ta", "app"])]
    pub dir: Option<PathBuf>,
    /// Add a trusted app of this name to the workspace.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dir", "app"])]
    pub ta: Option<String>,
    /// Add a client app of this name to the workspace.
    #[arg(long, value_name = "NAME", conflicts_with = "dir")]
    pub app: Option<String>,
    /// The product's name, instead of the folder's.
    #[arg(long, value_name = "NAME", requires = "dir")]
    pub name: Option<String>,
    /// Where the workspace gets carveout from: the folder of a clone, or URL#TAG of a git repository. [default: the clone that the
    /// command runs in, else the tag of this version]
    #[arg(long, value_name = "DIR|URL#TAG", requires = "dir")]
    pub carveout: Option<String>,
}
