//! An update, once it is known to be one.

use crate::download::Downloads;
use bundle::{Source, UpdateArchive};

/// An update that is wanted: whole, and of somebody whom the device trusts.
pub struct Update {
    /// Where it is.
    pub source: Source,
    /// What it has.
    pub archive: UpdateArchive,
    /// It may lie there.
    _downloads: Downloads,
}

impl Update {
    /// What was downloaded goes with it.
    pub fn new(source: Source, archive: UpdateArchive, downloads: Downloads) -> Self {
        Self { source, archive, _downloads: downloads }
    }
}
