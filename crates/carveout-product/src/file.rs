//! The types of a product config, as written. Sizes stay text here, so that an error finds their line.

use super::mirror::MirrorsFile;
use super::yocto::YoctoFile;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use trusty_image::TzdramText;

/// A product config. Sizes are written `32MiB`, `512KiB`, `1GiB` or in hexadecimal bytes, `0x2000000`. Paths are relative to the config.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Product"))]
#[serde(deny_unknown_fields)]
pub struct ProductFile {
    /// The product's name: letters, digits and `-_.`, a letter or digit first, 64 characters at most.
    pub name: String,
    /// The product's version: as `name`, and `+~`.
    pub version: String,
    /// A whole number below 2^32. Devices refuse a smaller one than they have had.
    #[serde(default)]
    pub security_version: u32,
    /// The board: a file in `configs/boards` of the workspace or of carveout, such as `virt` or `jetson-agx-xavier`.
    pub board: String,
    /// The carve-out.
    pub tzdram: TzdramText,
    /// The trusted apps, in the order of the image: 1 to 38, no two with one name, UUID or port.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<AppForm>", length(min = 1, max = 38)))]
    pub trusted_apps: Vec<AppFile>,
    /// The client apps: packages of the workspace with `[package.metadata.deb]`, or finished Debian packages. The first is the one that `emulate` takes; the first of the workspace is the one that `run` takes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<ClientForm>"))]
    pub client_apps: Vec<ClientFile>,
    /// The root filesystem; without it the bundle has none.
    pub rootfs: Option<RootfsFile>,
    /// NVIDIA's parts and keys, for boards with NVIDIA's L4T; other boards ignore it.
    pub l4t: Option<L4tFile>,
    /// What `--engine bitbake` takes.
    pub yocto: Option<YoctoFile>,
    /// The command that tells in the running system whether the product works, a list of words: `image --boot-linux` and `test-device` run it.
    #[serde(default)]
    pub self_test: Vec<String>,
    /// The file that a release's notes take the section of its version from.
    pub changelog: Option<PathBuf>,
}

/// A TA: a package's name, or a mapping.
#[derive(Debug, Default)]
pub struct AppFile {
    pub package: Option<String>,
    pub elf: Option<PathBuf>,
    pub source: Option<PathBuf>,
    pub min_heap: Option<String>,
    pub min_stack: Option<String>,
}

/// A TA as a mapping: one of `package`, `elf` and `source`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TrustedAppMapping"))]
#[serde(deny_unknown_fields)]
pub struct AppMapping {
    /// A package of the workspace with `[package.metadata.trusty]`.
    package: Option<String>,
    /// A finished ELF file of 16 MiB at most. Its name is the file's without extension.
    elf: Option<PathBuf>,
    /// A folder with a trusted app in C: NVIDIA's makefiles build it by its rules.mk, within NVIDIA's public sources. The folder's name is the app's.
    source: Option<PathBuf>,
    /// Another heap than the app declares: less than 16MiB; the kernel rounds it up to 4 KiB.
    min_heap: Option<String>,
    /// Another stack than the app declares, likewise.
    min_stack: Option<String>,
}

/// The forms of a TA.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "TrustedApp")]
#[allow(dead_code)]
pub enum AppForm {
    /// The name of a package of the workspace with `[package.metadata.trusty]`.
    Name(String),
    /// The same, a finished ELF file or sources in C, with what is to be changed.
    Mapping(AppMapping),
}

