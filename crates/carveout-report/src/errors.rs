//! What can go wrong with a report, and with a file that is explained.

use carveout_host::error::Cause;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with the report of a bundle.
    pub enum ReportError("report") {
        /// The bundle has no partition layout.
        NoLayout { bundle: PathBuf } => check "no-layout": ("{}: has no partition layout", bundle.display());
        /// The bundle's partition layout is wrong.
        WrongLayout { bundle: PathBuf, file: String, source: Cause } => check "wrong-layout":
            ("{}: {file}: {source}", bundle.display());
        /// A trusted app of the bundle cannot be loaded.
        WrongApp { bundle: PathBuf, file: String, source: Cause } => check "wrong-app":
            ("{}: {file}: {source}", bundle.display());
        /// The report is to be written to a folder.
        OutputIsFolder { path: PathBuf } => usage "output-is-folder":
            ("{}: is a folder; the report is a file", path.display()),
            help ("name a file behind -o, such as report.html");
        /// The report is to be written into the bundle.
        OutputInBundle { path: PathBuf } => usage "output-in-bundle":
            ("{}: lies in the bundle, which would not be whole with it", path.display()),
            help ("name a file outside of the bundle's folder behind -o");
    }
}

carveout_host::errors! {
    /// What can go wrong with a file that is explained.
    pub enum InspectError("report::inspect") {
        /// The file is not there or cannot be looked at.
        Unreadable { path: PathBuf, source: io::Error } => usage "unreadable": ("{}: {source}", path.display());
        /// The file is of no kind that is known.
        NotRecognised { path: PathBuf, kind: &'static str } => usage "not-recognised":
            ("{}: not recognised ({kind})", path.display()),
            help (
                "inspect knows bundles (folder, .tar.zst, manifest.json), NVIDIA's BSP (Linux_for_Tegra), secure-os \
                 images (NVTOSP), lk.bin, user_tasks.bin, trusted apps (ELF), signed files (NVDA), MB1 BCTs, boot \
                 configs (.cfg), partition layouts (.xml), key blobs (eks.img), module EEPROMs, boot firmware, \
                 update payloads, boot.img, device trees, virt devices (virt:FILE), ext4 and sparse images, \
                 archives, minisign keys and signatures, SHA256SUMS"
            );
        /// The manifest of a bundle is not the first file in it.
        ManifestNotFirst { path: PathBuf } => check "manifest-not-first":
            ("{}: manifest.json is not its first file: cargo xtask verify says more", path.display());
        /// The manifest of a bundle is wrong.
        WrongManifest { path: PathBuf, source: Cause } => check "wrong-manifest":
            ("{}: manifest.json: {source}", path.display());
        /// A secure-os image is damaged.
        WrongSecureOs { path: PathBuf, source: Cause } => check "wrong-secure-os": ("{}: {source}", path.display());
        /// One of several trusted apps in a file is damaged.
        WrongTasks { path: PathBuf, source: Cause } => check "wrong-tasks":
            ("{}: trusted apps one behind the other (user_tasks.bin): {source}", path.display());
        /// A signed file is too short for its header.
        SignedTooShort { path: PathBuf, bytes: usize } => check "signed-too-short":
            ("{}: {bytes} bytes are too few for a signed file", path.display());
        /// A signed file is shorter than its header says.
        SignedTruncated { path: PathBuf, announced: usize, there: usize } => check "signed-truncated":
            ("{}: announces {announced} bytes behind its header, {there} are there", path.display());
        /// An encrypted key blob is damaged.
        WrongKeyBlob { path: PathBuf, source: Cause } => check "wrong-key-blob": ("{}: {source}", path.display());
        /// An MB1 BCT is damaged.
        WrongBct { path: PathBuf, source: Cause } => check "wrong-bct": ("{}: {source}", path.display());
        /// A partition layout is wrong.
        WrongLayout { path: PathBuf, source: Cause } => check "wrong-layout": ("{}: {source}", path.display());
        /// The declaration of a trusted app is wrong.
        WrongDeclaration { path: PathBuf, source: Cause } => check "wrong-declaration":
            ("{}: {source}", path.display());
        /// A boot config is wrong.
        WrongBootConfig { path: PathBuf, source: Cause } => check "wrong-boot-config":
            ("{}: {source}", path.display());
    }
}

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[ReportError::CATALOG, InspectError::CATALOG];
