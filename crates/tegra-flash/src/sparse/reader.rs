//! From a sparse image to the raw one.

use super::error::SparseError;
use super::header::{CHUNK_HEADER, CRC32, DONT_CARE, FILL, Header, MAX_BLOCK_SIZE, RAW};
use super::input::{Input, WORD, parts};
use super::summary::Summary;
use std::io::{Read, Seek, Write};

/// Writes and counts; zeros are seeks that wait for the next write.
pub(super) struct Output<'a, W> {
    inner: &'a mut W,
    /// Where the raw image goes on, with `hole` bytes that are not yet skipped.
    pub(super) offset: u64,
    hole: u64,
}

impl<'a, W: Write + Seek> Output<'a, W> {
    pub(super) fn new(inner: &'a mut W) -> Self {
        Self { inner, offset: 0, hole: 0 }
    }

    fn skip(&mut self, bytes: u64) {
        self.hole += bytes;
        self.offset += bytes;
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SparseError> {
        let hole = std::mem::take(&mut self.hole) as i64;
        let skipped = if hole > 0 { self.inner.seek_relative(hole) } else { Ok(()) };
        let written = skipped.and_then(|()| self.inner.write_all(bytes));
        written.map_err(|error| SparseError::Write { offset: self.offset, error })?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Skipping alone does not make a file longer: the last byte of a hole at the end is written.
    fn finish(&mut self) -> Result<(), SparseError> {
        if self.hole > 0 {
            self.hole -= 1;
            self.offset -= 1;
            self.write(&[0])?;
        }
        self.inner.flush().map_err(|error| SparseError::Write { offset: self.offset, error })
    }
}

/// Writes the raw image of a sparse one, to its full length.
///
/// `raw` must be empty, or zeros from its position on: DONT_CARE chunks and filling with zeros become seeks, so that
/// a file gets holes. `sparse` is read in small pieces as well as large ones: give a `BufReader`. Nothing limits the
/// size of the raw image but [`Header::raw_size`], which a caller can compare with what there is room for.
///
/// Checksums are skipped: what AOSP's writer puts into a CRC32 chunk counts a FILL chunk as one block and DONT_CARE
/// as nothing, while its reader counts all bytes, so that sound images would be refused
/// (`libsparse/output_file.cpp`, `libsparse/sparse_read.cpp`).
pub fn decode(sparse: &mut impl Read, raw: &mut (impl Write + Seek)) -> Result<Summary, SparseError> {
    let mut input = Input::new(sparse);
    let header = Header::from_input(&mut input)?;
    let mut output = Output::new(raw);
    let mut buffer = vec![0; MAX_BLOCK_SIZE as usize];
    for _ in 0..header.chunks {
        chunk(&header, &mut input, &mut output, &mut buffer)?;
    }
    if output.offset != header.raw_size() {
        let sum = output.offset / u64::from(header.block_size);
        let expected = format!("0x{sum:x}, the blocks of all chunks");
        return Err(SparseError::Field { offset: 16, field: "total blocks", found: header.blocks, expected });
    }
    let sparse_size = input.offset;
    if input.read(&mut [0])? > 0 {
        return Err(SparseError::Trailing { offset: sparse_size, chunks: header.chunks });
    }
    output.finish()?;
    Ok(Summary { raw_size: header.raw_size(), sparse_size, chunks: header.chunks })
}

pub(super) fn chunk<R: Read, W: Write + Seek>(
    header: &Header,
    input: &mut Input<'_, R>,
    output: &mut Output<'_, W>,
    buffer: &mut [u8],
) -> Result<(), SparseError> {
    let start = input.offset;
    let [kind, blocks, total] = input.words("a chunk's header")?;
    let field = |offset, field, found, expected| {
        Err(SparseError::Field { offset: start + offset, field, found, expected })
    };
    // The upper half is reserved.
    let kind = kind & 0xffff;
    let size = u64::from(blocks) * u64::from(header.block_size);
    let data = match kind {
        RAW => size,
        FILL | CRC32 => u64::from(WORD),
        DONT_CARE => 0,
        _ => {
            let known = "0xcac1 (raw), 0xcac2 (fill), 0xcac3 (don't care) or 0xcac4 (CRC32)";
            return field(0, "chunk type", kind, known.into());
        }
    };
    let room = if kind == CRC32 { 0 } else { header.raw_size().saturating_sub(output.offset) };
    if size > room {
        let left = room / u64::from(header.block_size);
        let why =
            if kind == CRC32 { "for a checksum" } else { "what is left of the file header's total blocks" };
        let most = if left == 0 { "0x0".into() } else { format!("at most 0x{left:x}") };
        return field(4, "chunk's blocks", blocks, format!("{most}, {why}"));
    }
    let expected = u64::from(header.chunk_header) + data;
    if u64::from(total) != expected {
        let parts = format!("0x{:x} of header and 0x{data:x} of data", header.chunk_header);
        return field(8, "chunk's size", total, format!("0x{expected:x}, {parts}"));
    }
    input.skip(header.chunk_header - CHUNK_HEADER, "a chunk's header")?;
    match kind {
        RAW => {
            for part in parts(size, buffer.len()) {
                let part = buffer.get_mut(..part).unwrap_or_default();
                input.fill(part, "a raw chunk's data")?;
                output.write(part)?;
            }
        }
        FILL => {
            let [word] = input.words("a fill chunk's word")?;
            fill(word, size, output, buffer)?;
        }
        CRC32 => {
            let [_checksum] = input.words("a CRC32 chunk's checksum")?;
        }
        _ => output.skip(size),
    }
    Ok(())
}

fn fill<W: Write + Seek>(
    word: u32,
    size: u64,
    output: &mut Output<'_, W>,
    buffer: &mut [u8],
) -> Result<(), SparseError> {
    if word == 0 {
        output.skip(size);
        return Ok(());
    }
    // Many small chunks do not fill the whole buffer each.
    let first = parts(size, buffer.len()).next().unwrap_or(0);
    for bytes in buffer.get_mut(..first).unwrap_or_default().chunks_exact_mut(WORD as usize) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    for part in parts(size, buffer.len()) {
        output.write(buffer.get(..part).unwrap_or_default())?;
    }
    Ok(())
}
