//! Trusted apps: built or taken as they are, patched, checked by the loader's rules.

use crate::errors::TrustedAppError;
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_host::loader::inspect;
use carveout_host::packages;
use carveout_host::toolchain::RustTarget;
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::CrossBuild;
use carveout_host::ui::{Ui, Verbosity};
use carveout_product::Build;
use carveout_product::workspace::tree_digest;
use carveout_product::{App, AppSource};
use carveout_vendor::c_app::{self, CApp};
use carveout_vendor::{sources, trusty};
use stage_cache::{Cache, EPOCH, Key, Output, Work};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use trusty_image::manifest;

/// What tells whether apps may be compiled together.
const SAME: &str = "same";

/// The trusted apps' directory, an ELF file each, and one with the files that name lines of those that were built here.
pub fn run(build: &Build) -> Result<(Output, Output)> {
    let apps = build.product.trusted_apps.iter();
    let in_c = apps.clone().any(|app| matches!(app.source, AppSource::C(_)));
    let nvidia = in_c.then(|| nvidia(build)).transpose()?;
    let nvidia = nvidia.as_ref();
    let keyed = apps.map(|app| Ok((app, format!("trusted app {}", app.name), key(build, app, nvidia)?)));
    let keyed = keyed.collect::<Result<Vec<_>>>()?;
    let changed = keyed.iter().filter(|(_, name, key)| !build.cache.has(name, key));
    let changed = changed.filter(|(app, ..)| matches!(app.source, AppSource::Package(_)));
    let compiled = compile(build, &changed.map(|(app, ..)| *app).collect::<Vec<_>>())?;
    let mut parts = Vec::new();
    for (app, name, key) in keyed {
        let output = build.cache.stage(&name, key, |work| {
            let elf = fetch(build, app, compiled.get(&app.name), nvidia, work)?;
            finish(app, &elf, &work.out.join(file_name(&app.name)))
                .map_err(|error| as_the_author_knows(app, error, &elf))?;
            keep_symbols(app, &elf, &work.out.join(symbols_name(&app.name)))
        })?;
        parts.push((app, output));
    }
    // A line that has moved changes the symbols, and perhaps no code: then all that is made of the apps stays as it is.
    Ok((collect(build, "trusted apps", &parts, file_name)?, collect(build, "symbols", &parts, symbols_name)?))
}

/// One directory of a file of each app, as far as there is one.
fn collect(build: &Build, stage: &str, parts: &[(&App, Output)], name: fn(&str) -> String) -> Result<Output> {
    let files = parts.iter().map(|(app, part)| (name(&app.name), part.dir.join(name(&app.name))));
    let files: Vec<_> = files.filter(|(_, from)| from.exists()).collect();
    let key = files
        .iter()
        .try_fold(Key::of(crate::code(file!())), |key, (name, from)| key.with_file(name, from))?;
    build.cache.stage(stage, key, |work| {
        files.iter().try_for_each(|(name, from)| {
            let to = work.out.join(name);
            fs::copy(from, &to).at(&to).map(|_| ())
        })
    })
}

/// Name of a TA's file.
pub fn file_name(name: &str) -> String {
    format!("{name}.elf")
}

/// Name of the file that names lines of a TA: the ELF file as it was linked.
pub fn symbols_name(name: &str) -> String {
    format!("{name}.debug")
}

/// NVIDIA's sources and compilers, for trusted apps in C.
fn nvidia(build: &Build) -> Result<Output> {
    packages::ensure(&trusty::NEEDS, build.offline, &build.dirs().logs()?.join("host.log"), build.ui)?;
    sources::run(build)
}

/// Of a trusted app in C the author knows the folder, and not what was linked of it.
fn as_the_author_knows(app: &App, error: Error, elf: &Path) -> Error {
    let AppSource::C(folder) = &app.source else { return error };
    let why = error.to_string().replace(&format!("{}: ", elf.display()), "");
    // How it is mended in Rust.
    let why =
        why.lines().filter(|line| !line.trim_start().starts_with("help: ")).collect::<Vec<_>>().join("\n");
    TrustedAppError::NoAppInC { folder: folder.clone(), why }.into()
}

/// Where sources of trusted apps in C lie, and what their debug information calls these places: NVIDIA's own is ".".
pub fn sources_in_c(build: &Build) -> Result<Vec<(PathBuf, String)>> {
    let in_c = build.product.trusted_apps.iter().filter_map(|app| match &app.source {
        AppSource::C(folder) => Some((folder.clone(), c_app::place(&app.name))),
        _ => None,
    });
    let mut places: Vec<_> = in_c.collect();
    if !places.is_empty() {
        places.push((nvidia(build)?.dir.join(sources::TRUSTY), ".".into()));
    }
    Ok(places)
}

fn key(build: &Build, app: &App, nvidia: Option<&Output>) -> Result<Key> {
    let sizes = format!("{:?} {:?}", app.min_heap, app.min_stack);
    let key = Key::of(crate::code(file!())).with("min_heap and min_stack", sizes);
    match &app.source {
        AppSource::Elf(path) => key.with_file("elf", path),
        AppSource::C(folder) => {
            let key = key.with_all(trusty::versions()?).with("soc", build.product.board.soc().word());
            let key = key.with("sources", nvidia.map_or("", |sources| &sources.content));
            Ok(key.with("folder", tree_digest(folder)?))
        }
        AppSource::Package(_) => {
            let key = key.with_all(build.toolchains.get(RustTarget::TrustedApp)?.versions()?);
            build.workspace.source_key(&app.name, key)
        }
    }
}

