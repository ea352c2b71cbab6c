//! `[package.metadata.trusty]`.
//!
//! The keys and spellings are those of AOSP Trusty's `manifest.json`, as far as the kernel of L4T R32 can honour them
//! (`load_app_config_options`, `trusty_app_setup_mmio` of trusty_app.c): numbers may be texts such as `"0x1000"`.

mod aosp;
mod error;
mod values;

pub use error::DeclarationError;

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use trusty_image::limits::{APP_STACK_TOP, PORT_PATH_MAX};
use trusty_image::manifest::{Manifest, MapMem, wrong_region};
use uuid::Uuid;

/// Most receive buffers of a connection, and bytes of each: limits of `port_create` (ipc.c of L4T R32).
const MAX_BUFFERS: u32 = 32;
const MAX_BUFFER_SIZE: u32 = 4096;

/// What a TA declares. The keys are those of AOSP Trusty's `manifest.json`, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// Its identity: a UUID, or the initialiser of C's `struct uuid`.
    #[serde(deserialize_with = "values::uuid")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub uuid: Uuid,
    /// Heap that the kernel gives it, rounded up to 4096; all that it can ever allocate. 1 to 16777215.
    #[serde(deserialize_with = "values::number")]
    #[cfg_attr(feature = "schema", schemars(with = "values::NumberForm"))]
    pub min_heap: u32,
    /// Stack that the kernel gives it, rounded up to 4096. 1 to 16777215.
    #[serde(deserialize_with = "values::number")]
    #[cfg_attr(feature = "schema", schemars(with = "values::NumberForm"))]
    pub min_stack: u32,
    /// What it will allocate at most, if it says so: `plan` and `image` refuse a smaller heap. A key of carveout's own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "values::some_number")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<values::NumberForm>"))]
    pub heap_demand: Option<u32>,
    /// Ports that it publishes.
    #[serde(default)]
    pub start_ports: Vec<StartPort>,
    /// Device memory that it may map.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mem_map: Vec<Region>,
}

/// A port that a TA publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartPort {
    /// Its path, 1 to 63 visible ASCII characters, e.g. `com.example.srv.echo`.
    pub name: String,
    /// Who may connect.
    pub flags: PortFlags,
    /// Receive buffers of each end of a connection, 1 to 32; without it those of carveout's bulk transfers, which need 16.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "values::some_number")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<values::NumberForm>"))]
    pub msg_queue_len: Option<u32>,
    /// Bytes of a receive buffer, 1 to 4096; without it 4080, the most that Linux can send.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "values::some_number")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<values::NumberForm>"))]
    pub msg_max_size: Option<u32>,
}

/// Who may connect to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PortFlags {
    /// Other TAs.
    pub allow_ta_connect: bool,
    /// Linux.
    pub allow_ns_connect: bool,
}

/// An I/O region that a TA may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The id by which the TA asks for it.
    #[serde(deserialize_with = "values::number")]
    #[cfg_attr(feature = "schema", schemars(with = "values::NumberForm"))]
    pub id: u32,
    /// Physical address, a multiple of 4096.
    #[serde(deserialize_with = "values::number")]
    #[cfg_attr(feature = "schema", schemars(with = "values::NumberForm"))]
    pub addr: u32,
    /// Size in bytes.
    #[serde(deserialize_with = "values::number")]
    #[cfg_attr(feature = "schema", schemars(with = "values::NumberForm"))]
    pub size: u32,
}

impl Declaration {
    /// Reads the declaration out of a Cargo.toml.
    pub fn from_cargo_toml(text: &str) -> Result<Self, DeclarationError> {
        let wrong = |e: toml::de::Error| DeclarationError::Toml(e.to_string());
        let mut table = file::<toml::Table>(text).map_err(wrong)?.ok_or(DeclarationError::Missing)?;
        aosp::honour(&mut table)?;
        let declaration: Self = table.try_into().map_err(|error: toml::de::Error| {
            // The same error with its line, which a table has no more.
            let placed = file::<Self>(text).err().filter(|placed| placed.message() == error.message());
            wrong(placed.unwrap_or(error))
        })?;
        declaration.check()?;
        Ok(declaration)
    }

