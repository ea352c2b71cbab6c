//! `inspect`: explains a bundle, a secure-os image, a TA's ELF file, a misc boot config or a partition layout.

mod bsp;
mod explain;

use super::Outcome;
use crate::error::{At, Error, Result};
use crate::tools::read_limited;
use bundle::Source;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest file that is read whole: a secure-os image, an ELF file, a config.
const MAX_FILE: u64 = 64 << 20;
/// Enough to tell what a file is.
const MAGIC: usize = 4;

/// Explains `path`.
pub fn run(path: &Path) -> Result<Outcome> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
    let mut head = Vec::new();
    if metadata.is_file() {
        File::open(path).and_then(|f| f.take(MAGIC as u64).read_to_end(&mut head)).at(path)?;
    }
    if metadata.is_dir()
        && let Some(bsp) = bsp::find(path)
    {
        let (text, json) = bsp::explain(&bsp)?;
        return Ok(outcome(path, text, json));
    }
    if metadata.is_dir() || head == bundle::ARCHIVE_MAGIC {
        return explain_bundle(path);
    }
    let bytes = read_limited(path, MAX_FILE)?;
    let (text, json) = match head.as_slice() {
        b"NVTO" => explain::container(&bytes).map_err(|what| named(path, &what))?,
        b"NVDA" => explain::signed(&bytes).map_err(|what| named(path, &what))?,
        b"\x7fELF" => {
            let app = crate::stages::trusted_apps::inspect(path, &bytes)?;
            explain::trusted_app(&app, bytes.len())
        }
        _ => match explain::text(&bytes) {
            Some(result) => result.map_err(|what| named(path, &what))?,
            // An MB1 BCT before it is signed has no mark but its name.
            None if is_bct(path) => explain::mb1_bct(&bytes).map_err(|what| named(path, &what))?,
            None => return Err(unknown(path)),
        },
    };
    Ok(outcome(path, text, json))
}

fn is_bct(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.starts_with("mb1_") && name.contains(".bct")
}

fn named(path: &Path, what: &str) -> Error {
    Error::check(format!("{}: {what}", path.display()))
}

fn unknown(path: &Path) -> Error {
    Error::usage(format!("{}: not recognised", path.display())).remedy(
        "inspect explains a bundle's folder or .tar.zst, NVIDIA's BSP (Linux_for_Tegra), a secure-os image (NVTOSP) and other \
         signed files (NVDA), an MB1 BCT (mb1_*.bct), a trusted app's ELF file, a misc boot config (.cfg) and a partition \
         layout (.xml)",
    )
}

fn outcome(path: &Path, text: String, json: Value) -> Outcome {
    Outcome { line: Some(format!("{}: {}", path.display(), text.trim_end())), json, ..Outcome::default() }
}

/// The manifest only: whether it is true is `verify`'s to say.
fn explain_bundle(path: &Path) -> Result<Outcome> {
    let source = Source::open(path).map_err(|_| unknown(path))?;
    let mut found = None;
    let read = source.for_each(&mut |name, reader| {
        if name == bundle::MANIFEST {
            let mut text = String::new();
            reader.take(MAX_FILE).read_to_string(&mut text)?;
            found = Some(text);
        }
        Err(std::io::Error::other("the rest need not be read"))
    });
    let text = match (found, read) {
        (Some(text), _) => text,
        (None, Err(_)) => {
            return Err(named(path, "manifest.json is not its first file: cargo xtask verify says more"));
        }
        (None, Ok(_)) => return Err(unknown(path)),
    };
    let manifest =
        bundle::Manifest::from_text(&text).map_err(|e| named(path, &format!("manifest.json: {e}")))?;
    let json = serde_json::to_value(&manifest).unwrap_or_else(|_| json!({}));
    Ok(outcome(path, explain::bundle(&manifest), json))
}
