//! `assemble`: what the BitBake recipes let the local engine's own code do, with parts that BitBake has built.

mod bundle;
mod declared;
mod parts;

use crate::apps::Built;
use crate::errors::{AssembleError, BootConfigError, TrustedAppError};
use crate::results::{AppAssembled, BootConfigAssembled, BundleAssembled};
use crate::stages::plan::findings;
use crate::stages::trusted_apps;
use carveout_host::error::Result;
use carveout_host::files;
use carveout_host::outcome::Outcome;
use carveout_host::tools::{read_limited, scratch};
use carveout_host::ui::Ui;
use carveout_product::{App, AppSource};
use declared::{MAX_TEXT, declaration, same_app, text};
use serde_json::json;
use std::path::{Path, PathBuf};
use tegra_bct::{CfgErrors, MiscCfg};
use trusty_image::plan::Request;
use trusty_image::stock::Stock;
use trusty_image::{Plan, Soc, Tzdram, TzdramText};

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
    Ok(Outcome { line: Some("ok".into()), json: json!(AppAssembled { ok: true }), ..Outcome::default() })
}

/// Sets the carve-out in misc boot configs. One without any is left as it is, unless none has one.
pub fn boot_config(files: &[PathBuf], tzdram: &TzdramText) -> Result<Outcome> {
    let tzdram = tzdram.read(None).map_err(|e| AssembleError::NoCarveOut { source: e.into() })?;
    let mut edited = Vec::new();
    for path in files {
        let wrong =
            |e: CfgErrors| BootConfigError::MiscConfig { file: path.display().to_string(), source: e.into() };
        let mut cfg = MiscCfg::parse(&read_limited(path, MAX_TEXT)?).map_err(wrong)?;
        // One of t186 has none as shipped.
        if cfg.has_tzdram() || cfg.soc() == Soc::T186 {
            cfg.set_tzdram(tzdram).map_err(wrong)?;
            edited.push((path, cfg));
        }
    }
    if edited.is_empty() {
        return Err(AssembleError::NoBootConfig { count: files.len() }.into());
    }
    for (path, cfg) in &edited {
        files::write(path, cfg.as_bytes(), files::OUTPUT)?;
    }
    let files = edited.into_iter().map(|(path, _)| path.clone()).collect();
    let json = json!(BootConfigAssembled { files });
    Ok(Outcome { json, ..Outcome::default() })
}

/// Writes a bundle of the parts that a JSON file names: docs/yocto.md.
pub fn assemble(parts_file: &Path, out: &Path, ui: &Ui) -> Result<Outcome> {
    let text = text(parts_file)?;
    let parts: parts::AssembledParts = serde_json::from_str(&text)
        .map_err(|e| AssembleError::PartsFile { path: parts_file.into(), source: e.into() })?;
    let carve_out = parts.check(parts_file)?;
    let folder = bundle::write(&parts, carve_out, out, ui)?;
    ui.note(&format!("{} is verified", folder.display()));
    let json = json!(BundleAssembled { bundle: folder.clone() });
    Ok(Outcome { line: Some(folder.display().to_string().into()), json, ..Outcome::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CFG: &str = "a = 1;\ncarveout.tzdram.size = 0x01000000; #16MB\r\ncarveout.tzdram.alignment = 0x00100000;\n\
                       carveout.tzdram.size_more = 5;\ncarveout.tzdram.ecc_protected = 0;\n";

    /// Edits files of these contents; what they hold then.
    fn edited(texts: &[&str], size: &str) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let paths = (0..texts.len()).map(|n| dir.path().join(format!("{n}.cfg")));
        let paths: Vec<PathBuf> = paths.collect();
        paths.iter().zip(texts).for_each(|(path, text)| fs::write(path, text).unwrap());
        let outcome = boot_config(&paths, &TzdramText { size: size.into(), alignment: "2MiB".into() });
        let found: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        if outcome.is_err() {
            assert_eq!(found, texts, "nothing is changed by halves");
        }
        outcome.map(|_| found)
    }

    #[test]
    fn the_carve_out_is_set_in_each_boot_config_that_has_one() {
        let new = CFG.replace("0x01000000", "0x02000000").replace("0x00100000", "0x00200000");
        assert_eq!(edited(&[CFG, "a = 1;\n", CFG], "32MiB").unwrap(), [&new, "a = 1;\n", &new]);
    }

    #[test]
    fn a_carve_out_that_cannot_be_set_is_told() {
        let twice = CFG.repeat(2);
        let no_end = CFG.replace("0x01000000;", "0x01000000");
        for (texts, size, expected) in [
            (&["a = 1;\n"][..], "32MiB", "none of 1 misc boot configs has a carve-out"),
            (
                &["#carveout.tzdram.size = 1;\na = 1;\n"],
                "32MiB",
                "none of 1 misc boot configs has a carve-out",
            ),
            (&[CFG, &twice], "32MiB", "stands on line 2 already"),
            (&[CFG, &no_end], "32MiB", "`;` is missing"),
            (&[CFG, "carveout.tzdram.size = 1;\n"], "32MiB", "`carveout.tzdram.alignment` is missing"),
            (&[CFG], "107MiB", "allowed are 1MiB to 106MiB"),
            (&[CFG], "33MiB", "is not a multiple of its alignment"),
            (&[CFG], "32", "has no unit"),
        ] {
            let error = edited(texts, size).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
