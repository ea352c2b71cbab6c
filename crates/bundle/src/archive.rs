//! The bundle as `.tar.zst`: manifest first, then the checksums and their signature, so that it can be verified while it is read.

use crate::format::{MANIFEST, SUMS};
use crate::frames::{Frames, encoder};
use crate::limits::MAX_TEXT;
use crate::manifest::Manifest;
use crate::open::open;
use crate::signature::SIGNATURE;
use crate::source::{Source, SourceError};
use crate::writer::{DATA, PROGRAM};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// Bytes of a name that every header holds.
const SHORT: usize = 100;
/// Headers and contents are filled up to a multiple of this.
const BLOCK: usize = 512;

type Frame<W> = zstd::Encoder<'static, W>;

/// An archive that is being written.
pub(crate) struct Writer<'a> {
    /// The frame of headers and small files; none while a large file is written, and after an error.
    small: Option<Frame<BufWriter<File>>>,
    frames: &'a Frames,
    top: String,
    mtime: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(top: &str, mtime: u64, frames: &'a Frames, out: &Path) -> io::Result<Self> {
        let small = Some(encoder(BufWriter::new(File::create(out)?))?);
        Ok(Self { small, frames, top: top.into(), mtime })
    }

    fn small(&mut self) -> io::Result<&mut Frame<BufWriter<File>>> {
        self.small.as_mut().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// Ends the frame of small files, lets `large` write frames, and begins another.
    fn cut(&mut self, large: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
        let mut out = self.small.take().ok_or(io::ErrorKind::BrokenPipe)?.finish()?;
        large(&mut out)?;
        self.small = Some(encoder(out)?);
        Ok(())
    }

    /// Writes a file, of which `frame` is there if it is large and known.
    pub(crate) fn add(
        &mut self,
        path: &str,
        size: u64,
        executable: bool,
        from: impl Read,
        frame: Option<&Path>,
    ) -> io::Result<()> {
        self.header(path, size, executable)?;
        // What has become shorter must not make a damaged archive.
        let whole = |copied: u64| -> io::Result<()> {
            if copied == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        };
        let mut from = from.take(size);
        match frame {
            Some(frame) => self.cut(|out| io::copy(&mut open(frame)?, out).map(drop))?,
            None if self.frames.is_large(size) => self.cut(|out| {
                let mut frame = encoder(out)?;
                whole(io::copy(&mut from, &mut frame)?)?;
                frame.finish().map(drop)
            })?,
            None => whole(io::copy(&mut from, self.small()?)?)?,
        }
        let used = usize::try_from(size % BLOCK as u64).unwrap_or_default();
        let padding = [0; BLOCK].get(used..).filter(|_| used > 0).unwrap_or_default().to_vec();
        self.small()?.write_all(&padding)
    }

    fn header(&mut self, path: &str, size: u64, executable: bool) -> io::Result<()> {
        let full = format!("{}/{path}", self.top);
        // Without extensions, which our reader refuses: old tar files have long names, GNU's large sizes.
        let mut header = if full.len() > SHORT { tar::Header::new_ustar() } else { tar::Header::new_gnu() };
        header.set_path(full)?;
        header.set_size(size);
        header.set_mode(if executable { PROGRAM } else { DATA });
        header.set_mtime(self.mtime);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.small()?.write_all(header.as_bytes())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.small()?.write_all(&[0; 2 * BLOCK])?;
        let mut writer = self.small.take().ok_or(io::ErrorKind::BrokenPipe)?.finish()?;
        writer.flush()?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Writes a bundle's folder as an archive. `top` is the folder's name in it, `mtime` in seconds since 1970. The bytes do not depend on
/// which frames are there.
pub fn write_archive(
    folder: &Path,
    top: &str,
    manifest: &Manifest,
    mtime: u64,
    frames: &Frames,
    out: &Path,
) -> io::Result<()> {
    let mut writer = Writer::new(top, mtime, frames, out)?;
    for path in [MANIFEST, SUMS] {
        let file = open(&folder.join(path))?;
        writer.add(path, file.metadata()?.len(), false, file, None)?;
    }
    for file in &manifest.files {
        let from = open(&folder.join(&file.path))?;
        writer.add(&file.path, file.size, file.executable, from, frames.get(file))?;
    }
    writer.finish()
}

/// Writes a bundle, folder or archive, as an archive with a signature of its checksums.
pub fn write_signed(
    source: &Source,
    manifest: &Manifest,
    signature: &str,
    mtime: u64,
    frames: &Frames,
    out: &Path,
) -> Result<(), SourceError> {
    let failed = |error| SourceError::Io { path: out.into(), error };
    let mut writer = Writer::new(&manifest.bundle_name(), mtime, frames, out).map_err(failed)?;
    source.for_each(&mut |path, reader| match (path, manifest.file(path)) {
        (SIGNATURE, _) => Ok(()),
        (MANIFEST | SUMS, _) => {
            let mut text = Vec::new();
            reader.take(MAX_TEXT).read_to_end(&mut text)?;
            writer.add(path, text.len() as u64, false, &text[..], None)?;
            if path == SUMS {
                writer.add(SIGNATURE, signature.len() as u64, false, signature.as_bytes(), None)
            } else {
                Ok(())
            }
        }
        (_, Some(file)) => writer.add(path, file.size, file.executable, reader, frames.get(file)),
        (_, None) => Err(io::ErrorKind::InvalidData.into()),
    })?;
    writer.finish().map_err(failed)
}
