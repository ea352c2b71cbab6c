//! The types of a product config, as written. Sizes stay text here, so that an error finds their line.

use super::mirror::MirrorsFile;
use super::yocto::YoctoFile;
use carveout_host::size::Size;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use tegra_flash::BoardId;
use trusty_image::TzdramText;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductFile {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub security_version: u32,
    pub board: String,
    pub tzdram: TzdramText,
    pub trusted_apps: Vec<AppFile>,
    #[serde(default)]
    pub client_apps: Vec<ClientFile>,
    pub rootfs: Option<RootfsFile>,
    pub l4t: Option<L4tFile>,
    pub yocto: Option<YoctoFile>,
    pub changelog: Option<PathBuf>,
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

/// A client app: a package's name, or a finished Debian package.
#[derive(Debug)]
pub enum ClientFile {
    /// A package of the workspace.
    Package(String),
    /// `{ deb: FILE }`.
    Deb(PathBuf),
}

impl<'de> Deserialize<'de> for ClientFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Mapping {
            deb: PathBuf,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ClientFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a package's name, or { deb: FILE }")
            }

            fn visit_str<E>(self, name: &str) -> Result<ClientFile, E> {
                Ok(ClientFile::Package(name.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClientFile, A::Error> {
                let Mapping { deb } = Mapping::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ClientFile::Deb(deb))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootfsFile {
    pub kind: RootfsKind,
    pub suite: Option<String>,
    pub tarball: Option<PathBuf>,
    #[serde(default)]
    pub packages: Vec<String>,
    pub size: String,
    pub lock: Option<PathBuf>,
    pub mirror: Option<MirrorsFile>,
}

/// What a product says of NVIDIA's parts and of keys; for L4T boards alone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L4tFile {
    pub bsp: Option<PathBuf>,
    pub sources: Option<PathBuf>,
    #[serde(default)]
    pub accept_license: bool,
    #[serde(default)]
    pub monitor: Monitor,
    pub stock_trusted_apps: Option<Vec<String>>,
    pub modules: Option<Vec<String>>,
    pub app_size: Option<String>,
    pub pkc_key: Option<String>,
    pub sbk_key: Option<PathBuf>,
}

/// Where the monitor (ATF) comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// Out of the secure-os image of the BSP.
    #[default]
    Bsp,
    /// Built from NVIDIA's sources.
    Sources,
}

/// How a root filesystem is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootfsKind {
    /// Debian by mmdebstrap.
    Debian,
    /// NVIDIA's sample root filesystem and apply_binaries.sh.
    L4tSample,
    /// A tarball of a root filesystem as it is.
    Tarball,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardFile {
    pub name: String,
    pub boot_config: BootConfigFile,
    pub layout: PathBuf,
    pub l4t: Option<L4tBoard>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootConfigFile {
    pub cold_boot: PathBuf,
    pub flash: PathBuf,
}

/// What a board with NVIDIA's L4T has besides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L4tBoard {
    /// Name of the board for NVIDIA's scripts.
    pub flash_name: String,
    /// Its root device, likewise.
    pub root_device: String,
    /// meta-tegra's MACHINE.
    pub machine: String,
    /// NVIDIA's secure-os image in the BSP.
    pub secure_os: PathBuf,
    /// Bytes of the partition APP where the product has no root filesystem.
    #[serde(deserialize_with = "size")]
    pub app_size: u64,
    /// The modules that may sit on it.
    pub modules: Vec<Module>,
    /// Pinned downloads.
    pub downloads: Downloads,
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse::<Size>().map(|size| size.0).map_err(serde::de::Error::custom)
}

/// A module, by the name that a product uses for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its name, such as `32gb`.
    pub name: String,
    /// Its identity.
    pub id: BoardId,
}

/// Pinned downloads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downloads {
    /// The BSP.
    pub bsp: Download,
    /// The public sources.
    pub sources: Download,
}

/// A pinned download.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// Where from.
    pub url: String,
    /// What must come.
    pub sha256: String,
}
