//! The types of a product config, as written. Sizes stay text here, so that an error finds their line.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductFile {
    pub name: String,
    pub version: String,
    pub board: String,
    pub tzdram: TzdramFile,
    pub trusted_apps: Vec<AppFile>,
    #[serde(default)]
    pub client_apps: Vec<String>,
    pub rootfs: Option<RootfsFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TzdramFile {
    pub size: String,
    #[serde(default = "one_mib")]
    pub alignment: String,
}

fn one_mib() -> String {
    "1MiB".into()
}

/// A TA: a package's name, or a mapping.
#[derive(Debug, Default)]
pub struct AppFile {
    pub package: Option<String>,
    pub elf: Option<PathBuf>,
    pub min_heap: Option<String>,
    pub min_stack: Option<String>,
}

impl<'de> Deserialize<'de> for AppFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Mapping {
            package: Option<String>,
            elf: Option<PathBuf>,
            min_heap: Option<String>,
            min_stack: Option<String>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = AppFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a package's name, or { package: NAME, min_heap: SIZE }, or { elf: PATH }")
            }

            fn visit_str<E>(self, name: &str) -> Result<AppFile, E> {
                Ok(AppFile { package: Some(name.into()), ..AppFile::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AppFile, A::Error> {
                let Mapping { package, elf, min_heap, min_stack } =
                    Mapping::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AppFile { package, elf, min_heap, min_stack })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootfsFile {
    pub kind: RootfsKind,
    pub suite: String,
    #[serde(default)]
    pub packages: Vec<String>,
    pub size: String,
    pub lock: Option<PathBuf>,
}

/// How a root filesystem is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootfsKind {
    /// Debian by mmdebstrap.
    Debian,
}

/// A root filesystem, checked.
#[derive(Clone, Debug)]
pub struct Rootfs {
    /// Debian's name of the release.
    pub suite: String,
    /// Packages besides the minimal set.
    pub packages: Vec<String>,
    /// Bytes of the image.
    pub size: u64,
    /// The `packages.lock` that the result must equal.
    pub lock: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardFile {
    pub name: String,
    pub boot_config: BootConfigFile,
    pub layout: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootConfigFile {
    pub cold_boot: PathBuf,
    pub flash: PathBuf,
}
