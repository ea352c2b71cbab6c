//! `run`: from an edit to an answer. It builds the trusted apps and a client app for this host, and nothing else, and runs the one against
//! the others.

use crate::errors::RunError;
use crate::make::{self, Request as Wanted};
use crate::stages::{bundle, plan, secure_os, trusted_apps};
use crate::workshop::Sources;
use carveout_desk::emulate::{self, Engine, Target};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::outcome::Outcome;
use carveout_host::tools::cargo;
use carveout_host::ui::Ui;
use carveout_host::{files, interrupt};
use carveout_product::{AppSource, Build};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// How often it is looked for a change.
const LOOK: Duration = Duration::from_millis(100);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which product.
    pub build: Wanted,
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
    /// Keep what the client app prints, for machines.
    pub keep_output: bool,
}

/// Builds and runs.
pub fn run(request: &Request, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    if !request.watch {
        return once(request, dirs, ui);
    }
    loop {
        let seen = sources(request, dirs, ui)?;
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
        while sources(request, dirs, ui).is_ok_and(|now| now == seen) {
            interrupt::check()?;
            thread::sleep(LOOK);
        }
    }
}

fn once(request: &Request, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let workshop = Sources { dirs, offline: request.build.offline, ui };
    let (target, client) = make::with_build(&request.build.without_rootfs(), ui, |build| {
        // Side by side: neither needs the other.
        thread::scope(|scope| {
            let client = scope.spawn(|| client(request, build, dirs, ui));
            let target = target(build);
            Ok((target?, make::join(client)?))
        })
    })?;
    let emulated = emulate::Request {
        target: String::new(),
        engine: Some(Engine::Unicorn),
        tzdram: None,
        listen: None,
        profile: request.profile,
        ipc_unittest: false,
        client: client.map(|path| path.display().to_string()),
        key: None,
        writes: Vec::new(),
        client_args: request.client_args.clone(),
        wait: request.wait,
        keep_output: request.keep_output,
    };
    emulate::on(&target, &emulated, &workshop, dirs, ui)
}

/// The trusted apps of a product, alone in an image.
fn target(build: &Build) -> Result<Target> {
    let (apps, symbols) = trusted_apps::with_symbols(build)?;
    let planned = plan::of(build, &apps, None, None)?;
    plan::check(build, &planned)?;
    let image = files::read(&secure_os::run(build, &apps)?.dir.join(secure_os::IMAGE))?;
    let (mut entries, mut lines) = (Vec::new(), BTreeMap::new());
    for built in trusted_apps::read(build.product, &apps.dir)? {
        let declaration = match &built.app.source {
            AppSource::Package(declaration) => Some(&**declaration),
            AppSource::Elf(_) => None,
        };
        let entry = bundle::entry(&built.app.name, &built.elf, declaration);
        let path = symbols.dir.join(trusted_apps::symbols_name(built.app));
        if path.exists() {
            lines.insert(entry.symbols(), files::read(&path)?);
        }
        entries.push(entry);
    }
    let memory = u64::try_from(planned.memory.free).ok();
    Ok(Target {
        image,
        apps: entries,
        debs: Vec::new(),
        device: false,
        tzdram: Some(build.product.tzdram_size),
        memory,
        kernel: None,
        symbols: lines,
    })
}

/// The client app, built for this host without optimisation.
fn client(request: &Request, build: &Build, dirs: &Dirs, ui: &Ui) -> Result<Option<PathBuf>> {
    if request.wait {
        return Ok(None);
    }
    let name = match request.client.as_ref().or(build.product.client_apps.first()) {
        Some(name) => name,
        None => return Err(RunError::NoClientApp { config: build.product.path.clone() }.into()),
    };
    build.workspace.package(name, "deb").map_err(|what| Error::from(RunError::UnknownClientApp { what }))?;
    let target_dir = build.cargo_dir("run");
    let log = dirs.logs()?.join(format!("{name}.log"));
    let _ = fs::remove_file(&log);
    cargo::build_for_host(&build.workspace.root, name, "dev", &target_dir, &log, ui)?;
    let program = target_dir.join("debug").join(name);
    program.metadata().at(&program)?;
    Ok(Some(program))
}

/// Size and time of each file that a product's apps are built from, of the product config, and of the workspace's manifests.
fn sources(request: &Request, dirs: &Dirs, ui: &Ui) -> Result<BTreeMap<PathBuf, (u64, SystemTime)>> {
    let mut found = BTreeMap::new();
    let root = dirs.root()?;
    let watched = make::with_build(&request.build.without_rootfs(), ui, |build| {
        let packages = build.product.trusted_apps.iter().map(|app| app.name.as_str());
        let clients = build.product.client_apps.iter().map(String::as_str);
        let known = packages.filter(|name| build.workspace.package(name, "trusty").is_ok());
        let folders = build.workspace.folders(known.chain(clients))?;
        Ok((folders, build.product.path.clone()))
    });
    let mut queue = match watched {
        Ok((folders, config)) => {
            look(&config, &mut found);
            folders.own.into_iter().chain(folders.outside.into_values()).collect()
        }
        // What cannot be read now is mended where it lies.
        Err(_) => vec![root.join("apps"), root.join("configs")],
    };
    for name in ["Cargo.toml", "Cargo.lock"] {
        look(&root.join(name), &mut found);
    }
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(&folder).at(&folder)?.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if name.to_string_lossy().starts_with('.') || name == "target" {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => queue.push(path),
                _ => look(&path, &mut found),
            }
        }
    }
    Ok(found)
}

fn look(path: &Path, found: &mut BTreeMap<PathBuf, (u64, SystemTime)>) {
    if let Ok(metadata) = fs::metadata(path)
        && let Ok(modified) = metadata.modified()
    {
        found.insert(path.into(), (metadata.len(), modified));
    }
}
