//! What `manifest.json` says of each file.

use crate::identity::IdentityPlace;
use crate::trace::MadeOf;
use serde::{Deserialize, Serialize};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// The secure-os image.
    SecureOs,
    /// Its kernel as an ELF file without debug information, which names addresses.
    KernelSymbols,
    /// A TA's ELF file.
    TrustedApp,
    /// The same with its debug information, which names files and lines.
    TrustedAppSymbols,
    /// A misc boot-config file.
    BootConfig,
    /// The partition layout.
    Layout,
    /// A client app's Debian package.
    ClientApp,
    /// The root filesystem's image.
    Rootfs,
    /// The list of packages in it.
    PackageLock,
    /// What it is made of, in CycloneDX.
    Sbom,
    /// What a flash host needs besides.
    Flash,
    /// What a running device writes to the boot slot that is not active: NVIDIA's bootloader update payload.
    Update,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path in the bundle, with `/`.
    pub path: String,
    /// What it is for.
    pub role: Role,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: String,
    /// Partitions that it is written to.
    pub partitions: Vec<String>,
    /// Whether it is a program: its mode is then 0755, else 0644.
    #[serde(default, skip_serializing_if = "is_false")]
    pub executable: bool,
    /// Of a file that NVIDIA's tools have signed or copied: what it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<MadeOf>,
    /// Of a root filesystem: where it says which bundle it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityPlace>,
}

impl FileEntry {
    /// What tells it from other files of its role: a root filesystem that differs in its identity alone is the same.
    pub fn content(&self) -> &str {
        self.identity.as_ref().map_or(&self.sha256, |place| &place.content)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so.
fn is_false(value: &bool) -> bool {
    !*value
}
