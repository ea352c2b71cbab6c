//! The command line: one definition for parsing, help and completions.

mod author;
mod build;
mod desk;
mod ekb;
mod field;
pub mod requests;

pub use author::{FuzzArgs, NewArgs, RunArgs};
pub use build::BuildArgs;
pub use desk::{DeviceKeysArgs, EmulateArgs, TestDeviceArgs};
pub use ekb::{EkbAction, EkbArgs};
pub use field::{
    BackupArgs, FlashArgs, KeyAction, KeyArgs, ManualArgs, ReleaseArgs, ReportArgs, RestoreArgs,
    RollbackArgs, StatusArgs,
};

use carveout_host::size::Size;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use trusty_image::limits::TZDRAM_GRANULE;

/// Build, verify and explain flashable bundles of trusted apps for Trusty on Jetson AGX Xavier.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 a check failed, 2 wrong usage or config, 3 the environment lacks something, 130 interrupted."
)]
pub struct Cli<V: Subcommand> {
    /// What to do.
    #[command(subcommand)]
    pub verb: V,
    /// How to tell about it.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of every verb.
#[derive(Clone, Copy, Debug, Args)]
pub struct OutputArgs {
    /// Print the result, and errors, as JSON on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// Show results and errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show reused stages and reasons, too.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Build a bundle: trusted apps, secure-os image, boot config, client apps, root filesystem; verify it.
    Image(ImageArgs),
    /// Make a workspace of your own that builds trusted apps with carveout, or add an app to the one that you are in.
    New(NewArgs),
    /// Build the trusted apps and a client app for this host, and run the one against the others: from an edit to an answer.
    Run(RunArgs),
    /// Send messages to the ports of a trusted app until it faults: guided by the ways that they take through its code.
    Fuzz(FuzzArgs),
    /// Show what a product takes of its memory, what would fail on the device, and what would serve as well.
    Plan(BuildArgs),
    /// Build the trusted apps; print their directory.
    TrustedApps(BuildArgs),
    /// Build the secure-os image; print its directory.
    SecureOs(BuildArgs),
    /// Build the client apps' packages; print their directory.
    ClientApps(BuildArgs),
    /// Build the root filesystem; print its directory.
    Rootfs(BuildArgs),
    /// Explain a file: bundles, BSP folders, secure-os images, trusted apps, signed files, boot configs, layouts, virt devices, keys and
    /// more; exit 1 if what it explains is incomplete.
    Inspect {
        /// The file, a bundle's or BSP's folder, or virt:FILE.
        path: PathBuf,
    },
    /// Check a bundle: checksums, modes, manifest, structure, loader rules, budgets, what its signed parts are made of; with a key, who
    /// made it.
    Verify {
        /// A bundle's folder or its .tar.zst.
        bundle: PathBuf,
        /// The public key of who must have signed it: minisign's .pub file, or the text in its second line.
        #[arg(long, value_name = "PUB")]
        key: Option<String>,
    },
    /// Build, sign and publish a release: bundle, notes, checksums, and the index of a channel.
    Release(ReleaseArgs),
    /// Make a key that signs releases, or write the public key of one.
    Key(KeyArgs),
    /// Make, check and use encrypted key blobs (EKB, partition eks): the keys that NVIDIA's hwkey-agent gives out.
    Ekb(EkbArgs),
    /// Tell what differs between two bundles, and the least that must be flashed for it.
    Diff {
        /// The bundle that a device has: its folder or its .tar.zst.
        old: PathBuf,
        /// The bundle that it shall get.
        new: PathBuf,
    },
    /// Write the page that explains a bundle: one HTML file with memory and partition maps, budgets, packages, findings, checksums.
    Report(ReportArgs),
    /// Write a bundle to virt devices, or to boards in recovery mode, and read back what they now have.
    Flash(FlashArgs),
    /// Go back to the bundle that a virt device had before.
    Rollback(RollbackArgs),
    /// Tell what a device has: a virt device, one that runs (by ssh), or a board in recovery mode. Nothing is written.
    Status(StatusArgs),
    /// Read a device's root filesystem into a file.
    Backup(BackupArgs),
    /// Write a file back as a device's root filesystem.
    Restore(RestoreArgs),
    /// Run the trusted apps of a bundle on this host, and a client app against them; with --linux, the whole device.
    Emulate(Box<EmulateArgs>),
    /// Build a product, boot it on this host, and run a command in it: a product's own test in one line.
    TestDevice(TestDeviceArgs),
    /// Write the BitBake recipes of the workspace's trusted apps and client apps, for layers/meta-carveout.
    Recipes(RecipesArgs),
    /// Write the BitBake build folder of a product, and work in it: dry run, shell, a single task.
    Yocto(YoctoArgs),
    /// Do a step of a BitBake recipe: check a trusted app, or write a bundle of parts that BitBake has built.
    Assemble(AssembleArgs),
    /// Tell what this host lacks, with the command that installs it.
    Doctor,
    /// Write man pages and shell completions, and a Debian package of both.
    Manual(ManualArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Which engine builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineArg {
    /// xtask runs the stages itself.
    Local,
    /// BitBake runs them, through layers/meta-carveout.
    Bitbake,
}

impl From<EngineArg> for carveout_yocto::engine::Engine {
    fn from(engine: EngineArg) -> Self {
        match engine {
            EngineArg::Local => Self::Local,
            EngineArg::Bitbake => Self::Bitbake,
        }
    }
}

/// Options of `image`.
#[derive(Clone, Debug, Args)]
pub struct ImageArgs {
    /// What and how to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// What builds: xtask itself, or BitBake (boards that have a MACHINE).
    #[arg(long, value_enum, default_value = "local")]
    pub engine: EngineArg,
    /// For BitBake: a folder with clones of OE-Core, BitBake, meta-tegra and meta-rust-bin.
    #[arg(long, value_name = "DIR")]
    pub layers: Option<PathBuf>,
    /// For BitBake without --layers: what kas clones. Default: configs/kas/BOARD.yml.
    #[arg(long, value_name = "FILE", conflicts_with = "layers")]
    pub kas: Option<PathBuf>,
    /// For BitBake, for checks alone, never for a product: this host's compilers, the BSP of --bsp and the sources of --sources.
    #[arg(long)]
    pub host_toolchain: bool,
    /// Leave a part out.
    #[arg(long, value_name = "PART", value_parser = ["rootfs"])]
    pub without: Vec<String>,
    /// Do not boot the secure-os image in QEMU before the bundle gets its name (boards with a kernel); the manifest says so.
    #[arg(long)]
    pub no_boot: bool,
    /// Boot Linux from the root filesystem before the bundle gets its name: the system must run, no unit fail, and the product's
    /// `self_test` pass.
    #[arg(long, conflicts_with = "without")]
    pub boot_linux: bool,
    /// Where to put the bundle.
    #[arg(short, long, value_name = "DIR", default_value = "target/bundles")]
    pub output_dir: PathBuf,
}

/// Options of `recipes`.
#[derive(Clone, Debug, Args)]
pub struct RecipesArgs {
    /// Write nothing; fail with the differences if a recipe is stale.
    #[arg(long)]
    pub check: bool,
}

/// Options of `yocto`.
#[derive(Clone, Debug, Args)]
pub struct YoctoArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// A folder with clones of OE-Core, BitBake, meta-tegra and meta-rust-bin.
    #[arg(long, value_name = "DIR")]
    pub layers: Option<PathBuf>,
    /// Without --layers: what kas clones. Default: configs/kas/BOARD.yml.
    #[arg(long, value_name = "FILE", conflicts_with = "layers")]
    pub kas: Option<PathBuf>,
    /// Leave a part out.
    #[arg(long, value_name = "PART", value_parser = ["rootfs"])]
    pub without: Vec<String>,
    /// Parse everything and go through all tasks without running them.
    #[arg(long)]
    pub dry_run: bool,
    /// A shell in the build folder, in which bitbake and its tools run.
    #[arg(long, conflicts_with_all = ["dry_run", "task"])]
    pub shell: bool,
    /// For checks alone, never for a product: run the layer's tasks with this host's compilers, on the BSP and the sources of --bsp
    /// and --sources.
    #[arg(long)]
    pub host_toolchain: bool,
    /// Serve what builds share (results, sources, hash equivalence, revisions) at this address of this host.
    #[arg(long, value_name = "HOST", conflicts_with_all = ["dry_run", "shell", "task", "target"])]
    pub serve: Option<String>,
    /// Run one task of a recipe, such as tegra-bootfiles install.
    #[arg(long, num_args = 2, value_names = ["RECIPE", "TASK"])]
    pub task: Vec<String>,
    /// Which recipe, instead of carveout-bundle.
    #[arg(value_name = "RECIPE", conflicts_with_all = ["shell", "task"])]
    pub target: Option<String>,
}

/// Options of `assemble`.
#[derive(Clone, Debug, Args)]
pub struct AssembleArgs {
    /// Which step.
    #[command(subcommand)]
    pub step: AssembleStep,
}

/// Steps of recipes.
#[derive(Clone, Debug, Subcommand)]
pub enum AssembleStep {
    /// Check a trusted app by the rules of the kernel's loader and against what its Cargo.toml declares.
    App(AssembleAppArgs),
    /// Set the carve-out in those of these misc boot configs that have one.
    BootConfig(AssembleBootConfigArgs),
    /// Write a bundle, as folder and .tar.zst, and verify it.
    Bundle(AssembleBundleArgs),
}

/// Options of `assemble boot-config`.
#[derive(Clone, Debug, Args)]
pub struct AssembleBootConfigArgs {
    /// The files, which are changed.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Size of the carve-out, e.g. 32MiB.
    #[arg(long, value_name = "SIZE")]
    pub size: String,
    /// Its alignment.
    #[arg(long, value_name = "SIZE", default_value_t = Size(TZDRAM_GRANULE).to_string())]
    pub alignment: String,
}

/// Options of `assemble app`.
#[derive(Clone, Debug, Args)]
pub struct AssembleAppArgs {
    /// Its ELF file.
    pub elf: PathBuf,
    /// Its Cargo.toml.
    #[arg(long, value_name = "FILE")]
    pub declared: PathBuf,
    /// Heap instead of the declared one, e.g. 128KiB.
    #[arg(long, value_name = "SIZE")]
    pub min_heap: Option<Size>,
    /// Stack instead of the declared one.
    #[arg(long, value_name = "SIZE")]
    pub min_stack: Option<Size>,
    /// Where to write it, with heap and stack set.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `assemble bundle`.
#[derive(Clone, Debug, Args)]
pub struct AssembleBundleArgs {
    /// A JSON file that names the parts: docs/yocto.md.
    pub parts: PathBuf,
    /// Where to put the bundle.
    #[arg(short, long, value_name = "DIR")]
    pub output_dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;

    /// A command and all below it.
    fn all(command: &Command) -> Vec<Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command.clone()).chain(below).collect()
    }

    #[test]
    fn no_line_of_a_help_is_wider_than_the_terminal() {
        let mut cli = crate::command::<Verb>("cargo xtask");
        cli.build();
        for width in [80, 100] {
            for command in all(&cli) {
                let mut command = command.term_width(width);
                for help in [command.render_help(), command.render_long_help()] {
                    let help = help.to_string();
                    for line in help.lines() {
                        assert!(line.chars().count() <= width, "{}: {line}", command.get_name());
                    }
                }
            }
        }
    }

    /// A paragraph that was broken by hand is broken again by clap, in other places.
    #[test]
    fn paragraphs_behind_a_help_are_lines_that_clap_breaks() {
        let mut cli = crate::command::<Verb>("cargo xtask");
        cli.build();
        for command in all(&cli) {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2) {
                let words = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
                assert!(!(words(pair[0]) && words(pair[1])), "{}: {pair:?}", command.get_name());
            }
        }
    }
}
