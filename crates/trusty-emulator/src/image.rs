//! The trusted apps of an image file.

use std::path::Path;
use trusty_image::tasks;

/// Largest image, in bytes.
const MAX_IMAGE: u64 = 64 << 20;

/// Why an image cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is no file of a sensible size.
    #[error("no image: a regular file of at most {MAX_IMAGE} bytes is expected")]
    NoImage,
    /// It starts like a secure-os image, and is none.
    #[error("not a sound secure-os image: {0}")]
    Container(#[from] trusty_image::ContainerError),
    /// No TA is in it.
    #[error(
        "no trusted apps are in it: a secure-os image (NVTOSP), an lk.bin or trusted apps' ELF files are expected"
    )]
    Empty,
    /// A TA that the kernel's loader would not take.
    #[error("trusted app {index}: the kernel's loader would not take it:\n{findings}")]
    App {
        /// Which one, from 0.
        index: usize,
        /// Why not.
        findings: String,
    },
}

/// The ELF files of the TAs in an image: an NVTOSP container, an lk.bin, or ELF files one behind the other.
pub fn read(path: &Path) -> Result<Vec<Vec<u8>>, ImageError> {
    let metadata = path.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_IMAGE {
        return Err(ImageError::NoImage);
    }
    apps(&std::fs::read(path)?)
}

/// The same, of an image in memory.
pub fn apps(image: &[u8]) -> Result<Vec<Vec<u8>>, ImageError> {
    let container =
        image.starts_with(b"NVTOSP").then(|| trusty_image::Container::parse(image)).transpose()?;
    let os = container.as_ref().map_or(image, |container| container.os);
    let found = tasks::find(os);
    if found.is_empty() {
        return Err(ImageError::Empty);
    }
    Ok(found.into_iter().map(<[u8]>::to_vec).collect())
}
