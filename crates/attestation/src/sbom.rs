//! The SBOM.

use crate::remote::Remote;
use bundle::{Given, Manifest, Role, sha256};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// SPDX's word for what nobody has said.
const NOASSERTION: &str = "NOASSERTION";

/// A crate that is linked into something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as its manifest has it.
    pub license: String,
    /// Where cargo takes it from.
    pub source: CrateSource,
}

/// Where cargo takes a crate from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrateSource {
    /// A folder: a package of the workspace, or a path dependency.
    Path,
    /// crates.io; SHA-256 of the archive, by the lock file.
    CratesIo(Option<String>),
    /// Another registry.
    Registry {
        /// Its index, as Cargo.lock has it: `sparse+https://…` or `registry+https://…`.
        index: String,
        /// SHA-256 of the archive, by the lock file.
        sha256: Option<String>,
    },
    /// A git repository.
    Git {
        /// Its URL.
        url: String,
        /// The commit.
        rev: String,
    },
}

/// A trusted app or client app, with all that is linked into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its version; empty of a finished ELF file.
    pub version: String,
    /// Its file in the bundle.
    pub file: String,
    /// What is linked into it.
    pub crates: BTreeSet<Crate>,
}

/// What comes from elsewhere, such as NVIDIA's BSP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who has made it.
    pub supplier: String,
}

/// The SBOM as text. `lock` is `rootfs/packages.lock`: name, version, architecture and SHA-256, with tabs between them.
pub fn sbom(manifest: &Manifest, members: &[Member], lock: Option<&str>, vendors: &[Vendor]) -> String {
    // Without the carve-out: its size changes nothing of what the bundle is made of.
    let product = format!("bundle:{}-{}-{}", manifest.name, manifest.version, manifest.board);
    let known = &manifest.inputs.given;
    let given = |name: &str| known.iter().find(|given| given.name == name).map(given_reference);
    let (mut components, mut uses) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for member in members {
        let reference = format!("app:{}", member.name);
        // Of a bundle that is being written, whose files are not sorted yet.
        let file = manifest.files.iter().find(|file| file.path == member.file);
        let mut component = component("application", &reference, &member.name, &member.version);
        if let Some(file) = file {
            component["hashes"] = hashes(&file.sha256);
        }
        uses.entry(product.clone()).or_default().insert(reference.clone());
        let mut linked = BTreeSet::new();
        // A finished ELF file or Debian package says nothing of its licence, nor of what is in it.
        let key = if member.file.starts_with("client-apps/") { "client_apps" } else { "trusted_apps" };
        if let Some(given) = given(&format!("{key}.{}", member.name)) {
            component["licenses"] = json!([{ "license": { "name": NOASSERTION } }]);
            linked.insert(given);
        }
        for linked_crate in &member.crates {
            let reference = crate_reference(linked_crate);
            linked.insert(reference.clone());
            // A path dependency outside the workspace.
            let outside = given(&format!("crate.{}", linked_crate.name));
            if let Some(given) = outside.filter(|_| linked_crate.source == CrateSource::Path) {
                uses.entry(reference.clone()).or_default().insert(given);
            }
            components.entry(reference.clone()).or_insert_with(|| of_crate(&reference, linked_crate));
        }
        uses.entry(reference.clone()).or_default().extend(linked);
        components.insert(reference, component);
    }
    for (reference, component) in manifest.inputs.given.iter().map(of_given) {
        uses.entry(product.clone()).or_default().insert(reference.clone());
        components.insert(reference, component);
    }
    let own: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    for line in lock.unwrap_or_default().lines() {
        let [name, version, architecture, sum] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        if own.contains(name) {
            continue;
        }
        let purl =
            format!("pkg:deb/debian/{}@{}?arch={}", escaped(name), escaped(version), escaped(architecture));
        let mut component = component("library", &purl, name, version);
        component["purl"] = purl.clone().into();
        // Of a root filesystem that was given nobody may know the package's file: its line has a dash.
        if sum != "-" {
            component["hashes"] = hashes(sum);
        }
        uses.entry(product.clone()).or_default().insert(purl.clone());
        components.insert(purl, component);
    }
    for vendor in vendors {
        let reference = format!("vendor:{}", vendor.name);
        let mut component = component("firmware", &reference, &vendor.name, &vendor.version);
        component["supplier"] = json!({ "name": vendor.supplier });
        uses.entry(product.clone()).or_default().insert(reference.clone());
        components.insert(reference, component);
    }
    for reference in components.keys() {
        uses.entry(reference.clone()).or_default();
    }
    uses.entry(product.clone()).or_default();
    let mut subject = component("firmware", &product, &manifest.name, &manifest.version);
    subject["properties"] = properties(manifest);
    let dependencies: Vec<Value> =
        uses.iter().map(|(reference, on)| json!({ "ref": reference, "dependsOn": on })).collect();
    let mut document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": subject },
        "components": components.values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    });
    document["serialNumber"] = serial(&document).into();
    format!("{document:#}\n")
}

