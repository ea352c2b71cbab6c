//! From a raw image to a sparse one.

use super::error::SparseError;
use super::header::{CHUNK_HEADER, DONT_CARE, FILE_HEADER, FILL, Header, MAX_BLOCK_SIZE, RAW, is_block_size};
use super::input::{Input, WORD, parts};
use super::summary::Summary;
use std::io::{Read, Seek, SeekFrom, Write};

/// Bytes of raw image in a chunk, at most. Readers hold a chunk's bytes in 32 bits, signed ones among them
/// (`write_sparse_fill_chunk` of AOSP's `libsparse/output_file.cpp`), and NVIDIA's read chunk by chunk.
pub(super) const MAX_CHUNK: u64 = 64 << 20;

/// What a chunk holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChunkKind {
    Raw,
    Fill([u8; WORD as usize]),
    DontCare,
}

impl ChunkKind {
    /// `unused` is asked only about zeros.
    fn of(block: &[u8], unused: impl FnOnce() -> bool) -> Self {
        // If each word equals the next one, all are equal.
        match (block.split_first_chunk(), block.split_last_chunk::<{ WORD as usize }>()) {
            (Some((word, behind)), Some((before, _))) if behind == before => {
                if *word == [0; WORD as usize] && unused() { Self::DontCare } else { Self::Fill(*word) }
            }
            _ => Self::Raw,
        }
    }
}

/// The chunk that is being written.
struct Chunk {
    kind: ChunkKind,
    /// Where it begins in the sparse image.
    start: u64,
    /// 0: none has been begun.
    blocks: u32,
}

/// Writes chunks and counts.
struct Encoder<'a, W> {
    out: &'a mut W,
    /// Position in `out` where the sparse image begins.
    base: u64,
    /// Bytes of sparse image so far.
    offset: u64,
    block_size: u32,
    chunks: u32,
    chunk: Chunk,
}

impl<W: Write + Seek> Encoder<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SparseError> {
        let written = self.out.write_all(bytes);
        written.map_err(|error| SparseError::Write { offset: self.offset, error })?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Replaces what was written at an earlier offset.
    fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<(), SparseError> {
        let end = SeekFrom::Start(self.base + self.offset);
        let patched = self.out.seek(SeekFrom::Start(self.base + offset)).and_then(|_| {
            self.out.write_all(bytes)?;
            self.out.seek(end)
        });
        patched.map(|_| ()).map_err(|error| SparseError::Write { offset, error })
    }

