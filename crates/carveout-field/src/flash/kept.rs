//! Root filesystems that are read of boards.

use super::image;
use crate::device::record::Record;
use crate::device::session::Session;
use crate::errors::BoardError;
use carveout_host::error::{At, Result};
use carveout_host::files;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use tegra_flash::slots::APP;

/// What a board has of a file that was changed while it was written.
pub const HALF_WRITTEN: &str = "the board's root filesystem is not sound now";
/// Bytes of a filesystem's beginning that are not all zero, if there is one.
const HEAD: u64 = 4 << 20;

/// Where root filesystems of boards are kept.
pub fn kept_in(dir: &Path) -> Result<&Path> {
    fs::create_dir_all(dir).at(dir)?;
    Ok(dir)
}

/// The file for a board's root filesystem.
pub fn file_for(dir: &Path, record: &Record) -> Result<PathBuf> {
    let name = format!("app-{}-{}.raw", record.device, record.started.replace(':', ""));
    Ok(fs::canonicalize(kept_in(dir)?).at(Path::new("."))?.join(name))
}

/// Reads APP. What comes must be all of it, and a root filesystem, or with `anyway` at least not empty.
pub fn read(session: &Session, to: &Path, size: u64, anyway: bool) -> Result<()> {
    session.read(APP[0], to, size)?;
    let length = fs::metadata(to).at(to)?.len();
    if length != size {
        return Err(BoardError::OtherAppSize { length, size }.into());
    }
    let mut head = Vec::new();
    files::open(to)?.take(HEAD).read_to_end(&mut head).at(to)?;
    if head.iter().all(|byte| *byte == 0) {
        return Err(BoardError::AppEmpty.into());
    }
    let advice = "nothing has been written to the board; flash without --keep-app if there is none to keep";
    image::ensure_read(to, anyway, advice)
}
