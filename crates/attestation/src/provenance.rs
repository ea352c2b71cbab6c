//! Provenance: who has built what of what.

use crate::remote::encoded;
use bundle::{Given, Manifest};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The kind of build, which docs/releases.md describes.
pub const BUILD_TYPE: &str = "https://github.com/carveout/carveout/docs/releases.md#provenance-v1";
/// The name of a folder's digest, which docs/releases.md describes.
const TREE: &str = "carveoutTreeSha256";
/// The product config among what was given.
const CONFIG: &str = "config";
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
    /// Where the workspace can be had, a URI of git: [`Remote::uri`](crate::Remote::uri).
    pub repository: &'a str,
    /// The same of other repositories that files were given from, by commit.
    pub others: &'a BTreeMap<String, String>,
    /// SHA-256 of the product config's file.
    pub config: &'a str,
    /// Parts of the product that were left out.
    pub without: &'a [String],
}

/// A file or folder that was given by path.
fn file<'a>(given: &Given, said: &Provenance, place: impl Fn(&str) -> Option<&'a str>) -> Value {
    let mut value = json!({ "name": given.name, "annotations": { "file": given.file } });
    let sha256 = if given.name == CONFIG { Some(said.config) } else { given.sha256.as_deref() };
    if let Some(sum) = sha256 {
        value["digest"] = json!({ "sha256": sum });
    }
    if let Some(sum) = &given.tree_sha256 {
        value["digest"] = json!({ TREE: sum });
    }
    if let Some(supplier) = &given.supplier {
        value["annotations"]["supplier"] = supplier.clone().into();
    }
    if let Some((origin, uri)) = given.origin.as_ref().and_then(|o| Some((o, place(&o.commit)?))) {
        // As SPDX writes a file in a repository.
        value["uri"] = format!("{uri}@{}#{}", origin.commit, encoded(&origin.path)).into();
    }
    value
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
        sources.push(json!({ "uri": said.repository, "digest": { "gitCommit": revision } }));
    }
    let commits = inputs.given.iter().filter_map(|given| given.origin.as_ref()).map(|o| &o.commit);
    for commit in commits.collect::<BTreeSet<_>>() {
        if let Some(uri) = said.others.get(commit) {
            sources.push(json!({ "uri": uri, "digest": { "gitCommit": commit } }));
        }
    }
    let place = |commit: &str| match inputs.git_revision.as_deref() {
        Some(own) if own == commit => Some(said.repository),
        _ => said.others.get(commit).map(String::as_str),
    };
    sources.extend(inputs.given.iter().map(|given| file(given, said, place)));
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
                    "tzdram": { "size": manifest.tzdram.size(), "alignment": manifest.tzdram.alignment() },
                    "security_version": manifest.security_version,
                    "config": { "sha256": inputs.config },
                    "without": said.without,
                },
                "resolvedDependencies": sources,
            },
            "runDetails": run,
        },
    });
    format!("{statement:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::Origin;

    #[test]
    fn files_are_named_where_they_can_be_had() {
        let given = |name: &str, commit: Option<&str>| Given {
            name: name.into(),
            file: "x.elf".into(),
            sha256: Some("1".repeat(64)),
            tree_sha256: None,
            supplier: None,
            origin: commit.map(|commit| Origin {
                path: "a b/x.elf".into(),
                commit: commit.into(),
                repository: None,
            }),
        };
        let others = BTreeMap::from([("2222".to_owned(), "git+https://b.example/b".to_owned())]);
        let said = Provenance {
            subjects: &[],
            builder: "urn:x",
            invocation: None,
            repository: "git+https://a.example/a",
            others: &others,
            config: "3333",
            without: &[],
        };
        let place = |commit: &str| match commit {
            "1111" => Some(said.repository),
            other => said.others.get(other).map(String::as_str),
        };
        let value = |given: &Given| file(given, &said, place);
        assert_eq!(value(&given("a", Some("1111")))["uri"], "git+https://a.example/a@1111#a%20b/x.elf");
        assert_eq!(value(&given("a", Some("2222")))["uri"], "git+https://b.example/b@2222#a%20b/x.elf");
        // Of a commit that is in neither, nothing is claimed.
        assert!(value(&given("a", Some("4444"))).get("uri").is_none());
        assert!(value(&given("a", None)).get("uri").is_none());
        assert_eq!(value(&given(CONFIG, None))["digest"]["sha256"], "3333");
        let tree = Given { sha256: None, tree_sha256: Some("5".into()), ..given("l4t.bsp", None) };
        assert_eq!(value(&tree)["digest"], json!({ "carveoutTreeSha256": "5" }));
    }
}