fn component(kind: &str, reference: &str, name: &str, version: &str) -> Value {
    let mut value = json!({ "type": kind, "bom-ref": reference, "name": name });
    if !version.is_empty() {
        value["version"] = version.into();
    }
    value
}

fn hashes(sum: &str) -> Value {
    json!([{ "alg": "SHA-256", "content": sum }])
}

fn of_crate(reference: &str, linked: &Crate) -> Value {
    let mut value = component("library", reference, &linked.name, &linked.version);
    if let Some(purl) = purl(linked) {
        value["purl"] = purl.into();
    }
    match &linked.source {
        CrateSource::CratesIo(Some(sum)) | CrateSource::Registry { sha256: Some(sum), .. } => {
            value["hashes"] = hashes(sum);
        }
        CrateSource::Path => value["properties"] = json!([{ "name": "carveout:source", "value": "path" }]),
        _ => {}
    }
    if !linked.license.is_empty() {
        // cargo's older way to write a choice.
        value["licenses"] = json!([{ "expression": linked.license.replace('/', " OR ") }]);
    }
    value
}

/// What a crate is called in the document: two crates of one name and version may come from different places.
fn crate_reference(linked: &Crate) -> String {
    let Crate { name, version, source, .. } = linked;
    purl(linked).unwrap_or_else(|| match source {
        CrateSource::Git { rev, .. } => format!("git:{name}@{version}#{rev}"),
        _ => format!("path:{name}@{version}"),
    })
}

/// The package URL of a crate. None of a folder, and none of a repository that only one host knows: without a qualifier a package
/// URL means crates.io.
fn purl(linked: &Crate) -> Option<String> {
    let base = format!("pkg:cargo/{}@{}", escaped(&linked.name), escaped(&linked.version));
    match &linked.source {
        CrateSource::Path => None,
        CrateSource::CratesIo(_) => Some(base),
        CrateSource::Registry { index, .. } => {
            let url = index.strip_prefix("sparse+").or_else(|| index.strip_prefix("registry+"));
            let uri = Remote::parse(url.unwrap_or(index)).ok()?.uri();
            let url = uri.strip_prefix("git+").unwrap_or(&uri).to_owned();
            Some(format!("{base}?repository_url={}", qualifier(&url)))
        }
        CrateSource::Git { url, rev } => {
            let uri = Remote::parse(url).ok()?.uri();
            Some(format!("{base}?vcs_url={}", qualifier(&format!("{uri}@{rev}"))))
        }
    }
}

fn given_reference(given: &Given) -> String {
    format!("given:{}", given.name)
}

/// A file or folder that the build was given by path.
fn of_given(given: &Given) -> (String, Value) {
    let reference = given_reference(given);
    let mut value = component("file", &reference, &given.file, "");
    if let Some(sum) = &given.sha256 {
        value["hashes"] = hashes(sum);
    }
    if let Some(supplier) = &given.supplier {
        value["supplier"] = json!({ "name": supplier });
    }
    let mut properties = vec![("carveout:input", given.name.as_str())];
    properties.extend(given.tree_sha256.iter().map(|sum| ("carveout:tree.sha256", sum.as_str())));
    match &given.origin {
        Some(origin) => {
            properties
                .extend(origin.repository.iter().map(|name| ("carveout:origin.repository", name.as_str())));
            properties.push(("carveout:origin.commit", &origin.commit));
            properties.push(("carveout:origin.path", &origin.path));
        }
        None if given.supplier.is_none() => properties.push(("carveout:origin", "in no commit")),
        None => {}
    }
    value["properties"] =
        properties.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    (reference, value)
}

