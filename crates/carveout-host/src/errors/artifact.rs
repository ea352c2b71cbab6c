//! What can go wrong with what is built and taken in: apps, images, tarballs.

use crate::error::{Cause, Field};
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;
use trusty_image::Finding;

impl Field for Vec<Finding> {
    fn fact(&self) -> Option<Value> {
        Some(self.iter().map(|f| json!({ "rule": f.rule.code(), "finding": f.to_string() })).collect())
    }
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("  {finding}")).collect::<Vec<_>>().join("\n")
}

crate::errors! {
    /// What can go wrong with apps, images and tarballs.
    pub enum ArtifactError("host::artifact") {
        /// A trusted app breaks rules of the kernel's loader.
        LoaderRefuses { path: PathBuf, findings: Vec<Finding> } => check "loader-refuses-app":
            ("{}: the kernel's loader would not take it:\n{}", path.display(), lines(findings)),
            help = findings.first().map(|finding| finding.rule.remedy().into());
        /// A sparse image cannot be unpacked, or holds other bytes than the image that it was made of.
        SparseDiffers { path: PathBuf, source: Cause } => check "sparse-image-differs":
            ("{}: does not stand for the image that it was made of: {source}", path.display()),
            help ("the image is not used; please report this as a bug of carveout");
        /// A sparse image has another size than the image that it was made of.
        SparseSize { path: PathBuf, found: u64, expected: u64 } => check "sparse-image-size-differs":
            ("{}: does not stand for the image that it was made of: {found} bytes instead of {expected}",
                path.display()),
            help ("the image is not used; please report this as a bug of carveout");
        /// The tarball of a root filesystem cannot be read to its end.
        TarballDamaged { path: PathBuf, source: io::Error } => usage "damaged-tarball":
            ("{}: {source}", path.display()),
            help ("the file may be cut short or be no tarball: make or fetch it again");
        /// The program that decompresses the tarball of a root filesystem has failed.
        TarballNotUnpacked { path: PathBuf, program: &'static str, status: String, output: String, log: PathBuf }
            => usage "tarball-not-decompressed":
            ("{}: {program} cannot unpack it ({status})\n{output}\n  full log: {}", path.display(), log.display()),
            help ("the file may be cut short or be no tarball: make or fetch it again");
    }
}
