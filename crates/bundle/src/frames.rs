//! The frames of zstd that an archive is made of. The content of a large file is a frame of its own, which depends on nothing else: one
//! that is kept serves each archive with this file. Readers such as `tar --zstd` read frames one behind the other as one.

use crate::file_entry::FileEntry;
use crate::hash::{Hashed, hash_blocks};
use crate::open::open;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Chain, Cursor, Read, Write};
use std::mem;
use std::path::{Path, PathBuf};

/// How a bundle's archive starts: the magic number of zstd.
pub const ARCHIVE_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Higher levels gain a few per cent of a root filesystem and take minutes.
const LEVEL: i32 = 6;
/// Changes the output's bytes if it is changed between 0 and more; all others give the same.
const WORKERS: u32 = 2;
/// From this size on, in bytes, a file's content is a frame of its own. Smaller ones are compressed together: they are alike.
const LARGE: u64 = 4 << 20;

/// How an archive is cut into frames, and which of them are there already.
#[derive(Clone, Debug)]
pub struct Frames {
    large: u64,
    /// Files with a frame each, by the sha256 of what was compressed.
    kept: BTreeMap<String, PathBuf>,
}

impl Default for Frames {
    fn default() -> Self {
        Self::of_files_from(LARGE)
    }
}

impl Frames {
    /// With a frame for each file that has as many bytes; none is there.
    pub(crate) fn of_files_from(large: u64) -> Self {
        Self { large, kept: BTreeMap::new() }
    }

    /// Whether so many bytes are a frame of their own.
    pub fn is_large(&self, size: u64) -> bool {
        size >= self.large
    }

    /// Takes a frame that [`write_frame`] has written, of content with this sha256.
    pub fn keep(&mut self, sha256: &str, frame: PathBuf) {
        self.kept.insert(sha256.into(), frame);
    }

    /// The frame of a large file, if it is there.
    pub(crate) fn get(&self, file: &FileEntry) -> Option<&Path> {
        self.kept.get(&file.sha256).filter(|_| self.is_large(file.size)).map(PathBuf::as_path)
    }
}

/// All that shapes a frame, but for its content.
pub fn compression() -> String {
    format!("zstd {}, level {LEVEL}", zstd::zstd_safe::version_string())
}

/// What compresses a frame.
pub(crate) fn encoder<W: Write>(out: W) -> io::Result<zstd::Encoder<'static, W>> {
    encoder_with(WORKERS, out)
}

fn encoder_with<W: Write>(workers: u32, out: W) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.multithread(workers)?;
    Ok(encoder)
}

/// Compresses a file as a frame. Returns what was read: only of content with this sha256 it is the frame.
pub fn write_frame(from: &Path, out: &Path) -> io::Result<Hashed> {
    let mut encoder = encoder(File::create(out)?)?;
    let hashed = hash_blocks(open(from)?, |block| encoder.write_all(block))?;
    encoder.finish()?;
    Ok(hashed)
}

/// Unpacks frames, and nothing but frames that have contents: an archive hides nothing.
pub(crate) struct FrameReader<R: BufRead>(FrameState<R>);

enum FrameState<R: BufRead> {
    Between(R),
    In { decoder: Box<zstd::Decoder<'static, Chain<Cursor<Vec<u8>>, R>>>, empty: bool },
    Ended,
}

impl<R: BufRead> FrameReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self(FrameState::Between(reader))
    }
}