/// What devices are told apart by.
fn properties(manifest: &Manifest) -> Value {
    let image = manifest.files.iter().find(|file| file.role == Role::SecureOs);
    let mut all = vec![
        ("carveout:board", manifest.board.clone()),
        ("carveout:security_version", manifest.security_version.to_string()),
    ];
    all.extend(image.map(|file| ("carveout:secure-os.sha256", file.sha256.clone())));
    all.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// A version 8 UUID (RFC 9562) of the content: the same content, the same number.
fn serial(document: &Value) -> String {
    let digest = sha256(document.to_string().as_bytes());
    let byte = |at: usize| digest.get(2 * at..2 * at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    let bytes: [u8; 16] = std::array::from_fn(|at| byte(at).unwrap_or_default());
    format!("urn:uuid:{}", uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// As purl-spec wants it: letters, digits and `.-_~:` stay, all else is percent-encoded.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The value of a qualifier in a package URL: `/` stays, too.
fn qualifier(text: &str) -> String {
    escaped(text).replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: CrateSource) -> Crate {
        Crate { name: "wire".into(), version: "1.0.0+b".into(), license: "MIT/Apache-2.0".into(), source }
    }

    #[test]
    fn crates_are_told_apart_by_where_they_come_from() {
        let sum = Some("1".repeat(64));
        let git = |url: &str| CrateSource::Git { url: url.into(), rev: "0123abcd".into() };
        let registry = |index: &str| CrateSource::Registry { index: index.into(), sha256: sum.clone() };
        for (source, expected) in [
            (CrateSource::CratesIo(sum.clone()), Some("pkg:cargo/wire@1.0.0%2Bb")),
            (CrateSource::Path, None),
            (
                git("https://token@example.com/team/wire"),
                Some("pkg:cargo/wire@1.0.0%2Bb?vcs_url=git%2Bhttps://example.com/team/wire%400123abcd"),
            ),
            (
                git("ssh://git@example.com/wire.git"),
                Some("pkg:cargo/wire@1.0.0%2Bb?vcs_url=git%2Bssh://git%40example.com/wire.git%400123abcd"),
            ),
            (git("../wire"), None),
            (
                registry("sparse+https://user:token@crates.example.com/index/"),
                Some("pkg:cargo/wire@1.0.0%2Bb?repository_url=https://crates.example.com/index"),
            ),
            (
                registry("registry+ssh://git@example.com/index.git"),
                Some("pkg:cargo/wire@1.0.0%2Bb?repository_url=ssh://git%40example.com/index.git"),
            ),
        ] {
            let linked = of(source);
            assert_eq!(purl(&linked).as_deref(), expected, "{linked:?}");
            let component = of_crate(&crate_reference(&linked), &linked);
            assert_eq!(component["purl"].as_str(), expected);
            let archive = matches!(linked.source, CrateSource::CratesIo(_) | CrateSource::Registry { .. });
            assert_eq!(component["hashes"].is_array(), archive, "{component}");
            assert!(!crate_reference(&linked).contains("token"));
        }
        assert_eq!(crate_reference(&of(CrateSource::Path)), "path:wire@1.0.0+b");
        assert_eq!(crate_reference(&of(git("../wire"))), "git:wire@1.0.0+b#0123abcd");
    }

    #[test]
    fn versions_are_encoded() {
        assert_eq!(escaped("1:2.36-9+deb12u10~rc1"), "1:2.36-9%2Bdeb12u10~rc1");
        assert_eq!(escaped("é/"), "%C3%A9%2F");
    }
}
