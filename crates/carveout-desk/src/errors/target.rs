//! Errors of what is emulated.

use carveout_host::error::Cause;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// Why something cannot be emulated.
    pub enum TargetError("desk::target") {
        /// The file or folder to emulate is not there, or may not be looked at.
        NotFound { path: PathBuf, source: io::Error }
            => usage "not-found": ("{}: {source}", path.display());
        /// What is to be emulated is neither a file nor a folder.
        NeitherFileNorFolder { path: PathBuf }
            => usage "neither-file-nor-folder": ("{}: neither a file nor a folder", path.display());
        /// The image holds OP-TEE, which is not Trusty.
        Optee { target: String, source: Cause }
            => usage "optee": ("{target}: {source}"),
            help ("emulate runs Trusty: take the secure-os image of an L4T R32, or one that carveout has built");
        /// The file is no bundle, and no image that holds trusted apps.
        NoTrustedApps { target: String }
            => usage "no-trusted-apps": ("{target}: no bundle, and no image with trusted apps"),
            help ("emulate takes a bundle's folder or .tar.zst, a secure-os image (NVTOSP) or an lk.bin");
        /// A key was given, and what is emulated is not a bundle.
        KeyWithoutBundle { target: String }
            => usage "key-without-bundle": ("--key: only a bundle is signed, and there is none of {target}"),
            help ("leave --key out, or name the bundle");
        /// What is to be emulated is neither a bundle's folder nor its archive, or cannot be opened.
        NoBundle { source: Cause }
            => usage "no-bundle": ("{source}");
        /// A file of the bundle cannot be read, or is not the one that its manifest lists.
        BadBundle { path: PathBuf, source: Cause }
            => check "bad-bundle": ("{}: {source}", path.display()),
            help ("cargo xtask verify tells all that is wrong with it");
        /// The bundle was changed while carveout read it.
        BundleChanged { path: PathBuf }
            => check "bundle-changed": ("{}: has changed since it was verified", path.display()),
            help ("run the command again when nobody writes to it");
        /// The bundle holds no secure-os image.
        NoSecureOs { path: PathBuf }
            => check "no-secure-os": ("{}: has no secure-os image", path.display());
        /// The active secure-os partition of the virt device holds no secure-os image.
        EmptyPartition { path: PathBuf, partition: String }
            => check "empty-partition": ("{}: partition {partition} holds no secure-os image", path.display());
    }
}