fn fetch(
    build: &Build,
    app: &App,
    compiled: Option<&PathBuf>,
    nvidia: Option<&Output>,
    work: &Work,
) -> Result<PathBuf> {
    match (&app.source, compiled) {
        (AppSource::C(folder), _) => {
            let sources = nvidia.map(|sources| sources.dir.join(sources::TRUSTY)).unwrap_or_default();
            let (name, soc) = (app.name.as_str(), build.product.board.soc());
            let to = work.out.join(symbols_name(name));
            CApp { sources: &sources, folder, name, soc, epoch: EPOCH }.run(&to, work.log)?;
            Ok(to)
        }
        (AppSource::Elf(path), _) | (_, Some(path)) => Ok(path.clone()),
        _ => cross_build(build, app, |cross| cross.run(work.log)),
    }
}

fn cross_build<T>(build: &Build, app: &App, run: impl FnOnce(&CrossBuild) -> Result<T>) -> Result<T> {
    run(&CrossBuild {
        root: &build.workspace.root,
        package: &app.name,
        profile: "ta",
        target_dir: &build.cargo_dir("ta"),
        toolchain: &build.toolchains.get(RustTarget::TrustedApp)?,
        offline: build.offline,
        ui: build.ui,
    })
}

/// Compiles several packages side by side, in one call of cargo: two calls would wait for each other. Programs by name; none where only
/// calls of their own give them their bytes.
fn compile(build: &Build, apps: &[&App]) -> Result<BTreeMap<String, PathBuf>> {
    let names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
    let [first, _, ..] = apps else { return Ok(BTreeMap::new()) };
    if !keep_their_bytes(build, &names)? {
        return Ok(BTreeMap::new());
    }
    let running = build.ui.start("cargo");
    running.building(&format!("compiling {}", names.join(", ")));
    let log = build.dirs().logs()?.join("trusted-apps-together.log");
    files::new_log(&log)?;
    match cross_build(build, first, |cross| cross.together(&names, &log)) {
        Ok(folder) => {
            running.done();
            Ok(names.iter().map(|name| ((*name).to_owned(), folder.join(name))).collect())
        }
        Err(error) => {
            running.fail();
            Err(error)
        }
    }
}

/// Whether packages come out of one call of cargo as out of a call for each. To know that takes as long as a small build: it is kept.
fn keep_their_bytes(build: &Build, packages: &[&str]) -> Result<bool> {
    let root = &build.workspace.root;
    let folders = build.workspace.folders(packages.iter().copied())?;
    let manifests = [root.join("Cargo.lock"), root.join("Cargo.toml")].into_iter();
    let manifests = manifests
        .chain(folders.own.iter().chain(folders.outside.values()).map(|folder| folder.join("Cargo.toml")));
    let key = Key::of(crate::code(file!())).with("packages", packages.join(" "));
    let mut key = key.with_all(build.toolchains.get(RustTarget::TrustedApp)?.versions()?);
    for path in manifests {
        key = build.workspace.file_key(key, &path)?;
    }
    // It is no part of a product: nothing is told of it.
    let ui = Ui::new(Verbosity::Quiet);
    let kept = Cache::new(&build.dirs().home(), &ui).stage("features", key, |work| {
        let same = cargo::share_features(root, packages, RustTarget::TrustedApp.triple(), build.offline)?;
        let path = work.out.join(SAME);
        fs::write(&path, same.to_string()).at(&path)
    })?;
    let path = kept.dir.join(SAME);
    Ok(fs::read_to_string(&path).at(&path)? == true.to_string())
}

/// Sets what the config overrides, takes debug information out of what was built here, and checks the result.
pub fn finish(app: &App, from: &Path, to: &Path) -> Result<()> {
    let mut elf = files::read(from)?;
    if app.is_built() {
        elf = trusty_image::strip_debug(&elf)
            .map_err(|e| TrustedAppError::NotStripped { path: from.into(), source: e.into() })?;
    }
    let range = inspect(from, &elf)?.manifest_range;
    let section = elf.get_mut(range).unwrap_or_default();
    let patched = app
        .min_heap
        .map_or(Ok(()), |heap| manifest::set_min_heap(section, heap))
        .and_then(|()| app.min_stack.map_or(Ok(()), |stack| manifest::set_min_stack(section, stack)));
    patched.map_err(|e| TrustedAppError::SizesNotSet { path: from.into(), source: e.into() })?;
    inspect(from, &elf)?;
    fs::write(to, &elf).at(to)
}

/// Keeps what was linked of a package. A finished TA's debug information, if it has any, is in its own file.
fn keep_symbols(app: &App, from: &Path, to: &Path) -> Result<()> {
    if !app.is_built() || from == to {
        return Ok(());
    }
    fs::copy(from, to).at(to).map(drop)
}
