//! What can go wrong with root filesystems.

mod list;
mod lock;
mod packages;

pub use lock::LockError;

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] =
    &[RootfsError::CATALOG, LockError::CATALOG, PackagesError::CATALOG];

#[cfg(test)]
pub use lock::SHOWN;
pub use packages::PackagesError;

use carveout_host::error::Cause;
use list::listed;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with what a root filesystem is made of, and with its image.
    pub enum RootfsError("rootfs") {
        /// The base of the root filesystem is not in the cache, and the command runs offline.
        BaseNotCached => environment "base-not-cached":
            ("the root filesystem's base is not there, and --offline forbids to fetch it"),
            help ("run the command once without --offline");
        /// The board has no module that a root filesystem could be made for.
        NoModule { board: String } => usage "no-module": ("board {board} has no module");
        /// The product config wants a given root filesystem and names no tarball.
        NoTarball { path: PathBuf } => usage "no-tarball": ("{}: rootfs has no tarball", path.display());
        /// The tarball holds something else than a root filesystem, or has it in a folder.
        NotARootFilesystem { path: PathBuf, members: Vec<String> } => usage "not-a-root-filesystem":
            (
                "{}: is no root filesystem: it has no etc/ with usr/ or bin/ at its top; its first members are: {}",
                path.display(),
                members.join(", ")
            ),
            help ("pack it from inside: tar -C ROOTFS --numeric-owner --xattrs -cf FILE.tar .");
        /// The tarball that stands for NVIDIA's sample root filesystem has no dpkg.
        SampleWithoutDpkg { path: PathBuf } => usage "sample-without-dpkg":
            ("{}: has no dpkg, with which apply_binaries.sh installs packages", path.display()),
            help ("name NVIDIA's sample root filesystem (Tegra_Linux_Sample-Root-Filesystem_R32…)");
        /// Client apps are to be installed in a given root filesystem that has no dpkg.
        AppsWithoutDpkg { path: PathBuf, apps: Vec<String>, config: PathBuf } => usage "client-apps-without-dpkg":
            ("{}: has no dpkg, which installs the client apps: {}", path.display(), apps.join(", ")),
            help (
                "add dpkg to the tarball, or take client_apps out of {}: then the tarball is taken as it is",
                config.display()
            );
        /// The given root filesystem is for another processor than the board's.
        WrongArchitecture { path: PathBuf, source: Cause } => usage "wrong-architecture":
            ("{}: {source}", path.display()),
            help ("use an arm64 one");
        /// The given root filesystem lacks packages that the client apps depend on.
        AppsLackPackages { path: PathBuf, source: Cause } => usage "client-apps-lack-packages":
            ("{}: {source}", path.display()),
            help ("add to it what the client apps depend on: nothing is fetched for it");
        /// NVIDIA's BSP has two files of the same package.
        BspPackageTwice { package: String, files: Vec<String> } => usage "bsp-package-twice":
            ("NVIDIA's BSP has package {package} twice: {}", files.join(" and ")),
            help ("keep the one of this BSP's release");
        /// NVIDIA's BSP lacks files or packages that the root filesystem needs.
        BspIncomplete { release: String, lacking: Vec<String> } => usage "bsp-incomplete":
            ("NVIDIA's BSP ({release}) lacks what the root filesystem needs:\n{}", listed(lacking)),
            help (
                "use NVIDIA's whole BSP (its tarball has all of it), or build with --without rootfs: that bundle \
                 flashes the secure-os partition alone"
            );
        /// The program dumpe2fs does not say which inodes of the image are used.
        InodesUnknown => check "inodes-unknown":
            ("dumpe2fs says neither how many inodes there are nor which are free");
        /// The root filesystem has a link or a file where the folder of the bundle's identity would be.
        NoPlaceForIdentity { found: usize } => check "no-place-for-identity":
            ("the root filesystem has {found} places for {}, expected is one", bundle::IDENTITY_FILE),
            help ("keep /usr, /usr/lib and /usr/lib/carveout folders, and no file of another name there with these bytes");
        /// The image for the board cannot be made out of the filesystem.
        SparseImageNotMade { path: PathBuf, source: Cause } => check "sparse-image-not-made":
            ("{}: {source}", path.display());
    }
}
