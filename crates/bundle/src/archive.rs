//! The bundle as `.tar.zst`: manifest first, then the checksums and their signature, so that it can be verified while it is read.

use crate::limits::MAX_TEXT;
use crate::manifest::{MANIFEST, Manifest, SUMS};
use crate::open::open;
use crate::signature::SIGNATURE;
use crate::source::{Source, SourceError};
use crate::writer::{DATA, PROGRAM};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// Higher levels gain a few per cent of a root filesystem and take minutes.
const LEVEL: i32 = 6;
/// Changes the output's bytes if it is changed between 0 and more; 2 and 20 give the same.
const WORKERS: u32 = 2;

/// Bytes of a name that every header holds.
const SHORT: usize = 100;

/// An archive that is being written.
struct Writer {
    tar: tar::Builder<zstd::Encoder<'static, BufWriter<File>>>,
    top: String,
    mtime: u64,
}

impl Writer {
    fn new(top: &str, mtime: u64, out: &Path) -> io::Result<Self> {
        let mut encoder = zstd::Encoder::new(BufWriter::new(File::create(out)?), LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.multithread(WORKERS)?;
        Ok(Self { tar: tar::Builder::new(encoder), top: top.into(), mtime })
    }

    fn add(&mut self, path: &str, size: u64, executable: bool, from: impl Read) -> io::Result<()> {
        let full = format!("{}/{path}", self.top);
        // Without extensions, which our reader refuses: old tar files have long names, GNU's large sizes.
        let mut header = if full.len() > SHORT { tar::Header::new_ustar() } else { tar::Header::new_gnu() };
        header.set_size(size);
        header.set_mode(if executable { PROGRAM } else { DATA });
        header.set_mtime(self.mtime);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        self.tar.append_data(&mut header, full, from)
    }

    fn finish(self) -> io::Result<()> {
        let mut writer = self.tar.into_inner()?.finish()?;
        writer.flush()?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Writes a bundle's folder as an archive. `top` is the folder's name in it, `mtime` in seconds since 1970.
pub fn write_archive(
    folder: &Path,
    top: &str,
    manifest: &Manifest,
    mtime: u64,
    out: &Path,
) -> io::Result<()> {
    let mut writer = Writer::new(top, mtime, out)?;
    let files = manifest.files.iter().map(|file| (file.path.as_str(), file.executable));
    for (path, executable) in [(MANIFEST, false), (SUMS, false)].into_iter().chain(files) {
        let file = open(&folder.join(path))?;
        writer.add(path, file.metadata()?.len(), executable, file)?;
    }
    writer.finish()
}

/// Writes a bundle, folder or archive, as an archive with a signature of its checksums.
pub fn write_signed(
    source: &Source,
    manifest: &Manifest,
    signature: &str,
    mtime: u64,
    out: &Path,
) -> Result<(), SourceError> {
    let failed = |error| SourceError::Io { path: out.into(), error };
    let mut writer = Writer::new(&manifest.bundle_name(), mtime, out).map_err(failed)?;
    source.for_each(&mut |path, reader| match (path, manifest.file(path)) {
        (SIGNATURE, _) => Ok(()),
        (MANIFEST | SUMS, _) => {
            let mut text = Vec::new();
            reader.take(MAX_TEXT).read_to_end(&mut text)?;
            writer.add(path, text.len() as u64, false, &text[..])?;
            if path == SUMS {
                writer.add(SIGNATURE, signature.len() as u64, false, signature.as_bytes())
            } else {
                Ok(())
            }
        }
        (_, Some(file)) => {
            // What has become shorter must not make a damaged archive.
            let mut whole = reader.take(file.size);
            writer.add(path, file.size, file.executable, &mut whole)?;
            if whole.limit() == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        }
        (_, None) => Err(io::ErrorKind::InvalidData.into()),
    })?;
    writer.finish().map_err(failed)
}
