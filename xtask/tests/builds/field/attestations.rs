//! What is told of a release, by the schemas of those who read it.

use crate::builds::util::{root, run};
use carveout_host::dirs::Dirs;
use carveout_host::tools::shell;
use carveout_yocto::pip;
use carveout_yocto::pip::Package;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Has CycloneDX's schemas.
const CYCLONEDX: Package = Package {
    name: "cyclonedx-python-lib",
    version: "11.12.0",
    others: &[
        "arrow==1.4.0",
        "attrs==26.1.0",
        "boolean.py==5.0",
        "defusedxml==0.7.1",
        "fqdn==1.6.0",
        "idna==3.20",
        "isoduration==20.11.0",
        "jsonpointer==3.12",
        "jsonschema==4.26.0",
        "jsonschema-specifications==2025.9.1",
        "lark==1.3.1",
        "license-expression==30.4.4",
        "packageurl-python==0.17.6",
        "py-serializable==2.2.0",
        "python-dateutil==4.0.0",
        "referencing==0.37.0",
        "rfc3339-validator==0.1.4",
        "rfc3986-validator==0.1.1",
        "rfc3987-syntax==1.1.0",
        "rpds-py==2026.9.1",
        "six==1.17.0",
        "sortedcontainers==2.4.0",
        "typing-extensions==4.16.0",
        "tzdata==2026.6",
        "uri-template==1.3.0",
        "webcolors==25.10.0",
    ],
};
/// Has the messages of in-toto and SLSA.
const IN_TOTO: Package =
    Package { name: "in-toto-attestation", version: "0.9.3", others: &["protobuf==7.36.2"] };

/// Checks a document. None: it is valid.
fn wrong(kind: &str, document: &Path) -> Option<String> {
    let package = if kind == "sbom" { &CYCLONEDX } else { &IN_TOTO };
    let root = root();
    let log = Dirs::of(&root).logs().unwrap().join(format!("{}.log", package.name));
    let folder =
        pip::helper(&Dirs::of(&root).home().join("tools"), package, &log).unwrap_or_else(|e| panic!("{e}"));
    let script = root.join("xtask/tests/attestation.py");
    let sh = shell(&root).unwrap();
    let output = Command::from(pip::python(&sh, &folder).args([script.as_path(), Path::new(kind), document]))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (!output.status.success()).then_some(said)
}

/// A document holds; with each change it does not, so that the check is seen to find what is wrong.
fn holds(kind: &str, path: &Path, changes: &[fn(&mut Value)]) {
    assert_eq!(wrong(kind, path), None);
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (index, change) in changes.iter().enumerate() {
        let mut other = document.clone();
        change(&mut other);
        let path = dir.path().join(format!("{index}.json"));
        std::fs::write(&path, other.to_string()).unwrap();
        assert!(wrong(kind, &path).is_some(), "{kind}: change {index} is not found");
    }
}

