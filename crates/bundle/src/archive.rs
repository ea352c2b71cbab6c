//! The bundle as `.tar.zst`: manifest first, then the checksums, so that it can be verified while it is read.

use crate::manifest::{MANIFEST, SUMS};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Higher levels gain a few per cent of a root filesystem and take minutes.
const LEVEL: i32 = 6;
/// Changes the output's bytes if it is changed between 0 and more; 2 and 20 give the same.
const WORKERS: u32 = 2;

/// Bytes of a name that every header holds.
const SHORT: usize = 100;

/// Writes the files of a bundle's folder as an archive. `files` are the manifest's paths, `mtime` in seconds since 1970.
pub fn write_archive(folder: &Path, top: &str, files: &[&str], mtime: u64, out: &Path) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(BufWriter::new(File::create(out)?), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.multithread(WORKERS)?;
    let mut tar = tar::Builder::new(encoder);
    for path in [MANIFEST, SUMS].iter().chain(files) {
        let file = File::open(folder.join(path))?;
        let full = format!("{top}/{path}");
        // Without extensions, which our reader refuses: old tar files have long names, GNU's large sizes.
        let mut header = if full.len() > SHORT { tar::Header::new_ustar() } else { tar::Header::new_gnu() };
        header.set_size(file.metadata()?.len());
        header.set_mode(0o644);
        header.set_mtime(mtime);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, full, file)?;
    }
    let mut writer = tar.into_inner()?.finish()?;
    writer.flush()?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
