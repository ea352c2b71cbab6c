//! The SBOM.

use bundle::{Manifest, Role, sha256};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A crate that is linked into something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as its manifest has it.
    pub license: String,
    /// SHA-256 of its archive in the registry; none of a package of the workspace.
    pub sha256: Option<String>,
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
    let (mut components, mut uses) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for member in members {
        let reference = format!("app:{}", member.name);
        let file = manifest.file(&member.file);
        let mut component = component("application", &reference, &member.name, &member.version);
        if let Some(file) = file {
            component["hashes"] = hashes(&file.sha256);
        }
        components.insert(reference.clone(), component);
        uses.entry(product.clone()).or_default().insert(reference.clone());
        let linked = uses.entry(reference).or_default();
        for linked_crate in &member.crates {
            let purl =
                format!("pkg:cargo/{}@{}", escaped(&linked_crate.name), escaped(&linked_crate.version));
            linked.insert(purl.clone());
            components.entry(purl.clone()).or_insert_with(|| of_crate(&purl, linked_crate));
        }
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
        component["hashes"] = hashes(sum);
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

fn of_crate(purl: &str, linked: &Crate) -> Value {
    let mut value = component("library", purl, &linked.name, &linked.version);
    if let Some(sum) = &linked.sha256 {
        value["purl"] = purl.into();
        value["hashes"] = hashes(sum);
    }
    if !linked.license.is_empty() {
        // cargo's older way to write a choice.
        value["licenses"] = json!([{ "expression": linked.license.replace('/', " OR ") }]);
    }
    value
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

/// As purl-spec wants it: letters, digits and `.-_~` stay, all else is percent-encoded.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_encoded() {
        assert_eq!(escaped("1:2.36-9+deb12u10~rc1"), "1%3A2.36-9%2Bdeb12u10~rc1");
        assert_eq!(escaped("é/"), "%C3%A9%2F");
    }
}