/// SBOM and provenance of a release.
pub fn are_valid(release: &Path, workspace: &Path, product: &Path) {
    holds(
        "sbom",
        &release.join("sbom.cdx.json"),
        &[
            |sbom| sbom["bomFormat"] = json!("SPDX"),
            |sbom| sbom["components"][0]["type"] = json!("thing"),
            |sbom| sbom["components"][0]["hashes"] = json!([{ "alg": "SHA-256", "content": "x" }]),
            |sbom| sbom["colour"] = json!("blue"),
        ],
    );
    holds(
        "provenance",
        &release.join("provenance.json"),
        &[
            |said| said["predicateType"] = json!("https://slsa.dev/provenance/v0.2"),
            |said| said["subject"] = json!([]),
            |said| said["predicate"]["colour"] = json!("blue"),
            |said| said["predicate"]["runDetails"]["builder"] = json!({}),
        ],
    );
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(release.join(name)).unwrap()).unwrap()
    };
    let sbom = read("sbom.cdx.json");
    let uses = |reference: &str| -> Vec<String> {
        let all = sbom["dependencies"].as_array().unwrap();
        let own = all.iter().find(|entry| entry["ref"] == reference).unwrap();
        own["dependsOn"].as_array().unwrap().iter().map(|on| on.as_str().unwrap().to_owned()).collect()
    };
    // A trusted app has the allocator and nothing of the client app's command line.
    let has = |reference: &str, name: &str| {
        uses(reference).iter().any(|on| on.starts_with(&format!("pkg:cargo/{name}@")))
    };
    assert!(has("app:echo-srv", "linked_list_allocator") && !has("app:echo-srv", "clap"));
    assert!(has("app:echo-srv-app", "clap") && !has("app:echo-srv-app", "linked_list_allocator"));
    let apps = sbom["components"].as_array().unwrap().iter().filter(|c| c["type"] == "application");
    assert_eq!(apps.filter(|app| app["hashes"][0]["content"].is_string()).count(), 3);
    // Package URLs are crates.io's, of which this workspace has all but its own: every one has the lock file's checksum.
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for component in sbom["components"].as_array().unwrap().iter().filter(|c| c["purl"].is_string()) {
        assert!(lock.contains(component["hashes"][0]["content"].as_str().unwrap()), "{component}");
    }
    finished_elf(&sbom, product);
    let said = read("provenance.json");
    sources(&said, workspace, product);
    let archive = format!("{}.tar.zst", release.file_name().unwrap().to_str().unwrap());
    let sums = std::fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    let subject = &said["subject"][0];
    let line = format!("{}  {archive}", subject["digest"]["sha256"].as_str().unwrap());
    assert!(subject["name"] == archive.as_str() && sums.lines().any(|found| found == line), "{said}");
    assert_eq!(said["predicate"]["runDetails"]["builder"]["id"], "urn:carveout:local");
}

fn head(repository: &Path) -> String {
    let dir = repository.to_str().unwrap();
    run("git", ["-C", dir, "-c", "safe.directory=*", "rev-parse", "HEAD"]).ok()
}

/// A trusted app that was given as an ELF file: its own digest and commit, and no licence that nobody has named.
fn finished_elf(sbom: &Value, product: &Path) {
    let components = sbom["components"].as_array().unwrap();
    let of = |reference: &str| components.iter().find(|c| c["bom-ref"] == reference).unwrap();
    let app = of("app:small-echo-srv");
    assert_eq!(app["licenses"], json!([{ "license": { "name": "NOASSERTION" } }]));
    assert!(of("app:echo-srv").get("licenses").is_none());
    let given = of("given:trusted_apps.small-echo-srv");
    let sum = bundle::hash_file(&product.join("small-echo-srv.elf")).unwrap().sha256;
    assert_eq!(given["hashes"][0]["content"], sum);
    let property = |name: &str| {
        let all = given["properties"].as_array().unwrap();
        all.iter().find(|p| p["name"] == name).unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(property("carveout:origin.path"), "small-echo-srv.elf");
    assert_eq!(property("carveout:origin.commit"), head(product));
    assert_eq!(property("carveout:origin.repository"), "git.example.com/team/products");
    let on =
        sbom["dependencies"].as_array().unwrap().iter().find(|d| d["ref"] == "app:small-echo-srv").unwrap();
    assert_eq!(on["dependsOn"], json!(["given:trusted_apps.small-echo-srv"]));
}

/// Both repositories by their own remotes, without the token that CI has in one of them, and each file in them.
fn sources(said: &Value, workspace: &Path, product: &Path) {
    assert!(!said.to_string().contains("s3cret"), "{said}");
    let all = said["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
    let (own, other) =
        ("git+https://git.example.com/team/product.git", "git+ssh://git@git.example.com/team/products.git");
    for (uri, commit) in [(own, head(workspace)), (other, head(product))] {
        let found = all.iter().find(|found| found["uri"] == uri).unwrap();
        assert_eq!(found["digest"], json!({ "gitCommit": commit }));
    }
    for (name, uri, repository, path) in [
        ("board", own, workspace, "configs/boards/virt.yaml"),
        ("config", other, product, "product.yaml"),
        ("trusted_apps.small-echo-srv", other, product, "small-echo-srv.elf"),
    ] {
        let found = all.iter().find(|found| found["name"] == name).unwrap();
        assert_eq!(found["uri"], format!("{uri}@{}#{path}", head(repository)));
        let sum = bundle::hash_file(&repository.join(path)).unwrap().sha256;
        assert_eq!(found["digest"], json!({ "sha256": sum }), "{name}");
    }
}
