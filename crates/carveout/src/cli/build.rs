//! Options of all verbs that build.

use carveout_host::size::Size;
use clap::Args;
use std::path::PathBuf;

/// Options of what builds.
#[derive(Clone, Debug, Args)]
pub struct BuildArgs {
    /// Product config.
    #[arg(short, long, value_name = "FILE", default_value = carveout_build::make::DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Size of the TZDRAM carve-out instead of the config's, e.g. 64MiB.
    #[arg(long, value_name = "SIZE")]
    pub tzdram: Option<Size>,
    /// Board instead of the config's.
    #[arg(long, value_name = "BOARD")]
    pub board: Option<String>,
    /// NVIDIA's L4T BSP, an unpacked Linux_for_Tegra or a tarball, instead of the pinned download.
    #[arg(long, value_name = "PATH")]
    pub bsp: Option<PathBuf>,
    /// NVIDIA's L4T public sources, unpacked or a tarball, instead of the pinned download.
    #[arg(long, value_name = "PATH")]
    pub sources: Option<PathBuf>,
    /// Accept NVIDIA's licence, which is shown else; once for each user.
    #[arg(long)]
    pub accept_license: bool,
    /// Use no network: fail if something is not there yet.
    #[arg(long)]
    pub offline: bool,
}
