//! The provenance of a release that was built here.

use super::sources::Sources;
use bundle::Manifest;
use carveout_host::error::{At, Result};
use std::path::Path;

/// Its name in a release.
pub const PROVENANCE: &str = "provenance.json";
/// Who builds where no CI says so.
const LOCAL: &str = "urn:carveout:local";

/// How the bundle came to be: on a CI that says who it is, or here.
pub fn text(manifest: &Manifest, archive: &Path, sources: &Sources, without_rootfs: bool) -> Result<String> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let subjects = [(name, bundle::hash_file(archive).at(archive)?.sha256)];
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let github = || {
        let place = format!("{}/{}/actions", said("GITHUB_SERVER_URL")?, said("GITHUB_REPOSITORY")?);
        let run = format!("{place}/runs/{}", said("GITHUB_RUN_ID")?);
        Some((place, Some(run)))
    };
    let gitlab = || Some((format!("{}/-/pipelines", said("CI_PROJECT_URL")?), said("CI_JOB_URL")));
    let (builder, invocation) = github().or_else(gitlab).unwrap_or_else(|| (LOCAL.into(), None));
    let without: Vec<String> = without_rootfs.then(|| "rootfs".to_owned()).into_iter().collect();
    let said = attestation::Provenance {
        subjects: &subjects,
        builder: &builder,
        invocation: invocation.as_deref(),
        repository: &sources.uri()?,
        others: &sources.others,
        config: &sources.config,
        without: &without,
    };
    Ok(attestation::provenance(manifest, &said))
}
