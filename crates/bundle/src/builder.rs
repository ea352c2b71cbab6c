//! Which file of a bundle lies where, and the manifest around them: for all that build bundles.

use crate::device::Device;
use crate::file_entry::Role;
use crate::format::FORMAT;
use crate::identity::Identity;
use crate::manifest::{AppEntry, Budgets, DeskBoot, Inputs, LinuxBooted, Manifest, Partition};
use crate::writer::{Writer, WriterError};
use std::collections::BTreeMap;
use std::path::Path;
use tegra_flash::slots::SECURE_OS;
use trusty_image::{Budget, Tzdram};

/// The secure-os image.
pub const SECURE_OS_IMAGE: &str = "secure-os/tos.img";

/// The file of a TA of this name.
pub fn trusted_app(name: &str) -> String {
    format!("trusted-apps/{name}.elf")
}

/// What a bundle says of itself besides its files.
#[derive(Clone, Debug)]
pub struct About {
    /// The product's name.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// No device goes back behind it.
    pub security_version: u32,
    /// The board it is for.
    pub board: String,
    /// The carve-out.
    pub tzdram: Tzdram,
    /// What it was built from.
    pub inputs: Inputs,
    /// The TAs, in the order of the image.
    pub trusted_apps: Vec<AppEntry>,
    /// Names of the client apps' packages, in the product's order.
    pub client_apps: Vec<String>,
    /// What is taken of the carve-out.
    pub memory: Budget,
    /// How full the partitions get.
    pub partitions: Vec<Partition>,
    /// The real board that it is flashed to, if it is for one.
    pub device: Option<Device>,
    /// What became of the boot in QEMU, where there is a kernel.
    pub desk_boot: Option<DeskBoot>,
    /// The boot of Linux, if it was wanted.
    pub linux_boot: Option<LinuxBooted>,
}

impl Writer {
    /// Adds a TA, and what names its lines if that is known.
    pub fn add_trusted_app(
        &mut self,
        app: &AppEntry,
        elf: &Path,
        symbols: Option<&Path>,
    ) -> Result<(), WriterError> {
        self.add(Role::TrustedApp, &app.file, elf, &[])?;
        symbols.map_or(Ok(()), |from| self.add(Role::TrustedAppSymbols, &app.symbols(), from, &[]))
    }

    /// Adds the secure-os image, and its kernel's symbols if it has one.
    pub fn add_secure_os(&mut self, image: &Path, symbols: Option<&Path>) -> Result<(), WriterError> {
        self.add(Role::SecureOs, SECURE_OS_IMAGE, image, &SECURE_OS)?;
        symbols.map_or(Ok(()), |from| self.add(Role::KernelSymbols, "secure-os/lk.elf", from, &[]))
    }

    /// Adds a root filesystem that goes to these partitions, and the list of packages in it. The identity is written to its place there,
    /// if it has one.
    pub fn add_rootfs(
        &mut self,
        image: &Path,
        lock: &Path,
        slots: &[&str],
        identity: Option<(u64, &Identity)>,
    ) -> Result<(), WriterError> {
        self.add(Role::Rootfs, "rootfs/system.img", image, slots)?;
        if let Some((offset, identity)) = identity {
            self.identify(offset, identity)?;
        }
        self.add(Role::PackageLock, "rootfs/packages.lock", lock, &[])
    }

    /// Adds a misc boot config that goes to these partitions.
    pub fn add_boot_config(&mut self, from: &Path, slots: &[&str]) -> Result<(), WriterError> {
        self.add_named(Role::BootConfig, "boot-config", from, slots)
    }

    /// Adds a client app's package.
    pub fn add_client_app(&mut self, from: &Path) -> Result<(), WriterError> {
        self.add_named(Role::ClientApp, "client-apps", from, &[])
    }

    /// Adds the layout under a name of its own, and returns its path in the bundle.
    pub fn add_layout(&mut self, name: &str, from: &Path) -> Result<String, WriterError> {
        let path = format!("layout/{name}");
        self.add(Role::Layout, &path, from, &[])?;
        Ok(path)
    }

    /// Adds a file to a folder of the bundle, under its own name.
    fn add_named(
        &mut self,
        role: Role,
        folder: &str,
        from: &Path,
        slots: &[&str],
    ) -> Result<(), WriterError> {
        let path = format!("{folder}/{}", from.file_name().unwrap_or_default().to_string_lossy());
        self.add(role, &path, from, slots)
    }

    /// The manifest of the files that are there by now; [`Writer::finish`] completes it.
    pub fn manifest(&self, about: About) -> Manifest {
        Manifest {
            format: FORMAT,
            name: about.name,
            version: about.version,
            security_version: about.security_version,
            board: about.board,
            tzdram: about.tzdram,
            inputs: about.inputs,
            trusted_apps: about.trusted_apps,
            client_apps: about.client_apps,
            plan: Budgets { memory: about.memory, partitions: about.partitions },
            device: about.device,
            desk_boot: about.desk_boot,
            linux_boot: about.linux_boot,
            files: self.files().to_vec(),
            flash: BTreeMap::new(),
            digest: String::new(),
        }
    }
}
