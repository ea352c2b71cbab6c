//! `inspect`: explains a file, a bundle or a BSP.

use crate::bsp_report;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_report::inspect;
use std::path::Path;

/// Explains it.
pub fn run(path: &Path, dirs: &Dirs) -> Result<Outcome> {
    match bsp_report::find(path) {
        Some(bsp) => Ok(bsp_report::explain(&bsp, dirs)?.outcome(path)),
        None => inspect::run(path),
    }
}
