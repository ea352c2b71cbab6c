//! Trusted apps by the rules of the kernel's loader.

use crate::error::Result;
use crate::errors::ArtifactError;
use std::path::Path;
use trusty_image::TrustedApp;

/// A TA that passes all rules, or all findings.
pub fn inspect(path: &Path, elf: &[u8]) -> Result<TrustedApp> {
    trusty_image::inspect(elf)
        .map_err(|findings| ArtifactError::LoaderRefuses { path: path.into(), findings }.into())
}
