//! `[package.metadata.trusty]`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use trusty_image::limits::{APP_STACK_TOP, PORT_PATH_MAX};
use trusty_image::manifest::{Manifest, MapMem};
use uuid::Uuid;

/// What a TA declares. The keys are those of AOSP Trusty's `manifest.json`, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// Its identity.
    pub uuid: Uuid,
    /// Heap that the kernel gives it, rounded up to 4096; all that it can ever allocate.
    pub min_heap: u32,
    /// Stack that the kernel gives it, rounded up to 4096.
    pub min_stack: u32,
    /// What it will allocate at most, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_demand: Option<u32>,
    /// Ports that it publishes.
    #[serde(default)]
    pub start_ports: Vec<StartPort>,
    /// I/O regions that it may map.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mem_map: Vec<Region>,
}

/// A port that a TA publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartPort {
    /// Its path, shorter than 64 bytes, e.g. `com.example.srv.echo`.
    pub name: String,
    /// Who may connect.
    pub flags: PortFlags,
}

/// Who may connect to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortFlags {
    /// Other TAs.
    pub allow_ta_connect: bool,
    /// Linux.
    pub allow_ns_connect: bool,
}

/// An I/O region that a TA may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The id by which the TA asks for it.
    pub id: u32,
    /// Physical address.
    pub addr: u32,
    /// Size in bytes.
    pub size: u32,
}

/// What is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeclarationError {
    /// Not TOML, or keys and types that do not fit.
    #[error("{0}")]
    Toml(String),
    /// The table is missing.
    #[error(
        "[package.metadata.trusty] is missing: a trusted app declares uuid, min_heap, min_stack and start_ports there"
    )]
    Missing,
    /// A value outside its limits.
    #[error("[package.metadata.trusty] {key}: {what}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What was found and what is allowed.
        what: String,
    },
}

impl Declaration {
    /// Reads the declaration out of a Cargo.toml.
    pub fn from_cargo_toml(text: &str) -> Result<Self, DeclarationError> {
        #[derive(Deserialize)]
        struct CargoToml {
            package: Package,
        }
        #[derive(Deserialize)]
        struct Package {
            metadata: Option<Metadata>,
        }
        #[derive(Deserialize)]
        struct Metadata {
            trusty: Option<Declaration>,
        }
        let file: CargoToml = toml::from_str(text).map_err(|e| DeclarationError::Toml(e.to_string()))?;
        let declaration = file.package.metadata.and_then(|m| m.trusty).ok_or(DeclarationError::Missing)?;
        declaration.check()?;
        Ok(declaration)
    }

    /// Checks the values against the limits of Trusty.
    pub fn check(&self) -> Result<(), DeclarationError> {
        let wrong = |key, what| Err(DeclarationError::Value { key, what });
        if self.uuid.is_nil() {
            return wrong("uuid", "the nil UUID names nothing: make one, e.g. with `uuidgen`".into());
        }
        for (key, size) in [("min_heap", self.min_heap), ("min_stack", self.min_stack)] {
            if !(1..APP_STACK_TOP).contains(&size) {
                return wrong(key, format!("{size} bytes; allowed are 1 to {}", APP_STACK_TOP - 1));
            }
        }
        let mut names = BTreeSet::new();
        for StartPort { name, .. } in &self.start_ports {
            if name.is_empty() || name.len() > PORT_PATH_MAX || !name.bytes().all(|b| b.is_ascii_graphic()) {
                let what =
                    format!("`{name}` is no port: 1 to {PORT_PATH_MAX} visible ASCII characters are allowed");
                return wrong("start_ports", what);
            }
            if !names.insert(name) {
                return wrong("start_ports", format!("`{name}` is listed twice"));
            }
        }
        Ok(())
    }

    /// The manifest that the kernel reads.
    pub fn manifest(&self) -> Manifest {
        let region = |r: &Region| MapMem { id: r.id, offset: r.addr, size: r.size };
        Manifest {
            uuid: self.uuid,
            min_stack: Some(self.min_stack),
            min_heap: Some(self.min_heap),
            map_mem: self.mem_map.iter().map(region).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [package]
        name = "x"
        [package.metadata.trusty]
        uuid = "6d1fc0de-5275-7374-ec40-000000000001"
        min_heap = 8192
        min_stack = 0x4000
        [[package.metadata.trusty.start_ports]]
        name = "com.example.x"
        flags = { allow_ta_connect = true, allow_ns_connect = false }
    "#;

    #[test]
    fn a_declaration_becomes_a_manifest() {
        let declaration = Declaration::from_cargo_toml(GOOD).unwrap();
        assert_eq!(declaration.manifest().words(), [1, 0x4000, 2, 8192]);
        assert_eq!(declaration.manifest().uuid, declaration.uuid);
    }

    #[test]
    fn wrong_values_are_named() {
        let error = |from: &str, to: &str| {
            Declaration::from_cargo_toml(&GOOD.replace(from, to)).unwrap_err().to_string()
        };
        let long = "p".repeat(64);
        let missing = Declaration::from_cargo_toml("[package]\nname = 'x'").unwrap_err();
        assert_eq!(missing, DeclarationError::Missing);
        assert!(error("min_heap = 8192", "min_heaps = 1").contains("unknown field `min_heaps`"));
        assert!(error("8192", "0").starts_with("[package.metadata.trusty] min_heap: 0 bytes; allowed are 1"));
        assert!(error("0x4000", "0x1000000").contains("min_stack: 16777216 bytes"));
        assert!(error("com.example.x", &long).contains("1 to 63 visible ASCII"));
        assert!(error("com.example.x", "").contains("is no port"));
        assert!(error("6d1fc0de-5275-7374-ec40-000000000001", "x").contains("UUID"));
        assert!(error("6d1fc0de-5275-7374-ec40-000000000001", &Uuid::nil().to_string()).contains("nil UUID"));
    }
}
