//! `manifest.json`.

pub use error::ManifestError;

use crate::device::Device;
use crate::file_entry::{FileEntry, Role};
use crate::format::{FORMAT, MANIFEST, SUMS};
use crate::given::Given;
use crate::hash::sha256;
use crate::limits::{MAX_BYTES, MAX_FILES, MAX_MODULES, MAX_WRITES};
use crate::signature::SIGNATURE;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use tegra_flash::Scope;
use trusty_image::limits::{MAX_APPS, MIB};
use trusty_image::stock::Stock;
use trusty_image::{Budget, Soc, Tzdram, stock};
use uuid::Uuid;

const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a bundle is made of and for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`], or an earlier one.
    pub format: u32,
    /// The product's name.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// The board it is for.
    pub board: String,
    /// Grows when a release mends something that attackers use: no device goes back behind it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub security_version: u32,
    /// The carve-out.
    pub tzdram: Tzdram,
    /// What it was built from.
    pub inputs: Inputs,
    /// The TAs in the secure-os image, in its order.
    pub trusted_apps: Vec<AppEntry>,
    /// Names of the client apps' packages, in the product's order: the first is the one that is meant where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_apps: Vec<String>,
    /// Memory and partition budgets.
    pub plan: Budgets,
    /// The real board that it is flashed to; none for a board that is a disk image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Whether the secure-os image was booted before the bundle got its name; none where it has no kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk_boot: Option<DeskBoot>,
    /// Linux, as it was booted from the root filesystem before the bundle got its name; none where nobody wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_boot: Option<LinuxBooted>,
    /// Every file but the manifest and the checksums, sorted by path.
    pub files: Vec<FileEntry>,
    /// For each scope a digest of all that it writes, but for the identity in the root filesystem: equal digests, nothing to flash.
    pub flash: BTreeMap<Scope, String>,
    /// SHA-256 of this file with 64 zeros in this place: tells a damaged manifest from a damaged `SHA256SUMS`.
    pub digest: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What became of the boot in QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeskBoot {
    /// The kernel came up, and every declared port that Linux may use answered.
    Answered,
    /// It was not booted, because nobody wanted it or QEMU was not there.
    Skipped,
}

/// A boot of Linux on the desk: systemd said `running`, no unit had failed, and the self-test passed. How long it took is not here: two
/// builds would differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LinuxBooted {
    /// Debian's package of the kernel, and its version.
    pub kernel: String,
    /// The command that passed; empty where the product has none.
    pub self_test: Vec<String>,
}

/// What a bundle was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// SHA-256 of the product config and its board, as used.
    pub config: String,
    /// Git commit of the workspace, with `-modified` behind it if the work tree was not clean. Files of other repositories have
    /// theirs in `given`.
    pub git_revision: Option<String>,
    /// Tools that shape the output, with their versions.
    pub toolchains: BTreeMap<String, String>,
    /// L4T release of the BSP, if the board has one.
    pub bsp: Option<String>,
    /// SHA-256 of `rootfs/packages.lock`, if there is a root filesystem.
    pub package_lock: Option<String>,
    /// What it was given by path; empty of a bundle that was made of parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
}

/// A TA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AppEntry {
    /// Its name.
    pub name: String,
    /// Its ELF file in the bundle.
    pub file: String,
    /// Its identity.
    pub uuid: Uuid,
    /// Heap in bytes, as the kernel gives it.
    pub heap: u32,
    /// Stack in bytes, as the kernel gives it.
    pub stack: u32,
    /// What it will allocate at most, if it declares it.
    pub heap_demand: Option<u32>,
    /// Ports that it declares.
    pub ports: Vec<Port>,
}

impl AppEntry {
    /// Path of the file that names its lines, if the bundle has one.
    pub fn symbols(&self) -> String {
        format!("{}.debug", self.file.strip_suffix(".elf").unwrap_or(&self.file))
    }
}

/// A declared port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Its path.
    pub name: String,
    /// Whether TAs may connect.
    pub allow_ta_connect: bool,
    /// Whether Linux may connect.
    pub allow_ns_connect: bool,
}

/// Memory and partition budgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// What is taken of the carve-out.
    pub memory: Budget,
    /// What is taken of each partition that gets a file.
    pub partitions: Vec<Partition>,
}

/// How full a partition is, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: u64,
    /// What is written to it, signature header included.
    pub used: u64,
}

impl Manifest {
    /// The SoC of the board that it is for; of a virt device t194's files are its model.
    pub fn soc(&self) -> Soc {
        self.device.as_ref().map_or_else(Soc::default, |device| device.soc)
    }

    /// What of NVIDIA's shares the carve-out. Format 1 names its TAs alone.
    pub fn stock(&self) -> Stock {
        let apps = match &self.device {
            Some(device) if self.format == 1 => {
                let names = device.stock_trusted_apps.iter().filter_map(|uuid| stock::name(*uuid));
                stock::memory(Some(&names.map(str::to_owned).collect::<Vec<_>>()))
            }
            _ => self.plan.memory.stock_trusted_apps.clone(),
        };
        Stock { monitor: self.plan.memory.monitor > 0, apps }
    }

    /// Digests of what each scope writes, from the files' partitions.
    pub fn flash_digests(files: &[FileEntry]) -> BTreeMap<Scope, String> {
        let scopes = [Scope::App, Scope::SecureOs, Scope::Full];
        let digest = |scope: Scope| {
            let mut lines = String::new();
            for file in files {
                for partition in &file.partitions {
                    let own = Scope::of_partition(partition);
                    if own == scope || scope == Scope::Full {
                        lines.push_str(&format!("{partition} {}\n", file.content()));
                    }
                }
            }
            // A full flash uses the layout, the boot config of flashing and the tools besides, which go to no partition.
            let shapes =
                |file: &FileEntry| matches!(file.role, Role::Layout | Role::BootConfig | Role::Flash);
            for file in files.iter().filter(|file| scope == Scope::Full && shapes(file)) {
                lines.push_str(&format!("{} {}\n", file.path, file.sha256));
            }
            (scope, sha256(lines.as_bytes()))
        };
        scopes.into_iter().map(digest).collect()
    }

    /// The file's text, with its digest in place.
    pub fn to_text(&self) -> Result<String, ManifestError> {
        let blank = Self { digest: NO_DIGEST.into(), ..self.clone() };
        let text =
            serde_json::to_string_pretty(&blank).map_err(|e| ManifestError::Json(e.to_string()))? + "\n";
        let digest = sha256(text.as_bytes());
        Ok(match text.rsplit_once(NO_DIGEST) {
            Some((front, back)) => format!("{front}{digest}{back}"),
            None => text,
        })
    }

    /// Reads the file's text and checks that it is, byte for byte, what was written.
    pub fn from_text(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let json = |e: serde_json::Error| ManifestError::Json(e.to_string());
        let head: Head = serde_json::from_str(text).map_err(json)?;
        if !(1..=FORMAT).contains(&head.format) {
            return Err(ManifestError::Format(head.format));
        }
        let manifest: Self = serde_json::from_str(text).map_err(json)?;
        if manifest.to_text()? != text {
            return Err(ManifestError::Digest);
        }
        manifest.check_counts()?;
        let names = [(&manifest.name, NAME), (&manifest.board, NAME), (&manifest.version, VERSION)];
        if let Some((name, _)) = names.into_iter().find(|(name, more)| !is_plain(name, more)) {
            return Err(ManifestError::Name(name.escape_debug().to_string()));
        }
        if let Some(file) = manifest.files.iter().find(|f| !is_inside(&f.path)) {
            return Err(ManifestError::Path(file.path.clone()));
        }
        if !manifest.files.is_sorted_by(|a, b| a.path < b.path) {
            return Err(ManifestError::Order);
        }
        // Against the names of the bundle's own files, too.
        let mut seen: BTreeSet<String> = [MANIFEST, SUMS, SIGNATURE].map(str::to_lowercase).into();
        if let Some(file) = manifest.files.iter().find(|f| !seen.insert(f.path.to_lowercase())) {
            return Err(ManifestError::Case(file.path.clone()));
        }
        let total = manifest.files.iter().try_fold(0_u64, |sum, f| sum.checked_add(f.size));
        if total.is_none_or(|total| total > MAX_BYTES) {
            return Err(ManifestError::TooLarge);
        }
        Ok(manifest)
    }

    fn check_counts(&self) -> Result<(), ManifestError> {
        let writes = self.files.iter().map(|file| file.partitions.len()).sum();
        let device = self.device.as_ref();
        let counts = [
            ("files", self.files.len(), MAX_FILES),
            ("partitions of its files", writes, MAX_WRITES),
            ("trusted apps", self.trusted_apps.len(), MAX_APPS),
            ("stock trusted apps", device.map_or(0, |device| device.stock_trusted_apps.len()), MAX_APPS),
            ("modules", device.map_or(0, |device| device.modules.len()), MAX_MODULES),
        ];
        match counts.into_iter().find(|(_, found, most)| found > most) {
            Some((what, found, most)) => Err(ManifestError::TooMany { what, found, most }),
            None => Ok(()),
        }
    }

    /// The text of `SHA256SUMS`: what a signature signs.
    pub fn sums(&self) -> Result<String, ManifestError> {
        Ok(crate::sums::to_text(&self.files, &sha256(self.to_text()?.as_bytes())))
    }

    /// Name of the bundle's folder.
    pub fn bundle_name(&self) -> String {
        bundle_name(&self.name, &self.version, &self.board, self.tzdram)
    }

    /// The file of this path, in a manifest that was read: its files are sorted.
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }
}

/// What names may hold besides letters and digits.
pub const NAME: &str = "-_.";
/// What versions may hold besides letters and digits.
pub const VERSION: &str = "-_.+~";

/// Whether a text may become part of a file's name; `more` is what it may hold besides letters and digits.
pub fn is_plain(text: &str, more: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// Name of a bundle's folder.
pub fn bundle_name(name: &str, version: &str, board: &str, tzdram: Tzdram) -> String {
    format!("{name}-{version}-{board}-tzdram{}M", tzdram.size() / MIB)
}

/// Whether a path is relative, plain and stays inside.
fn is_inside(path: &str) -> bool {
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let normal = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    let joined: Vec<_> = Path::new(path).components().map(|c| c.as_os_str().to_string_lossy()).collect();
    !path.is_empty() && plain && normal && joined.join("/") == path
}

/// The package's name in the name of a Debian package's file, NAME_VERSION_ARCHITECTURE.deb (dpkg-name(1)).
pub fn package_name(file: &str) -> &str {
    file.split('_').next().unwrap_or_default()
}

mod error;
#[cfg(test)]
mod tests;