    /// Checks the values against the limits of Trusty.
    pub fn check(&self) -> Result<(), DeclarationError> {
        let wrong = |key: &str, what| Err(DeclarationError::Value { key: key.into(), what });
        if self.uuid.is_nil() {
            return wrong("uuid", "the nil UUID names nothing: make one, e.g. with `uuidgen`".into());
        }
        for (key, size) in [("min_heap", self.min_heap), ("min_stack", self.min_stack)] {
            if !(1..APP_STACK_TOP).contains(&size) {
                return wrong(key, format!("{size} bytes; allowed are 1 to {}", APP_STACK_TOP - 1));
            }
        }
        let mut names = BTreeSet::new();
        for StartPort { name, msg_queue_len, msg_max_size, .. } in &self.start_ports {
            for (key, value, most) in [
                ("msg_queue_len", msg_queue_len, MAX_BUFFERS),
                ("msg_max_size", msg_max_size, MAX_BUFFER_SIZE),
            ] {
                if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
                    let what =
                        format!("{key} of {} is {value}; the kernel allows 1 to {most}", name.escape_debug());
                    return wrong("start_ports", what);
                }
            }
            if name.is_empty() || name.len() > PORT_PATH_MAX || !name.bytes().all(|b| b.is_ascii_graphic()) {
                let what =
                    format!("`{name}` is no port: 1 to {PORT_PATH_MAX} visible ASCII characters are allowed");
                return wrong("start_ports", what);
            }
            if !names.insert(name) {
                return wrong("start_ports", format!("`{name}` is listed twice"));
            }
        }
        match wrong_region(&self.regions()) {
            Some(what) => wrong("mem_map", what),
            None => Ok(()),
        }
    }

    fn regions(&self) -> Vec<MapMem> {
        self.mem_map.iter().map(|r| MapMem { id: r.id, offset: r.addr, size: r.size }).collect()
    }

    /// The manifest that the kernel reads.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            uuid: self.uuid,
            min_stack: Some(self.min_stack),
            min_heap: Some(self.min_heap),
            map_mem: self.regions(),
        }
    }
}

