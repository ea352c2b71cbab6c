//! The TZDRAM carve-out: memory that the secure world has for itself.

use crate::limits::{MIB, TZDRAM_ALIGNMENT_MAX, TZDRAM_GRANULE, TZDRAM_MAX, TZDRAM_MIN};
use crate::size::{Size, human};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A carve-out that the kernel boots in, of a size and an alignment that the memory controller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CarveOut"))]
#[serde(try_from = "Figures")]
pub struct Tzdram {
    size: u64,
    alignment: u64,
}

/// The TZDRAM carve-out, in bytes.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CarveOut"))]
#[serde(rename = "Tzdram", deny_unknown_fields)]
struct Figures {
    /// Its size.
    size: u64,
    /// Its alignment.
    alignment: u64,
}

impl Tzdram {
    /// NVIDIA's own, of each t194 board.
    pub const STOCK: Self = Self { size: 16 * MIB, alignment: TZDRAM_GRANULE };
    /// The largest.
    pub const LARGEST: Self = Self { size: TZDRAM_MAX, alignment: TZDRAM_GRANULE };

    /// A carve-out of this size and alignment, in bytes.
    pub fn new(size: u64, alignment: u64) -> Result<Self, TzdramError> {
        if !alignment.is_power_of_two() || !(TZDRAM_GRANULE..=TZDRAM_ALIGNMENT_MAX).contains(&alignment) {
            return Err(TzdramError::Alignment(alignment));
        }
        if !(TZDRAM_MIN..=TZDRAM_MAX).contains(&size) {
            return Err(TzdramError::Range(size));
        }
        if !size.is_multiple_of(alignment) {
            return Err(TzdramError::Unaligned { size, alignment });
        }
        Ok(Self { size, alignment })
    }

    /// A carve-out of this size in bytes, of the least alignment.
    pub fn of_size(size: u64) -> Result<Self, TzdramError> {
        Self::new(size, TZDRAM_GRANULE)
    }

    /// Its size in bytes.
    pub fn size(self) -> u64 {
        self.size
    }

    /// Its alignment in bytes.
    pub fn alignment(self) -> u64 {
        self.alignment
    }
}

impl fmt::Display for Tzdram {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&human(self.size))
    }
}

impl TryFrom<Figures> for Tzdram {
    type Error = TzdramError;

    fn try_from(figures: Figures) -> Result<Self, TzdramError> {
        Self::new(figures.size, figures.alignment)
    }
}

/// Why a carve-out cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TzdramError {
    /// Smaller or larger than the kernel boots in.
    #[error(
        "a carve-out of 0x{0:x} bytes does not boot: allowed are {least} to {most} (the kernel maps TZDRAM into {room} of \
         address space)",
        least = Size(TZDRAM_MIN), most = Size(TZDRAM_MAX), room = human(TZDRAM_MAX)
    )]
    Range(u64),
    /// Not a power of two, or below the memory controller's granularity.
    #[error(
        "an alignment of 0x{0:x} bytes is impossible: allowed are powers of two from {least} to {most}",
        least = Size(TZDRAM_GRANULE), most = Size(TZDRAM_ALIGNMENT_MAX)
    )]
    Alignment(u64),
    /// Not a multiple of the alignment.
    #[error("a carve-out of 0x{size:x} bytes is not a multiple of its alignment 0x{alignment:x}")]
    Unaligned {
        /// The carve-out's size.
        size: u64,
        /// Its alignment.
        alignment: u64,
    },
}

/// The carve-out (TZDRAM), as people write it: sizes with units.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Tzdram"))]
#[serde(deny_unknown_fields)]
pub struct TzdramText {
    /// Its size: 1MiB to 106MiB, a multiple of the alignment.
    pub size: String,
    /// Its alignment: a power of two, 1MiB to 128MiB.
    #[serde(default = "least_alignment")]
    pub alignment: String,
}

fn least_alignment() -> String {
    Size(TZDRAM_GRANULE).to_string()
}

/// Why a text is no carve-out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TzdramTextError {
    /// A value that is no size.
    #[error("{why}")]
    NotASize {
        /// Its key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Sizes of which no carve-out can be.
    #[error(transparent)]
    Impossible(#[from] TzdramError),
}

impl TzdramTextError {
    /// The key whose value is to be changed.
    pub fn key(&self) -> &'static str {
        match self {
            Self::NotASize { key, .. } => key,
            Self::Impossible(TzdramError::Alignment(_)) => "alignment",
            Self::Impossible(_) => "size",
        }
    }
}

impl TzdramText {
    /// The carve-out; `size` in bytes counts instead of the written one.
    pub fn read(&self, size: Option<u64>) -> Result<Tzdram, TzdramTextError> {
        let bytes = |key, text: &str| {
            let size: Result<Size, _> = text.parse();
            size.map(|size| size.0).map_err(|why| TzdramTextError::NotASize { key, why })
        };
        let written = bytes("size", &self.size)?;
        Ok(Tzdram::new(size.unwrap_or(written), bytes("alignment", &self.alignment)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_carve_outs() {
        for size in [16 * MIB, 106 * MIB] {
            let tzdram = Tzdram::new(size, MIB).unwrap();
            assert_eq!((tzdram.size(), tzdram.alignment()), (size, MIB));
            assert_eq!(Tzdram::of_size(size), Ok(tzdram));
        }
        for size in [0, 1, MIB - 1, 107 * MIB, 4096 * MIB, u64::MAX] {
            assert_eq!(Tzdram::new(size, MIB), Err(TzdramError::Range(size)));
        }
        let (size, alignment) = (3 * MIB, 2 * MIB);
        assert_eq!(Tzdram::new(size, alignment), Err(TzdramError::Unaligned { size, alignment }));
        for alignment in [0, 1, MIB / 2, 3 * MIB, 256 * MIB] {
            assert_eq!(Tzdram::new(16 * MIB, alignment), Err(TzdramError::Alignment(alignment)));
        }
    }

    #[test]
    fn the_known_carve_outs_are_possible() {
        for (known, text) in [(Tzdram::STOCK, "16 MiB"), (Tzdram::LARGEST, "106 MiB")] {
            assert_eq!(Tzdram::new(known.size, known.alignment), Ok(known));
            assert_eq!(known.to_string(), text);
        }
        let range = TzdramError::Range(5).to_string();
        assert!(range.contains("allowed are 1MiB to 106MiB (the kernel maps TZDRAM into 106 MiB"), "{range}");
        assert!(TzdramError::Alignment(5).to_string().ends_with("from 1MiB to 128MiB"));
    }

    #[test]
    fn a_written_carve_out_is_read() {
        let text =
            |size: &str, alignment: &str| TzdramText { size: size.into(), alignment: alignment.into() };
        assert_eq!(text("16MiB", "0x100000").read(None), Ok(Tzdram::STOCK));
        assert_eq!(text("16MiB", &least_alignment()).read(Some(106 * MIB)), Ok(Tzdram::LARGEST));
        for (size, alignment, key) in [
            ("16", "1MiB", "size"),
            ("1MiB", "1", "alignment"),
            ("3MiB", "2MiB", "size"),
            ("2MiB", "3MiB", "alignment"),
        ] {
            assert_eq!(text(size, alignment).read(None).unwrap_err().key(), key, "{size} {alignment}");
        }
    }
}
