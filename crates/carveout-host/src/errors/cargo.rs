//! What can go wrong with cargo and its workspaces.

use crate::error::Cause;
use std::path::PathBuf;

crate::errors! {
    /// What can go wrong with cargo and its workspaces.
    pub enum CargoError("host::cargo") {
        /// The command was not called in a workspace of carveout.
        NoWorkspace { folder: PathBuf } => usage "no-workspace":
            ("{}: neither this folder nor one above it is a workspace of carveout (Cargo.toml and Cargo.lock, with its \
                xtask)",
                folder.display()),
            help ("change into a clone of carveout and run the command there");
        /// The workspace depends on no crate of carveout.
        NoCarveout { root: PathBuf } => usage "no-carveout":
            ("{}: no package of this workspace depends on carveout", root.display()),
            help ("let its xtask depend on carveout, as `carveout new` writes it");
        /// cargo cannot read the workspace.
        NoMetadata { said: String } => usage "no-metadata": ("cargo metadata: {said}");
        /// The description of the workspace that cargo prints cannot be read.
        UnreadableMetadata { source: Cause } => usage "unreadable-metadata": ("cargo metadata: {source}");
        /// Cargo.lock cannot be parsed.
        UnreadableLock { path: PathBuf, source: Cause } => usage "unreadable-lock-file":
            ("{}: {source}", path.display());
        /// A helper program is not installed yet, and --offline forbids to fetch it.
        HelperOffline { name: String, version: String } => environment "helper-not-installed":
            ("{name} {version} is not there, and --offline forbids to fetch it"),
            help ("run the command once without --offline");
        /// cargo-deb has ended without an error, and there is no Debian package.
        NoPackage { folder: PathBuf } => check "no-debian-package":
            ("cargo-deb left no package in {}", folder.display());
    }
}
