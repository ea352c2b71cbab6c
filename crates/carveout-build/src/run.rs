//! `run`: from an edit to an answer. It builds the trusted apps and a client app for this host, and nothing else, and runs the one against
//! the others.

use crate::apps::Apps;
use crate::emulated;
use crate::errors::RunError;
use crate::make::{self, BuildRequest};
use crate::stages::{plan, secure_os};
use crate::threads::join;
use crate::workshop::{Sources, client_for_host};
use carveout_desk::Workshop;
use carveout_desk::emulate::{self, Debugged, EmulateRequest, EmulationTarget, Engine};
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::files::DirEntry;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use carveout_host::{files, interrupt};
use carveout_product::{AppSource, Build};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

/// How often it is looked for a change.
const LOOK: Duration = Duration::from_millis(100);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// Which product.
    pub build: BuildRequest,
    /// Which client app of the workspace, instead of the product's first.
    pub client: Option<String>,
    /// Its arguments.
    pub client_args: Vec<String>,
    /// Run no client app: the trusted apps wait for clients until Ctrl-C.
    pub wait: bool,
    /// Run again at each change of a source, until Ctrl-C.
    pub watch: bool,
    /// Tell what each trusted app used of its heap and stack.
    pub profile: bool,
    /// The trusted app that a debugger comes to.
    pub gdb: Option<Debugged>,
    /// Keep what the client app prints, for machines.
    pub keep_output: bool,
}

/// Builds and runs.
pub fn run(request: &RunRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    if !request.watch {
        return once(request, dirs, ui);
    }
    loop {
        let watched = watched(request, dirs, ui)?;
        let seen = stamps(&watched);
        match once(request, dirs, ui) {
            Ok(outcome) => {
                if let Some(text) = &outcome.line {
                    ui.text(text);
                }
                ui.note("done; it runs again when a source changes, Ctrl-C ends it");
            }
            Err(error) => {
                interrupt::check()?;
                ui.tell(&error);
                ui.note("it runs again when a source changes, Ctrl-C ends it");
            }
        }
        while stamps(&watched) == seen {
            interrupt::check()?;
            thread::sleep(LOOK);
        }
    }
}

fn once(request: &RunRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let workshop = Sources::new(dirs, request.build.offline, ui);
    let (target, client) = make::with_build(&request.build.without_rootfs(), dirs, ui, |build| {
        // Side by side: none needs another.
        thread::scope(|scope| {
            let client = scope.spawn(|| client(request, build, dirs, ui));
            let emulator = scope.spawn(|| workshop.emulator());
            let (target, client, emulator) = (target(build), join(client), join(emulator));
            let ready = (target?, client?);
            // The workshop keeps it.
            emulator.map(|_| ready)
        })
    })?;
    let emulated = EmulateRequest {
        engine: Some(Engine::Unicorn),
        profile: request.profile,
        gdb: request.gdb.clone(),
        client: client.map(|path| path.display().to_string()),
        wait: request.wait,
        keep_output: request.keep_output,
        ..EmulateRequest::of(String::new(), request.client_args.clone())
    };
    emulate::on(&target, &emulated, &workshop, dirs, ui)
}

/// The trusted apps of a product, alone in an image.
pub fn target(build: &Build) -> Result<EmulationTarget> {
    let apps = Apps::build(build)?;
    let planned = plan::checked(build, &plan::request(build, &apps.built, None)?)?;
    emulated::target(build, &apps, &secure_os::run(build, &apps.files)?, &planned)
}

/// The client app, built for this host without optimisation.
fn client(request: &RunRequest, build: &Build, dirs: &Dirs, ui: &Ui) -> Result<Option<PathBuf>> {
    if request.wait {
        return Ok(None);
    }
    // A finished package holds no program for this host.
    let name = match request.client.as_deref().or(build.product.own_client_apps().next()) {
        Some(name) => name,
        None => return Err(RunError::NoClientApp { config: build.product.path.clone() }.into()),
    };
    build.workspace.package(name, "deb").map_err(|what| Error::from(RunError::UnknownClientApp { what }))?;
    client_for_host(&build.workspace.root, name, dirs, ui).map(Some)
}

/// Files and folders that shape what runs: the product config, the workspace's manifests, and what the apps are built from.
fn watched(request: &RunRequest, dirs: &Dirs, ui: &Ui) -> Result<Vec<PathBuf>> {
    let root = dirs.root()?;
    let mut found: Vec<PathBuf> = ["Cargo.toml", "Cargo.lock"].map(|name| root.join(name)).into();
    let known = make::with_build(&request.build.without_rootfs(), dirs, ui, |build| {
        let apps = build.product.trusted_apps.iter().map(|app| app.name.as_str());
        let apps = apps.filter(|name| build.workspace.package(name, "trusty").is_ok());
        let folders = build.workspace.folders(apps.chain(build.product.own_client_apps()))?;
        let folders = folders.own.into_iter().chain(folders.outside.into_values());
        let in_c = build.product.trusted_apps.iter().filter_map(|app| match &app.source {
            AppSource::C(folder) => Some(folder.clone()),
            _ => None,
        });
        let folders = folders.chain(in_c);
        Ok(folders.chain([build.product.path.clone()]).collect())
    });
    // What cannot be read now is mended where it lies.
    found.extend(known.unwrap_or_else(|_| vec![root.join("apps"), root.join("configs")]));
    Ok(found)
}

/// Size and time of each file. One that comes or goes while this looks is seen the next time.
fn stamps(watched: &[PathBuf]) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let is_source = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !name.starts_with('.') && name != "target"
    };
    let below = |path: &PathBuf| files::walk(path).min_depth(0).follow_links(true).into_iter();
    let entries = watched.iter().flat_map(|path| below(path).filter_entry(is_source)).flatten();
    let stamp = |entry: DirEntry| {
        let metadata = entry.metadata().ok().filter(|metadata| !metadata.is_dir())?;
        Some((entry.into_path(), (metadata.len(), metadata.modified().ok()?)))
    };
    entries.filter_map(stamp).collect()
}
