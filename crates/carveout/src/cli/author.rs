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