impl<'de> Deserialize<'de> for AppFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = AppFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a package's name, or { package: NAME, min_heap: SIZE }, or { elf: PATH }, or { source: FOLDER }")
            }

            fn visit_str<E>(self, name: &str) -> Result<AppFile, E> {
                Ok(AppFile { package: Some(name.into()), ..AppFile::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AppFile, A::Error> {
                let AppMapping { package, elf, source, min_heap, min_stack } =
                    AppMapping::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AppFile { package, elf, source, min_heap, min_stack })
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

/// A finished client app.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FinishedClientApp"))]
#[serde(deny_unknown_fields)]
struct DebMapping {
    /// Its Debian package, for arm64 or all, with another name than the other client apps. `--engine bitbake` refuses it.
    deb: PathBuf,
}

/// What a client app may be, for the reference.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "ClientApp")]
#[allow(dead_code)]
enum ClientForm {
    /// The name of a package of the workspace with `[package.metadata.deb]`.
    Name(String),
    /// A finished package.
    Deb(DebMapping),
}

impl<'de> Deserialize<'de> for ClientFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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
                let DebMapping { deb } = DebMapping::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ClientFile::Deb(deb))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The root filesystem.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Rootfs"))]
#[serde(deny_unknown_fields)]
pub struct RootfsFile {
    /// How it is made.
    pub kind: RootfsKind,
    /// Debian's name of the release, such as `bookworm`: with `debian`, and with no other kind.
    pub suite: Option<String>,
    /// The tarball that it is made of: needed with the kinds other than `debian`.
    pub tarball: Option<PathBuf>,
    /// Debian packages besides the minimal set; with `debian` alone.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Size of its image: 256MiB to 1024GiB, a multiple of 4 KiB. Of a Jetson it is the size of the partition APP.
    pub size: String,
    /// A `packages.lock` of an earlier bundle: any difference is an error.
    pub lock: Option<PathBuf>,
    /// Archives that still have the locked versions: one, or a list. It needs `lock`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::mirror::MirrorsForm>"))]
    pub mirror: Option<MirrorsFile>,
}

/// What a product says of NVIDIA's parts and of keys; for L4T boards alone.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "L4t"))]
#[serde(deny_unknown_fields)]
pub struct L4tFile {
    /// NVIDIA's BSP: a folder or a tarball. `--bsp` comes first; without both `CARVEOUT_L4T_BSP`, else the pinned download.
    pub bsp: Option<PathBuf>,
    /// NVIDIA's public sources, likewise: `--sources`, `CARVEOUT_L4T_SOURCES`.
    pub sources: Option<PathBuf>,
    /// Whether NVIDIA's licence has been read and is accepted.
    #[serde(default)]
    pub accept_license: bool,
    /// Where the monitor (ATF) comes from; without it `bsp`.
    #[serde(default)]
    pub monitor: Monitor,
    /// NVIDIA's own TAs to keep, by folder, such as `nvidia-sample/luks-srv`; without it all.
    pub stock_trusted_apps: Option<Vec<String>>,
    /// The modules to make files for, by their names in the board's file: at least one; without it all of the board.
    pub modules: Option<Vec<String>>,
    /// Size of the partition APP in a bundle without root filesystem, as `rootfs.size`; without it the board's.
    pub app_size: Option<String>,
    /// Signs for fused boards: a PEM file or a PKCS#11 URI.
    pub pkc_key: Option<String>,
    /// Encrypts for fused boards: a file. It needs `pkc_key`.
    pub sbk_key: Option<PathBuf>,
    /// The EKB (partition eks), as `ekb new` makes it; without it the BSP's `bootloader/eks.img`, whose keys everybody has.
    pub ekb: Option<PathBuf>,
    /// What becomes of the EKB (partition eks) of a running device that is updated; without it `keep`. A flash writes it in any case.
    #[serde(default)]
    pub eks: Eks,
}

/// What becomes of the EKB of a running device that is updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Eks {
    /// It stays: the update payload has none.
    #[default]
    Keep,
    /// The update payload has the bundle's: it takes the place of the keys that the device has.
    Write,
}

/// Where the monitor (ATF) comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RootfsKind {
    /// Debian by mmdebstrap.
    Debian,
    /// NVIDIA's sample root filesystem and apply_binaries.sh.
    L4tSample,
    /// A tarball of a root filesystem as it is.
    Tarball,
}