/// The table of a Cargo.toml, read as `T`.
fn file<T: serde::de::DeserializeOwned>(text: &str) -> Result<Option<T>, toml::de::Error> {
    #[derive(Deserialize)]
    struct CargoToml<T> {
        package: Package<T>,
    }
    #[derive(Deserialize)]
    struct Package<T> {
        metadata: Option<Metadata<T>>,
    }
    #[derive(Deserialize)]
    struct Metadata<T> {
        trusty: Option<T>,
    }
    let file: CargoToml<T> = toml::from_str(text)?;
    Ok(file.package.metadata.and_then(|metadata| metadata.trusty))
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

    /// The same as AOSP's manifest.json has it.
    #[test]
    fn aosp_spellings_are_taken() {
        let text = GOOD.replace("8192", "\"0x2000\"").replace("0x4000", "\"16384\"").replace(
            "[[package.metadata.trusty.start_ports]]",
            "mgmt_flags = { restart_on_exit = false, deferred_start = false }\n\
             mem_map = [{ id = 1, addr = \"0x3ac0000\", size = \"0x2000\", type = \"uncached_device\", non_secure = false }]\n\
             [[package.metadata.trusty.start_ports]]\nmsg_queue_len = 4\nmsg_max_size = \"0x100\"",
        );
        let declaration = Declaration::from_cargo_toml(&text).unwrap();
        assert_eq!(declaration.manifest().words(), [1, 0x4000, 2, 0x2000, 3, 1, 0x3ac_0000, 0x2000]);
        let port = &declaration.start_ports[0];
        assert_eq!((port.msg_queue_len, port.msg_max_size), (Some(4), Some(256)));
    }

    #[test]
    fn what_r32_cannot_honour_is_refused_with_the_reason() {
        let error = |line: &str| {
            let text = GOOD.replace("min_heap = 8192", &format!("min_heap = 8192\n{line}"));
            Declaration::from_cargo_toml(&text).unwrap_err().to_string()
        };
        for (line, expected) in [
            ("version = 1", "version: the kernel of L4T R32 keeps no versions of trusted apps: remove it"),
            ("min_version = 1", "min_version: the kernel of L4T R32 keeps no versions"),
            (
                "pinned_cpu = 3",
                "pinned_cpu: the kernel of L4T R32 cannot bind a trusted app to a CPU: remove it",
            ),
            ("priority = 20", "priority: the kernel of L4T R32 runs all trusted apps with one priority"),
            ("apploader_flags = { requires_encryption = true }", "has no app loader"),
            (
                "mgmt_flags = { restart_on_exit = true }",
                "mgmt_flags.restart_on_exit: the kernel of L4T R32 starts each trusted app once",
            ),
            ("mgmt_flags = { x = true }", "mgmt_flags: `x` is no flag; AOSP has restart_on_exit"),
            ("mgmt_flags = 1", "mgmt_flags: expected a table"),
            (
                "mem_map = [{ id = 1, addr = 0, size = 1, type = \"cached\" }]",
                "mem_map.type: the kernel of L4T R32 maps every region as device memory",
            ),
            (
                "mem_map = [{ id = 1, addr = 0, size = 1, non_secure = true }]",
                "mem_map.non_secure: the kernel of L4T R32 maps regions as secure",
            ),
            (
                "mem_map = [{ id = 1, addr = \"0x3ac0004\", size = 1 }]",
                "region 1: addr 0x3ac0004 is no multiple of 4096",
            ),
            ("mem_map = [{ id = 1, addr = \"0xfffff000\", size = 4097 }]", "are not within 4 GiB"),
            ("mem_map = [{ id = 1, addr = 0, size = 0 }]", "are not within 4 GiB"),
            (
                "mem_map = [{ id = 1, addr = 0, size = 1 }, { id = 1, addr = 4096, size = 1 }]",
                "region 1 is listed twice",
            ),
            (
                "mem_map = [{ id = 1, addr = \"TEGRA_SE_BASE\", size = 1 }]",
                "`TEGRA_SE_BASE`: expected a number from 0 to 4294967295",
            ),
            (
                "start_ports = [{ name = \"a\", flags = { allow_ta_connect = true, allow_ns_connect = true }, msg_queue_len = 33 }]",
                "msg_queue_len of a is 33; the kernel allows 1 to 32",
            ),
        ] {
            let line = line.to_owned();
            // Ports are declared twice otherwise.
            let found = if line.starts_with("start_ports") {
                let text = format!("{}\n{line}", GOOD.split("[[").next().unwrap());
                Declaration::from_cargo_toml(&text).unwrap_err().to_string()
            } else {
                error(&line)
            };
            assert!(found.contains(expected), "{line}: {found}");
        }
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
        assert!(error("min_heap = 8192", "min_heaps = 1").contains("line 6"), "with its line");
        assert!(error("8192", "0").starts_with("[package.metadata.trusty] min_heap: 0 bytes; allowed are 1"));
        assert!(error("0x4000", "0x1000000").contains("min_stack: 16777216 bytes"));
        assert!(error("com.example.x", &long).contains("1 to 63 visible ASCII"));
        assert!(error("com.example.x", "").contains("is no port"));
        assert!(error("6d1fc0de-5275-7374-ec40-000000000001", "x-y").contains("is no UUID: write it as"));
        assert!(error("6d1fc0de-5275-7374-ec40-000000000001", &Uuid::nil().to_string()).contains("nil UUID"));
    }
}
