//! The page that explains a bundle to people: one HTML file that needs nothing else, neither a network nor a script.
//!
//! [`Report::read`] takes everything out of the bundle, which it verifies first; [`render`] makes the page and does nothing
//! else, so that the same report is the same bytes.

pub mod errors;
mod figures;
mod identity;
pub mod inspect;
mod map;
mod page;
mod partitions;
mod read;
mod records;
mod report;
mod tables;
mod usage;

pub use map::{Band, Map, Segment};
pub use page::render;
pub use records::Flashed;
pub use report::{Changes, Package, Report, Signature};

use bundle::PublicKey;
use carveout_host::error::{At, Result};
use carveout_host::files;
use errors::ReportError;
use std::path::Path;

/// Writes the page of a verified bundle, without this host's flash records: it is made to be given away.
pub fn write(bundle: &Path, previous: Option<&Path>, key: Option<&PublicKey>, to: &Path) -> Result<()> {
    save(&Report::read(bundle, previous, key)?, bundle, to)
}

/// Writes the page. It gets its name when it is whole.
pub fn save(report: &Report, bundle: &Path, to: &Path) -> Result<()> {
    if to.is_dir() {
        return Err(ReportError::OutputIsFolder { path: to.into() }.into());
    }
    let folder = files::parent(to);
    let real = folder.canonicalize().at(folder)?;
    if bundle.is_dir() && real.starts_with(bundle.canonicalize().at(bundle)?) {
        return Err(ReportError::OutputInBundle { path: to.into() }.into());
    }
    files::write(to, render(report), files::OUTPUT)
}
