//! Of bundles that are being written.

use carveout_host::error::{Cause, Error};
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong when a bundle is written.
    pub enum BundleError("build::bundle") {
        /// The folder that bundles are written to cannot be made.
        OutputFolder { path: PathBuf, source: io::Error } => usage "wrong-output-folder":
            ("{}: cannot be the output folder: {source}", path.display());
        /// The list of what each partition gets is empty in a flash package.
        NoPartitions { path: PathBuf } => check "no-partitions": ("{}: names no partition", path.display());
        /// The list of what signed files were made of cannot be read in a flash package.
        MadeOf { path: PathBuf, source: Cause } => check "unreadable-origins": ("{}: {source}", path.display());
        /// The files of the modules make no update payload.
        Update { source: Cause } => check "no-update-payload":
            ("the flash packages of the modules make no update payload: {source}");
        /// The partition layout that the bundle would hold cannot be read.
        Layout { layout: String, source: Cause } => check "unreadable-layout": ("{layout}: {source}");
        /// An image is larger than the partition that it goes to.
        DoesNotFit { board: String } => check "does-not-fit":
            ("the parts do not fit into the partitions of board {board}:"),
            help ("use fewer or smaller trusted apps, or a smaller rootfs.size");
        /// The manifest of the bundle cannot be written.
        Manifest { source: Cause } => check "wrong-manifest": ("{source}");
        /// A file of the bundle was changed while the bundle was written.
        Changed { path: PathBuf } => check "changed-meanwhile":
            ("{}: was changed while the bundle was written", path.display()), help ("run the same command again");
        /// The output of cargo tree has a line that is no package and version.
        TreeLine { name: String, line: String } => check "unknown-tree-line": ("cargo tree says of {name}: `{line}`");
        /// The output of cargo tree does not list the package that it was asked for.
        NotInTree { name: String } => check "not-in-tree": ("cargo tree does not tell of {name}");
        /// A crate is linked into an app, and Cargo.lock does not say where it comes from.
        UnknownOrigin { name: String, version: String } => check "unknown-crate-origin":
            ("Cargo.lock does not tell where {name} {version} comes from");
    }
}

/// What a bundle's writer says.
pub fn failed(error: bundle::WriterError) -> Error {
    match error {
        bundle::WriterError::Io { path, error } => Error::io(&path, &error),
        other => BundleError::Manifest { source: other.into() }.into(),
    }
}
