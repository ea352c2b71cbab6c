//! `verify`: checks a bundle.

use crate::errors::BundleError;
use crate::results::Verified;
use bundle::{
    ExtractError, FlashPackage, Fused, Manifest, PublicKey, Source, SourceError, UPDATE_SUFFIX,
    UpdateArchive, UpdateArchiveError,
};
use carveout_host::error::{Error, Result};
use carveout_host::outcome::Outcome;
use carveout_host::size::human;
use carveout_host::ui::Ui;
use carveout_keys::Authenticity;
use serde_json::json;
use std::path::Path;

/// Checks a bundle, or an update archive, and prints `ok`.
pub fn run(path: &Path, key: Option<&PublicKey>, ui: &Ui) -> Result<Outcome> {
    if is_update(path) {
        return update(path, key, ui);
    }
    let (manifest, authenticity) = signed(path, key)?;
    let size: u64 = manifest.files.iter().map(|f| f.size).sum();
    ui.note(&format!(
        "{}: {} files, {}: checksums, modes, manifest, structure, loader rules and budgets hold; {}",
        manifest.bundle_name(),
        manifest.files.len(),
        human(size),
        signed_parts(&manifest)
    ));
    Ok(holds(&manifest, &authenticity, ui))
}

fn holds(manifest: &Manifest, authenticity: &Authenticity, ui: &Ui) -> Outcome {
    ui.note(&authenticity.text());
    let signed_by = match authenticity {
        Authenticity::Verified { key, .. } => Some(key.to_string()),
        _ => None,
    };
    Outcome {
        line: Some("ok".into()),
        json: json!(Verified { ok: true, bundle: manifest.bundle_name(), signed_by }),
        ..Outcome::default()
    }
}

/// Whether a file is called as update archives are.
fn is_update(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(UPDATE_SUFFIX.as_bytes())
}

/// Checks an update archive, as a device does. The structure of all of the bundle was checked when it was released.
fn update(path: &Path, key: Option<&PublicKey>, ui: &Ui) -> Result<Outcome> {
    let source = Source::open(path).map_err(unreadable)?;
    let update = UpdateArchive::read(&source).map_err(|error| match error {
        UpdateArchiveError::Extract(ExtractError::Source(SourceError::Io { path, error }))
            if error.raw_os_error().is_some() =>
        {
            unreadable(SourceError::Io { path, error })
        }
        error => BundleError::NoUpdate { path: path.into(), source: error.into() }.into(),
    })?;
    let authenticity = Authenticity::of(path, update.signed.as_ref(), key)?;
    let (name, files) = (update.manifest.bundle_name(), update.files.len());
    ui.note(&format!("{name}: an update of {files} files, each of which is the one that the manifest lists"));
    Ok(holds(&update.manifest, &authenticity, ui))
}

/// What was found out about the parts that NVIDIA's tools have signed: not all bundles have them, or say what they were made of.
fn signed_parts(manifest: &Manifest) -> &'static str {
    match manifest.device.as_ref().map(|device| (device.flash_package, device.fused)) {
        None | Some((FlashPackage::None, _)) => "it has no signed parts",
        Some((FlashPackage::Tegraflash, _)) => "it has no signed parts: the flash host signs",
        Some(_) if manifest.format == 1 => "what its signed parts are made of is not known: its format is 1",
        Some((_, Fused::PkcSbk)) => "its encrypted parts have their lengths, what is in them cannot be read",
        Some(_) => "its signed parts are made of what was checked",
    }
}

/// Checks a bundle and returns its manifest.
pub fn check(path: &Path) -> Result<Manifest> {
    signed(path, None).map(|(manifest, _)| manifest)
}

/// Checks a bundle, and by a key who made it.
pub fn signed(path: &Path, key: Option<&PublicKey>) -> Result<(Manifest, Authenticity)> {
    if is_update(path) && path.is_file() {
        return Err(BundleError::UpdateArchive { path: path.into() }.into());
    }
    let source = Source::open(path).map_err(unreadable)?;
    let archive = matches!(source, Source::Archive(_));
    let verified = bundle::verify(&source).map_err(|e| match e {
        // What a damaged archive looks like is the bundle's fault, not the environment's.
        SourceError::Io { path, error: source } if archive && source.raw_os_error().is_none() => {
            if bundle::is_archive(&path) {
                BundleError::DamagedArchive { path, source }.into()
            } else {
                BundleError::NotAnArchive { path }.into()
            }
        }
        other => unreadable(other),
    })?;
    match verified.manifest {
        Some(manifest) if verified.problems.is_empty() => {
            let authenticity = Authenticity::of(path, verified.signed.as_ref(), key)?;
            Ok((manifest, authenticity))
        }
        _ => {
            let problems = verified.problems;
            let list: Vec<String> = problems.iter().map(|p| format!("  {p}")).collect();
            let problems = problems.iter().map(|p| json!({ "file": p.file, "what": p.what })).collect();
            let error = Error::from(BundleError::Problems { path: path.into(), problems });
            Err(error.with_lines(list.join("\n")))
        }
    }
}

/// SHA-256 of a manifest, which covers all of a bundle.
pub fn digest_of(manifest: &Manifest) -> Result<String> {
    let text = manifest.to_text().map_err(|e| BundleError::ManifestText { source: e.into() })?;
    Ok(bundle::sha256(text.as_bytes()))
}

/// What a source's error means for the caller.
pub fn unreadable(error: SourceError) -> Error {
    match error {
        SourceError::Io { path, error: source } if source.kind() == std::io::ErrorKind::NotFound => {
            BundleError::NotFound { path, source }.into()
        }
        SourceError::Io { path, error } => Error::io(&path, &error),
        SourceError::NotABundle(path) => BundleError::NotABundle { path }.into(),
        other => BundleError::ForeignEntry { source: other.into() }.into(),
    }
}
