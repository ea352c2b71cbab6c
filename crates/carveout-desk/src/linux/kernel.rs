//! Debian's kernel for arm64: fetched by apt's own client, unpacked into a folder of ours, never installed.

use crate::errors::LinuxError;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::packages::Need;
use carveout_host::tools::apt::{PrivateApt, unpack};
use carveout_host::tools::{capture, run, shell};
use carveout_host::ui::Ui;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// What finds modules, and those that they need.
pub const NEEDS: [Need; 2] = [
    Need {
        program: "/sbin/modprobe",
        package: "kmod",
        why: "tells which modules of Debian's kernel the guest needs",
    },
    Need { program: "dpkg-deb", package: "dpkg", why: "unpacks Debian's kernel" },
];
/// The package that names the newest kernel.
const PACKAGE: &str = "linux-image-arm64";
/// How names of kernels' own packages begin.
const PREFIX: &str = "linux-image-";
/// What the guest needs of the kernel as modules.
const MODULES: [&str; 5] = ["virtio_mmio", "virtio_blk", "ext4", "virtio_console", "cuse"];
/// What it needs for a network.
const NETWORK: &str = "virtio_net";
/// Folders with these modules, and those that they need.
const FOLDERS: [&str; 9] = [
    "arch/arm64/crypto",
    "crypto",
    "drivers/block",
    "drivers/char",
    "drivers/net",
    "drivers/virtio",
    "fs",
    "lib",
    "net/core",
];
/// Says what is in a folder, when it is whole.
const ABOUT: &str = "kernel.json";

/// A kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KernelPackage {
    /// Debian's package, or the file that was named instead.
    pub package: String,
    /// Its version; empty of a file.
    pub version: String,
    /// SHA-256 of the package, or of the file.
    pub sha256: String,
}

/// A kernel that is unpacked.
#[derive(Debug)]
pub struct Kernel {
    /// Of which package.
    pub package: KernelPackage,
    folder: PathBuf,
    /// The kernel itself, if it is the user's own.
    given: Option<PathBuf>,
}

impl Kernel {
    /// One of the user's own, which loads no modules.
    pub fn given(path: &Path) -> Result<Self> {
        let sha256 = bundle::hash_file(path)
            .map_err(|source| LinuxError::NoKernelFile { path: path.into(), source })?;
        let package = path.display().to_string();
        let package = KernelPackage { package, version: String::new(), sha256: sha256.sha256 };
        let given = Some(std::path::absolute(path).at(path)?);
        Ok(Self { package, folder: PathBuf::new(), given })
    }

    /// The one that is there, or else the newest that Debian has.
    pub fn get(offline: bool, dirs: &Dirs, ui: &Ui) -> Result<Self> {
        let home = dirs.home().join("linux");
        // With other folders it is another one.
        let parts = bundle::sha256(FOLDERS.concat().as_bytes());
        let folder = home.join(format!("kernel-{}", parts.get(..8).unwrap_or_default()));
        let known = || -> Option<Self> {
            let text = fs::read_to_string(folder.join(ABOUT)).ok()?;
            let package = serde_json::from_str(&text).ok()?;
            Some(Self { package, folder: folder.clone(), given: None })
        };
        if let Some(kernel) = known() {
            return Ok(kernel);
        }
        fs::create_dir_all(&home).at(&home)?;
        let _lock = carveout_host::files::lock(&home.join(".lock"))?;
        if let Some(kernel) = known() {
            return Ok(kernel);
        }
        if offline {
            return Err(LinuxError::KernelOffline.into());
        }
        ui.note("fetching Debian's kernel for arm64, as it is used for the first time");
        let log = dirs.logs()?.join("linux-kernel.log");
        let apt = PrivateApt::new(&home.join("apt"), "arm64")?;
        apt.update(&log)?;
        let names = apt.depends(PACKAGE)?;
        let name =
            names.into_iter().find(|name| name.starts_with(PREFIX)).ok_or(LinuxError::NoKernelPackage)?;
        let version = apt.candidate(&name)?.ok_or(LinuxError::NoKernelPackage)?;
        let files = apt.download(&[format!("{name}={version}")], &log)?;
        let file = files.into_iter().next().ok_or(LinuxError::NoKernelPackage)?;
        let sha256 = bundle::hash_file(&file).at(&file)?.sha256;
        let package = KernelPackage { package: name, version, sha256 };
        let kernel = Self { package, folder, given: None };
        kernel.unpack(&home, &file, &log)?;
        Ok(kernel)
    }

    fn unpack(&self, home: &Path, file: &Path, log: &Path) -> Result<()> {
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(home).at(home)?;
        let release = self.release();
        let mut parts =
            vec![format!("./boot/vmlinuz-{release}"), format!("./lib/modules/{release}/modules.*")];
        parts.extend(FOLDERS.map(|folder| format!("./lib/modules/{release}/kernel/{folder}")));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        unpack(file, new.path(), &parts, log)?;
        let sh = shell(Path::new("/"))?;
        let base = new.path();
        run("depmod", cmd!(sh, "/sbin/depmod -b {base} {release}"), log)?;
        let about = serde_json::to_string(&self.package).unwrap_or_default();
        carveout_host::files::put(&new.path().join(ABOUT), about)?;
        let new = new.keep();
        fs::rename(&new, &self.folder).at(&self.folder)?;
        fs::remove_file(file).at(file)
    }

    /// What the kernel calls itself.
    fn release(&self) -> String {
        let name = self.package.package.strip_prefix(PREFIX).unwrap_or_default();
        name.strip_suffix("-unsigned").unwrap_or(name).to_owned()
    }

    /// The kernel itself.
    pub fn image(&self) -> PathBuf {
        if let Some(given) = &self.given {
            return given.clone();
        }
        self.folder.join("boot").join(format!("vmlinuz-{}", self.release()))
    }

    /// The modules that the guest loads, each behind those that it depends on, as modprobe knows them.
    pub fn modules(&self, network: bool) -> Result<Vec<PathBuf>> {
        if self.given.is_some() {
            return Ok(Vec::new());
        }
        let (sh, folder, release) = (shell(Path::new("/"))?, &self.folder, self.release());
        let wanted = MODULES.into_iter().chain(network.then_some(NETWORK));
        let text = capture(
            "modprobe",
            cmd!(sh, "/sbin/modprobe -d {folder} -S {release} --show-depends -a {wanted...}"),
        )?;
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in text.lines().filter_map(|line| line.strip_prefix("insmod ")) {
            let path = PathBuf::from(path.trim_end());
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_names_its_release() {
        let kernel = |name: &str| {
            let package = KernelPackage { package: name.into(), version: "1".into(), sha256: String::new() };
            Kernel { package, folder: "/k".into(), given: None }
        };
        assert_eq!(kernel("linux-image-6.1.0-57-arm64").release(), "6.1.0-57-arm64");
        assert_eq!(kernel("linux-image-6.12.1-arm64-unsigned").release(), "6.12.1-arm64");
        assert_eq!(kernel("linux-image-6.1.0-57-arm64").image(), Path::new("/k/boot/vmlinuz-6.1.0-57-arm64"));
        let error = Kernel::given(Path::new("/no/Image")).unwrap_err();
        assert_eq!(error.code, "desk::linux::no-kernel-file");
    }
}