impl<R: BufRead> Read for FrameReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // What fails is not read on.
            match mem::replace(&mut self.0, FrameState::Ended) {
                FrameState::Between(mut reader) => {
                    let mut magic = Vec::new();
                    reader.by_ref().take(ARCHIVE_MAGIC.len() as u64).read_to_end(&mut magic)?;
                    if magic.is_empty() {
                        return Ok(0);
                    }
                    if magic != ARCHIVE_MAGIC {
                        return Err(io::Error::other("holds bytes that are no zstd frame"));
                    }
                    let decoder = zstd::Decoder::with_buffer(Cursor::new(magic).chain(reader))?;
                    self.0 = FrameState::In { decoder: Box::new(decoder.single_frame()), empty: true };
                }
                FrameState::In { mut decoder, empty } => match decoder.read(buffer)? {
                    0 if buffer.is_empty() => {
                        self.0 = FrameState::In { decoder, empty };
                        return Ok(0);
                    }
                    0 if empty => return Err(io::Error::other("holds a zstd frame without contents")),
                    0 => self.0 = FrameState::Between(decoder.finish().into_inner().1),
                    length => {
                        self.0 = FrameState::In { decoder, empty: false };
                        return Ok(length);
                    }
                },
                FrameState::Ended => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{problems, written};
    use crate::{Source, write_archive, write_signed};
    use std::fs;

    #[test]
    fn the_number_of_workers_does_not_show() {
        // More than what one worker takes at once.
        let bytes: Vec<u8> = (0..5_u32 << 19).flat_map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes()).collect();
        let compressed = |workers| {
            let mut encoder = encoder_with(workers, Vec::new()).unwrap();
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        };
        let one = compressed(1);
        assert!(one == compressed(2) && one == compressed(5));
        assert!(zstd::decode_all(&one[..]).unwrap() == bytes);
    }

    #[test]
    fn an_archive_has_the_same_bytes_whichever_frames_are_there() {
        let (dir, folder, manifest) = written();
        let name = manifest.bundle_name();
        let packed = |frames: &Frames| {
            let out = dir.path().join("packed.tar.zst");
            write_archive(&folder, &name, &manifest, 1, frames, &out).unwrap();
            assert_eq!(problems(&out), Vec::<String>::new());
            let signed = dir.path().join("signed.tar.zst");
            write_signed(&Source::open(&out).unwrap(), &manifest, "?", 1, frames, &signed).unwrap();
            [out, signed].map(|path| fs::read(path).unwrap())
        };
        // All files but the smallest ones.
        let mut frames = Frames::of_files_from(300);
        let none = packed(&frames);
        let mut found = Vec::new();
        for (index, file) in manifest.files.iter().filter(|file| file.size >= 300).enumerate() {
            let frame = dir.path().join(index.to_string());
            let read = write_frame(&folder.join(&file.path), &frame).unwrap();
            assert_eq!((read.size, &read.sha256), (file.size, &file.sha256));
            let bytes = fs::read(&frame).unwrap();
            assert!(none.iter().all(|archive| archive.windows(bytes.len()).any(|part| part == bytes)));
            frames.keep(&file.sha256, frame);
            found.push(file.path.as_str());
            assert!(packed(&frames) == none, "{found:?}");
        }
        assert!(found.len() > 1 && found.len() < manifest.files.len(), "{found:?}");
        // Another cut, the same contents; and small files share a frame though they are kept.
        frames.large = LARGE;
        let together = packed(&frames);
        assert!(together != none && together == packed(&Frames::default()));
        for (one, other) in none.iter().zip(&together) {
            assert!(zstd::decode_all(&one[..]).unwrap() == zstd::decode_all(&other[..]).unwrap());
        }
    }

    #[test]
    fn a_frame_of_other_content_is_found() {
        let (dir, folder, manifest) = written();
        let mut frames = Frames::of_files_from(300);
        let file = manifest.files.iter().find(|file| file.path == "rootfs/system.img").unwrap();
        let (other, frame, out) =
            (dir.path().join("other"), dir.path().join("frame"), dir.path().join("out"));
        fs::write(&other, vec![7; usize::try_from(file.size).unwrap()]).unwrap();
        let other = write_frame(&other, &frame).unwrap().sha256;
        frames.keep(&file.sha256, frame);
        write_archive(&folder, &manifest.bundle_name(), &manifest, 1, &frames, &out).unwrap();
        let expected = format!("rootfs/system.img: has sha256 {other}, expected {}", file.sha256);
        assert_eq!(problems(&out), [expected]);
    }

    #[test]
    fn what_has_become_shorter_makes_no_archive() {
        let (dir, folder, manifest) = written();
        fs::write(folder.join("rootfs/system.img"), "short").unwrap();
        for large in [1, LARGE] {
            let (frames, out) = (Frames::of_files_from(large), dir.path().join("out"));
            let written = write_archive(&folder, &manifest.bundle_name(), &manifest, 1, &frames, &out);
            assert_eq!(written.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
