//! `yocto`, and `image --engine bitbake`: BitBake in the build folder of a product.

use crate as yocto;
use crate::bitbake::Summary;
use crate::errors::YoctoError;
use crate::results::BuildFolder;
use crate::{BUNDLE, From, Setup, serve};
use carveout_build::make;
use carveout_build::stages::bundle::publish;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::tools::{cargo, read_limited};
use carveout_host::ui::Ui;
use carveout_product::Build;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Largest manifest that is read.
const MAX_MANIFEST: u64 = 16 << 20;
/// So many tasks are told by name.
const FEW: usize = 40;

/// Where BitBake's layers come from.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// A folder with clones of OE-Core, BitBake, meta-tegra and meta-rust-bin.
    pub folder: Option<PathBuf>,
    /// Without a folder: what kas clones, instead of the board's file.
    pub kas: Option<PathBuf>,
    /// For checks alone: this host's compilers, and the BSP and sources that are given.
    pub host_toolchain: bool,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to build.
    pub build: make::BuildRequest,
    /// With which layers.
    pub layers: Layers,
    /// Run no task.
    pub dry_run: bool,
    /// A shell in the build folder.
    pub shell: bool,
    /// Serve what builds share at this address.
    pub serve: Option<String>,
    /// A recipe and its task.
    pub task: Vec<String>,
    /// Which recipe, instead of the bundle's.
    pub target: Option<String>,
}

/// Writes the build folder, and does in it what is asked for.
pub fn run(args: &Request, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    make::with_build(&args.build, dirs, ui, |build| {
        let log = log(build)?;
        let setup = setup(build, &args.layers, &log)?;
        let bitbake = setup.bitbake();
        if args.shell {
            bitbake.shell()?;
            return Ok(Outcome::default());
        }
        if let Some(host) = &args.serve {
            serve::run(&setup, &build.dirs().home().join("yocto"), host, ui)?;
            return Ok(Outcome::default());
        }
        let target = args.target.as_deref().unwrap_or(BUNDLE);
        let summary = match (&args.task[..], args.dry_run) {
            ([recipe, task], false) => bitbake.run(recipe, &["-c", task, recipe], &log, ui)?,
            ([recipe, task], true) => bitbake.run(recipe, &["-n", "-c", task, recipe], &log, ui)?,
            (_, true) => bitbake.run("dry run", &["-n", target], &log, ui)?,
            (_, false) if args.target.is_some() => bitbake.run(target, &[target], &log, ui)?,
            _ => {
                let line = setup.build.display().to_string();
                return Ok(Outcome {
                    json: json!(BuildFolder { folder: line.clone() }),
                    line: Some(line.into()),
                    ..Outcome::default()
                });
            }
        };
        tell(&summary, ui);
        let line = format!("{} tasks, 0 errors, {} warnings", summary.attempted, summary.warnings.len());
        Ok(Outcome { line: Some(line.into()), json: json!(summary), ..Outcome::default() })
    })
}

/// Builds a bundle by BitBake, verifies it and puts it where the local engine would.
pub fn image(
    request: &make::BuildRequest,
    layers: &Layers,
    out: &Path,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<PathBuf> {
    make::with_build(request, dirs, ui, |build| {
        let product = build.product;
        let log = log(build)?;
        let setup = setup(build, layers, &log)?;
        let summary = setup.bitbake().run("bitbake", &[BUNDLE], &log, ui)?;
        tell(&summary, ui);
        let name = bundle::bundle_name(&product.name, &product.version, &product.board.name, product.tzdram);
        let made = setup.bundles().join(&name);
        if !made.is_dir() {
            return Err(YoctoError::NoBundle { path: made }.into());
        }
        let out = publish::folder(&make::from_here(out, dirs)?)?;
        let _out = carveout_host::files::lock_folder(&out, ui)?;
        let running = ui.start("bundle");
        let folder = out.join(&name);
        publish::publish(&folder, Some(&dirs.home()), |new| copy(&made, new))?;
        running.done();
        Ok(folder)
    })
}

/// Copies a bundle that BitBake has made, and reads its manifest; it is verified afterwards.
fn copy(made: &Path, new: &Path) -> Result<bundle::Manifest> {
    carveout_vendor::copy::tree(made, new, &|_| true)?;
    let path = new.join(bundle::MANIFEST);
    let text = String::from_utf8_lossy(&read_limited(&path, MAX_MANIFEST)?).into_owned();
    bundle::Manifest::from_text(&text)
        .map_err(|source| YoctoError::BadManifest { path, source: source.into() }.into())
}

fn log(build: &Build) -> Result<PathBuf> {
    let log = build.dirs().logs()?.join("bitbake.log");
    carveout_host::files::new_log(&log)?;
    Ok(log)
}

/// The build folder, with layers that are there or that kas clones.
fn setup(build: &Build, layers: &Layers, log: &Path) -> Result<Setup> {
    let root = &build.workspace.root;
    let carveout = cargo::carveout(root)?;
    // The board's, or that of one that it extends; a workspace's own, or carveout's.
    let boards = build.product.board.paths().filter_map(|path| path.file_stem());
    let files = boards.map(|name| Path::new("configs/kas").join(name).with_extension("yml"));
    let mut files = files.flat_map(|file| [root.join(&file), carveout.join(&file)]);
    let none = carveout.join("configs/kas").join(&build.product.board.name).with_extension("yml");
    let default = files.find(|file| file.is_file()).unwrap_or(none);
    let from =
        layers.folder.as_deref().map_or(From::Kas(layers.kas.as_deref().unwrap_or(&default)), From::Folder);
    yocto::setup(build, from, layers.host_toolchain, log)
}

fn tell(summary: &Summary, ui: &Ui) {
    summary.warnings.iter().for_each(|warning| ui.note(&format!("warning: {warning}")));
    ui.note(&format!(
        "{} tasks: {} were run, {} taken from shared state",
        summary.attempted,
        summary.ran.len(),
        summary.restored.len()
    ));
    if !summary.ran.is_empty() && summary.ran.len() <= FEW {
        ui.note(&format!("run: {}", summary.ran.join(" ")));
    }
}

/// Which engine builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// xtask runs the stages itself.
    Local,
    /// BitBake runs them, through layers/meta-carveout.
    Bitbake,
}

/// Refuses options that belong to the other engine. `host`: the layer takes BSP and sources from here.
pub fn suits(engine: Engine, request: &make::BuildRequest, layers: &Layers) -> Result<()> {
    match engine {
        Engine::Local if layers.folder.is_some() || layers.kas.is_some() || layers.host_toolchain => {
            Err(YoctoError::BitBakeOptions.into())
        }
        Engine::Bitbake
            if !layers.host_toolchain
                && (request.overrides.bsp.is_some() || request.overrides.sources.is_some()) =>
        {
            Err(YoctoError::LocalOptions.into())
        }
        _ => Ok(()),
    }
}