    /// Adds blocks of one kind.
    fn add(&mut self, kind: ChunkKind, mut blocks: &[u8]) -> Result<(), SparseError> {
        let block_size = self.block_size as usize;
        let most = (MAX_CHUNK / u64::from(self.block_size)) as u32;
        while !blocks.is_empty() {
            if self.chunk.blocks == 0 || self.chunk.kind != kind || self.chunk.blocks >= most {
                self.end_chunk()?;
                self.chunk = Chunk { kind, start: self.offset, blocks: 0 };
                if kind == ChunkKind::Raw {
                    // Its size is known when it ends.
                    self.write(&[0; CHUNK_HEADER as usize])?;
                }
            }
            let count = (blocks.len() / block_size).clamp(1, (most - self.chunk.blocks) as usize);
            let (now, later) = blocks.split_at_checked(count * block_size).unwrap_or((blocks, &[]));
            if kind == ChunkKind::Raw {
                self.write(now)?;
            }
            self.chunk.blocks += count as u32;
            blocks = later;
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), SparseError> {
        let Chunk { kind, start, blocks } = self.chunk;
        if blocks == 0 {
            return Ok(());
        }
        self.chunks += 1;
        match kind {
            ChunkKind::Raw => {
                let size = (self.offset - start) as u32;
                self.patch(start, &chunk_header(RAW, blocks, size))
            }
            ChunkKind::Fill(word) => {
                self.write(&chunk_header(FILL, blocks, CHUNK_HEADER + WORD))?;
                self.write(&word)
            }
            ChunkKind::DontCare => self.write(&chunk_header(DONT_CARE, blocks, CHUNK_HEADER)),
        }
    }
}

fn chunk_header(kind: u32, blocks: u32, size: u32) -> Vec<u8> {
    [kind, blocks, size].into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Writes the sparse image of a raw one that has `size` bytes, a multiple of `block_size` ([`super::BLOCK_SIZE`]).
///
/// The image begins at the position of `out`, which is left behind it; the same input gives the same bytes. Runs of
/// blocks in which all words are equal become FILL chunks. So do zeros, never DONT_CARE: a device that is not erased
/// would keep what an earlier filesystem left there. [`encode_filesystem`] spares a device the zeros that nobody reads.
pub fn encode(
    raw: &mut impl Read,
    size: u64,
    out: &mut (impl Write + Seek),
    block_size: u32,
) -> Result<Summary, SparseError> {
    encode_filesystem(raw, size, out, block_size, |_| false)
}

/// [`encode`] for the image of a filesystem: blocks of zeros that it does not use become DONT_CARE. `unused` says it of a
/// block by its number, from 0.
///
/// A device writes FILL byte by byte, which takes minutes for the gigabytes of zeros of a fresh root filesystem, and skips
/// DONT_CARE, which leaves there what was there before. Neither serves for all zeros: inode tables, bitmaps and the journal
/// of a filesystem are zeros that it reads. NVIDIA's `mksparse` makes DONT_CARE of every block of zeros, and a filesystem
/// from it can find stale bytes in them. NVIDIA's device side (cboot, `tegrabl_sparse.c`) takes RAW, FILL and DONT_CARE.
pub fn encode_filesystem(
    raw: &mut impl Read,
    size: u64,
    out: &mut (impl Write + Seek),
    block_size: u32,
    unused: impl Fn(u64) -> bool,
) -> Result<Summary, SparseError> {
    if !is_block_size(block_size) {
        return Err(SparseError::BlockSize(block_size));
    }
    if !size.is_multiple_of(u64::from(block_size)) {
        return Err(SparseError::RawSize { size, block_size });
    }
    let blocks = u32::try_from(size / u64::from(block_size))
        .map_err(|_| SparseError::TooLarge { size, block_size })?;
    let base = out.stream_position().map_err(|error| SparseError::Write { offset: 0, error })?;
    let chunk = Chunk { kind: ChunkKind::Raw, start: 0, blocks: 0 };
    let mut encoder = Encoder { out, base, offset: 0, block_size, chunks: 0, chunk };
    // Until the image is complete it has no magic, so that nothing takes a part for the whole.
    encoder.write(&[0; FILE_HEADER as usize])?;
    let mut input = Input::new(raw);
    let mut buffer = vec![0; (MAX_BLOCK_SIZE - MAX_BLOCK_SIZE % block_size) as usize];
    let mut number = 0;
    for part in parts(size, buffer.len()) {
        let part = buffer.get_mut(..part).unwrap_or_default();
        input.fill(part, "the raw image")?;
        let mut rest: &[u8] = part;
        while !rest.is_empty() {
            let (kind, run, behind) = split_run(rest, block_size as usize, number, &unused);
            encoder.add(kind, run)?;
            number += (run.len() / block_size as usize) as u64;
            rest = behind;
        }
    }
    encoder.end_chunk()?;
    let (chunks, sparse_size) = (encoder.chunks, encoder.offset);
    let header = Header { block_size, blocks, chunks, chunk_header: CHUNK_HEADER };
    encoder.patch(0, &header.to_bytes())?;
    out.flush().map_err(|error| SparseError::Write { offset: sparse_size, error })?;
    Ok(Summary { raw_size: size, sparse_size, chunks })
}

/// The blocks at the start that are of one kind, and the rest. `first` is the number of the first block.
fn split_run(
    blocks: &[u8],
    block_size: usize,
    first: u64,
    unused: impl Fn(u64) -> bool,
) -> (ChunkKind, &[u8], &[u8]) {
    let numbered = blocks.chunks(block_size).zip(first..);
    let mut kinds = numbered.map(|(block, number)| ChunkKind::of(block, || unused(number)));
    let kind = kinds.next().unwrap_or(ChunkKind::Raw);
    let count = 1 + kinds.take_while(|next| *next == kind).count();
    let (run, behind) = blocks.split_at_checked(count * block_size).unwrap_or((blocks, &[]));
    (kind, run, behind)
}
