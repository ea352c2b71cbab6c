//! Files that a build was given by path: a product config, a finished ELF file, NVIDIA's BSP. No lock file names them, and not all
//! of them lie in the repository that was built.

use serde::{Deserialize, Serialize};

/// A file or folder that a build was given by path. Where it lay on the build host is told nowhere: two hosts make the same bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Which input it is, by the key of the product config: `config`, `board`, `trusted_apps.NAME`, `rootfs.lock`, `l4t.bsp`. Each
    /// has another one.
    pub name: String,
    /// The name of the file or folder.
    pub file: String,
    /// SHA-256 of the file. None of a folder, and none of the config: [`Inputs::config`](crate::Inputs::config) is its digest, which
    /// comments do not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of a folder: of a list of its files and their contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_sha256: Option<String>,
    /// Who publishes it, of what no repository of the user's has: NVIDIA's BSP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<String>,
    /// The commit that has it, byte for byte. None of a file that is untracked, ignored, modified or in no repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Where a file can be had again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Its path in the repository; empty of a folder that is the whole repository.
    pub path: String,
    /// The commit that the repository was at.
    pub commit: String,
    /// Host and path of the repository's remote, as `example.com/team/apps`: the same for `https` and `ssh`. None of the
    /// repository that was built, whose commit is [`Inputs::git_revision`](crate::Inputs::git_revision), and of one without a remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}
