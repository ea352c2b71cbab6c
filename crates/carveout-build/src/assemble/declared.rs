//! What a trusted app's package declares, and whether its ELF file is the declared one.

use crate::apps::Built;
use crate::errors::{AssembleError, TrustedAppError};
use carveout_host::error::Result;
use carveout_host::tools::read_limited;
use std::path::Path;
use trusty_ta_build::Declaration;

/// Largest text that is read.
pub const MAX_TEXT: u64 = 16 << 20;

/// An ELF file must be the one that its package declares.
pub fn same_app(built: &Built, elf: &Path, declared: &Path) -> Result<()> {
    let uuid = built.elf.manifest.uuid;
    let Some(other) = built.declaration.as_ref().map(|declared| declared.uuid).filter(|other| *other != uuid)
    else {
        return Ok(());
    };
    let (uuid, declared_uuid) = (uuid.to_string(), other.to_string());
    Err(TrustedAppError::OtherUuid { elf: elf.into(), uuid, declared: declared.into(), declared_uuid }.into())
}

/// What a TA's Cargo.toml declares.
pub fn declaration(path: &Path) -> Result<Declaration> {
    Declaration::from_cargo_toml(&text(path)?)
        .map_err(|e| TrustedAppError::Declaration { path: path.into(), source: e.into() }.into())
}

/// A file's text.
pub fn text(path: &Path) -> Result<String> {
    let bytes = read_limited(path, MAX_TEXT)?;
    String::from_utf8(bytes).map_err(|_| AssembleError::NotText { path: path.into() }.into())
}
