//! `fuzz`: builds the trusted apps of a product, and sends messages to the ports of one until it faults, ends, or does not wait any more.

use crate::errors::FuzzError;
use crate::make::{self, BuildRequest};
use crate::results::{Fuzzed, Replayed};
use crate::run;
use crate::workshop::Sources;
use carveout_desk::Workshop;
use carveout_desk::emulate::EmulationTarget;
use carveout_desk::emulate::debug::Debugging;
use carveout_desk::emulator::{Launched, launch, said};
use carveout_desk::errors::EmulateError;
use carveout_desk::symbols::{NotOne, the_one};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::outcome::Outcome;
use carveout_host::process;
use carveout_host::text::Text;
use carveout_host::tools::scratch;
use carveout_host::ui::Ui;
use carveout_host::{files, interrupt, packages};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct FuzzRequest {
    /// The trusted app; without it, the only one.
    pub app: Option<String>,
    /// Where cases are; without it, `fuzz/NAME` in the workspace.
    pub dir: Option<PathBuf>,
    /// How long, in seconds.
    pub seconds: u64,
    /// It ends when so many different things are found.
    pub most: usize,
    /// What the cases are made from.
    pub seed: u64,
    /// Play these cases and make none; those of the folder, if none is named.
    pub replay: Option<Vec<PathBuf>>,
}

/// Builds them, and tries or plays cases again.
pub fn run(build: &BuildRequest, request: &FuzzRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let workshop = Sources::new(dirs, build.offline, ui);
    let target = make::with_build(&build.without_rootfs(), dirs, ui, run::target)?;
    on(&target, request, &workshop, dirs, ui)
}

fn on(
    target: &EmulationTarget,
    request: &FuzzRequest,
    workshop: &dyn Workshop,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<Outcome> {
    packages::ensure(&workshop.emulator_needs(), false, &dirs.logs()?.join("host.log"), ui)?;
    let scratch = scratch("fuzz")?;
    let debugging = Debugging::new(target, workshop, dirs, scratch.path());
    let app = the_one(&debugging.apps, request.app.as_deref()).map_err(|error| match error {
        NotOne::Unnamed(known) => FuzzError::WhichApp { known },
        NotOne::Unknown(name, known) => FuzzError::UnknownApp { name, known },
    })?;
    let dir = match &request.dir {
        Some(dir) => dir.clone(),
        None => dirs.root()?.join("fuzz").join(&app.name),
    };
    let mut options = vec![format!("--fuzz={}", app.uuid), format!("--cases={}", dir.display())];
    if let Some(named) = &request.replay {
        if named.is_empty() && !dir.is_dir() {
            return Err(FuzzError::NoCases { dir }.into());
        }
        let all = named.is_empty().then_some(&dir);
        options.extend(named.iter().chain(all).map(|case| format!("--replay={}", case.display())));
        options.extend(debugging.options());
    } else {
        let number = |name: &str, number: u64| format!("--{name}={number}");
        options.extend([number("seconds", request.seconds), number("seed", request.seed)]);
        options.push(number("most", request.most as u64));
    }
    let text = emulator(target, &options, &debugging, workshop, ui)?;
    let bad = |error: serde_json::Error| Error::from(FuzzError::BadResult { source: error.into() });
    if request.replay.is_some() {
        let replayed: Replayed = serde_json::from_str(&text).map_err(bad)?;
        if replayed.played.is_empty() {
            return Err(FuzzError::NoCases { dir }.into());
        }
        let core = debugging.keep_core()?;
        return Ok(replayed.outcome(core));
    }
    let fuzzed: Fuzzed = serde_json::from_str(&text).map_err(bad)?;
    Ok(fuzzed.outcome(&app.name))
}

/// Runs the emulator to its end: what it tells.
fn emulator(
    target: &EmulationTarget,
    options: &[String],
    debugging: &Debugging,
    workshop: &dyn Workshop,
    ui: &Ui,
) -> Result<String> {
    let dir = &debugging.dir;
    let image = dir.join("tos.img");
    files::put(&image, &target.image)?;
    let mut all = target.options(dir)?;
    all.extend(target.memory.map(|memory| format!("--kernel-memory={memory}")));
    all.extend_from_slice(options);
    // What was found so far is told, too.
    interrupt::instead(|| process::signal_all(Signal::TERM));
    let launched = launch(&workshop.emulator()?, &image, &all, dir, ui.is_quiet())?;
    let Launched { mut running, stats, lines } = launched;
    let status = running.wait().map_err(|source| EmulateError::EmulatorStatusUnknown { source })?;
    if status.success() {
        return fs::read_to_string(&stats).at(&stats);
    }
    Err(FuzzError::Refused { why: said(lines.as_deref()) }.into())
}

impl Fuzzed {
    fn outcome(&self, app: &str) -> Outcome {
        let Self { cases, seconds, ways, corpus, found, mended } = self;
        let mut lines = Vec::new();
        for found in found {
            // The rest is told when the case is played again.
            let told = |line: &&str| !line.starts_with(' ') || line.trim_start().starts_with("place ");
            lines.extend(found.report.lines().filter(told).map(str::to_owned));
            lines.push(format!("  case: {}", found.file.display()));
        }
        if !found.is_empty() {
            lines.push(
                "the same command with --replay FILE tells all of one, and keeps a core file for gdb".into(),
            );
        }
        if !mended.is_empty() {
            lines.push(format!("{} cases that found something once do not any more", mended.len()));
        }
        lines.push(format!(
            "{app}: {cases} cases in {seconds:.0} s, {ways} ways through its code, {corpus} cases kept, {} found",
            found.len()
        ));
        outcome(&lines, !found.is_empty(), json!(self))
    }
}

impl Replayed {
    fn outcome(&self, core: Option<String>) -> Outcome {
        let mut lines = Vec::new();
        let failed = self.played.iter().filter_map(|played| Some((&played.file, played.report.as_ref()?)));
        for (file, report) in failed.clone() {
            lines.extend(report.lines().map(str::to_owned));
            lines.push(format!("  case: {}", file.display()));
        }
        lines.extend(core.iter().flat_map(|core| core.lines()).map(str::to_owned));
        lines.push(match failed.count() {
            0 => format!("{} cases played, and it serves on after each", self.played.len()),
            count => format!("{} cases played, {count} end badly", self.played.len()),
        });
        let failed = self.played.iter().any(|played| played.report.is_some());
        outcome(&lines, failed, json!(self))
    }
}

fn outcome(lines: &[String], failed: bool, json: Value) -> Outcome {
    Outcome { line: Some(Text::lines(lines)), failed, json, ..Outcome::default() }
}
