//! The image for a board: Android's sparse form, in which NVIDIA's tools send it.

use crate::errors::RootfsError;
use crate::ext4;
use carveout_host::error::{At, Result};
use carveout_host::sparse::same;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use tegra_flash::sparse::{BLOCK_SIZE, encode_filesystem};

/// Bytes that are written at once.
const PIECE: usize = 1 << 20;

/// Makes the sparse image of a filesystem's raw one, and reads it again: it must stand for the same bytes.
pub fn from_ext4(raw: &Path, sparse: &Path) -> Result<()> {
    let free = ext4::free_blocks(raw)?;
    let mut input = File::open(raw).at(raw)?;
    let size = input.metadata().at(raw)?.len();
    let mut out = BufWriter::with_capacity(PIECE, File::create(sparse).at(sparse)?);
    let made = encode_filesystem(&mut input, size, &mut out, BLOCK_SIZE, |block| free.contains(block));
    made.map_err(|e| RootfsError::SparseImageNotMade { path: sparse.into(), source: e.into() })?;
    out.flush().at(sparse)?;
    drop(out);
    same(raw, size, sparse)
}
