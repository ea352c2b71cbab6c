//! `assemble`: what the BitBake recipes let the local engine's own code do, with parts that BitBake has built.

mod bundle;
mod parts;

use crate::apps::Built;
use crate::errors::{AssembleError, TrustedAppError};
use crate::stages::plan::findings;
use crate::stages::trusted_apps;
use carveout_host::error::Result;
use carveout_host::files;
use carveout_host::outcome::Outcome;
use carveout_host::tools::{read_limited, scratch};
use carveout_host::ui::Ui;
use carveout_product::{App, AppSource};
use serde_json::json;
use std::path::{Path, PathBuf};
use trusty_image::plan::Request;
use trusty_image::stock::Stock;
use trusty_image::{Plan, Tzdram};
use trusty_ta_build::Declaration;

/// Largest text that is read.
const MAX_TEXT: u64 = 16 << 20;

/// A trusted app that a recipe has built.
#[derive(Clone, Debug)]
pub struct BuiltApp {
    /// Its ELF file.
    pub elf: PathBuf,
    /// Its Cargo.toml.
    pub declared: PathBuf,
    /// Heap in bytes instead of the declared one.
    pub min_heap: Option<u64>,
    /// Stack in bytes instead of the declared one.
    pub min_stack: Option<u64>,
    /// Where to write it, with heap and stack set.
    pub output: Option<PathBuf>,
}

/// An ELF file must be the one that its package declares.
fn same_app(built: &Built, elf: &Path, declared: &Path) -> Result<()> {
    let uuid = built.elf.manifest.uuid;
    let Some(other) = built.declaration.as_ref().map(|declared| declared.uuid).filter(|other| *other != uuid)
    else {
        return Ok(());
    };
    let (uuid, declared_uuid) = (uuid.to_string(), other.to_string());
    Err(TrustedAppError::OtherUuid { elf: elf.into(), uuid, declared: declared.into(), declared_uuid }.into())
}

/// Checks a TA by the loader's rules and against what it declares; sets its heap and stack.
pub fn app(args: &BuiltApp, ui: &Ui) -> Result<Outcome> {
    let declaration = declaration(&args.declared)?;
    let name = args.elf.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let words = |size: Option<u64>, option| {
        size.map(u32::try_from).transpose().map_err(|_| TrustedAppError::SizeTooLarge { option })
    };
    let app = App {
        name,
        source: AppSource::Package(Box::new(declaration.clone())),
        min_heap: words(args.min_heap, "--min-heap")?,
        min_stack: words(args.min_stack, "--min-stack")?,
    };
    let scratch = scratch("app")?;
    let finished = scratch.path().join(trusted_apps::file_name(&app.name));
    trusted_apps::finish(&app, &args.elf, &finished)?;
    let built = Built::read(&app.name, &finished, Some(declaration))?;
    same_app(&built, &args.elf, &args.declared)?;
    // Alone, in the largest carve-out: what is found then is the TA's own fault.
    let stock = Stock { monitor: true, ..Stock::default() };
    let request = Request::new(Tzdram::LARGEST, stock, vec![built.planned()]);
    findings(&args.elf, &Plan::new(&request))?;
    if let Some(out) = &args.output {
        files::copy(&finished, out, files::OUTPUT)?;
    }
    ui.note(&format!(
        "{}: the kernel's loader takes it, and its heap is what it declares",
        args.elf.display()
    ));
    Ok(Outcome { line: Some("ok".into()), json: json!({ "ok": true }), ..Outcome::default() })
}

/// Writes a bundle of the parts that a JSON file names: docs/yocto.md.
pub fn assemble(parts_file: &Path, out: &Path, ui: &Ui) -> Result<Outcome> {
    let text = text(parts_file)?;
    let parts: parts::Parts = serde_json::from_str(&text)
        .map_err(|e| AssembleError::PartsFile { path: parts_file.into(), source: e.into() })?;
    let carve_out = parts.check(parts_file)?;
    let folder = bundle::write(&parts, carve_out, out, ui)?;
    ui.note(&format!("{} is verified", folder.display()));
    let json = json!({ "bundle": folder });
    Ok(Outcome { line: Some(folder.display().to_string().into()), json, ..Outcome::default() })
}

/// What a TA's Cargo.toml declares.
fn declaration(path: &Path) -> Result<Declaration> {
    Declaration::from_cargo_toml(&text(path)?)
        .map_err(|e| TrustedAppError::Declaration { path: path.into(), source: e.into() }.into())
}

fn text(path: &Path) -> Result<String> {
    let bytes = read_limited(path, MAX_TEXT)?;
    String::from_utf8(bytes).map_err(|_| AssembleError::NotText { path: path.into() }.into())
}
