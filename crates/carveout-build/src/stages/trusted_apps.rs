//! Trusted apps: built or taken as they are, patched, checked by the loader's rules.

use crate::errors::TrustedAppError;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::interrupt;
use carveout_host::loader::inspect;
use carveout_host::toolchain::Target;
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::CrossBuild;
use carveout_host::ui::{Ui, Verbosity};
use carveout_product::Build;
use carveout_product::{App, AppSource};
use stage_cache::{Key, Output, Work};
use std::fs;
use std::path::{Path, PathBuf};
use trusty_image::manifest;

/// The trusted apps' directory, an ELF file each, and one with the files that name lines of those that were built here.
pub fn run(build: &Build) -> Result<(Output, Output)> {
    let apps = build.product.trusted_apps.iter();
    let keyed = apps.map(|app| Ok((app, format!("trusted app {}", app.name), key(build, app)?)));
    let keyed = keyed.collect::<Result<Vec<_>>>()?;
    let changed = keyed.iter().filter(|(_, name, key)| !build.cache.has(name, key));
    let changed = changed.filter(|(app, ..)| matches!(app.source, AppSource::Package(_)));
    // What fails here is told by the app's own stage, which then compiles nothing that is compiled.
    let _ = compile(build, &changed.map(|(app, ..)| *app).collect::<Vec<_>>());
    interrupt::check()?;
    let mut parts = Vec::new();
    for (app, name, key) in keyed {
        let output = build.cache.stage(&name, key, |work| {
            let elf = fetch(build, app, work)?;
            finish(app, &elf, &work.out.join(file_name(&app.name)))?;
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

fn key(build: &Build, app: &App) -> Result<Key> {
    let sizes = format!("{:?} {:?}", app.min_heap, app.min_stack);
    let key = Key::of(crate::code(file!())).with("min_heap and min_stack", sizes);
    match &app.source {
        AppSource::Elf(path) => key.with_file("elf", path),
        AppSource::Package(_) => {
            let versions = build.toolchains.get(Target::TrustedApp)?.versions()?;
            let key = versions.into_iter().fold(key, |key, (tool, version)| key.with(tool, version));
            build.workspace.source_key(&app.name, key)
        }
    }
}

fn fetch(build: &Build, app: &App, work: &Work) -> Result<PathBuf> {
    match &app.source {
        AppSource::Elf(path) => Ok(path.clone()),
        AppSource::Package(_) => cross_build(build, app, build.ui, |cross| cross.run(work.log)),
    }
}

fn cross_build<T>(
    build: &Build,
    app: &App,
    ui: &Ui,
    run: impl FnOnce(&CrossBuild) -> Result<T>,
) -> Result<T> {
    run(&CrossBuild {
        root: &build.workspace.root,
        package: &app.name,
        profile: "ta",
        target_dir: &build.cargo_dir("ta"),
        toolchain: &build.toolchains.get(Target::TrustedApp)?,
        offline: build.offline,
        ui,
    })
}

/// Compiles several packages side by side, in one call of cargo: it is one call at a time that may use cargo's folder. Only if each comes
/// out of it as out of a call of its own.
fn compile(build: &Build, apps: &[&App]) -> Result<()> {
    let names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
    let ([first, _, ..], root) = (apps, &build.workspace.root) else { return Ok(()) };
    if !cargo::share_features(root, &names, Target::TrustedApp.triple(), build.offline)? {
        return Ok(());
    }
    let running = build.ui.start("cargo");
    running.building(&format!("compiling {}", names.join(", ")));
    let log = build.dirs().logs()?.join("trusted-apps-together.log");
    files::new_log(&log)?;
    // Warnings are shown by the app's own stage.
    let quiet = Ui::new(Verbosity::Quiet);
    let compiled = cross_build(build, first, &quiet, |cross| cross.together(&names, &log));
    match &compiled {
        Ok(_) => running.done(),
        Err(_) => running.fail(),
    }
    compiled.map(drop)
}

/// Sets what the config overrides, takes debug information out of what was built here, and checks the result.
pub fn finish(app: &App, from: &Path, to: &Path) -> Result<()> {
    let mut elf = files::read(from)?;
    if let AppSource::Package(_) = app.source {
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
    match app.source {
        AppSource::Package(_) => fs::copy(from, to).at(to).map(drop),
        AppSource::Elf(_) => Ok(()),
    }
}
