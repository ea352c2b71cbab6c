//! Provenance: who has built what of what.

use bundle::Manifest;
use serde_json::{Value, json};

/// The kind of build, which docs/releases.md describes.
pub const BUILD_TYPE: &str = "https://github.com/carveout/carveout/docs/releases.md#provenance-v1";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// What is said besides the manifest.
#[derive(Clone, Debug)]
pub struct Provenance<'a> {
    /// The files that it is said of: names and SHA-256.
    pub subjects: &'a [(String, String)],
    /// Who has built it, a URI.
    pub builder: &'a str,
    /// The run, where a CI has numbers for them.
    pub invocation: Option<&'a str>,
    /// Where the sources are published.
    pub repository: &'a str,
}

/// The statement as text.
pub fn provenance(manifest: &Manifest, said: &Provenance) -> String {
    let subjects: Vec<Value> = said
        .subjects
        .iter()
        .map(|(name, sum)| json!({ "name": name, "digest": { "sha256": sum } }))
        .collect();
    let inputs = &manifest.inputs;
    let mut sources = Vec::new();
    if let Some(revision) = &inputs.git_revision {
        sources
            .push(json!({ "uri": format!("git+{}", said.repository), "digest": { "gitCommit": revision } }));
    }
    if let Some(lock) = &inputs.package_lock {
        sources.push(json!({ "name": "rootfs/packages.lock", "digest": { "sha256": lock } }));
    }
    if let Some(release) = &inputs.bsp {
        sources.push(json!({ "name": "NVIDIA L4T BSP", "annotations": { "release": release } }));
    }
    for (name, version) in &inputs.toolchains {
        sources.push(json!({ "name": name, "annotations": { "version": version } }));
    }
    let mut run = json!({ "builder": { "id": said.builder } });
    if let Some(invocation) = said.invocation {
        run["metadata"] = json!({ "invocationId": invocation });
    }
    let statement = json!({
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "name": manifest.name,
                    "version": manifest.version,
                    "board": manifest.board,
                    "tzdram": { "size": manifest.tzdram.size, "alignment": manifest.tzdram.alignment },
                    "security_version": manifest.security_version,
                    "config": { "sha256": inputs.config },
                },
                "resolvedDependencies": sources,
            },
            "runDetails": run,
        },
    });
    format!("{statement:#}\n")
}
