//! The carve-out in a generated MB1 BCT, read back: the proof that what was configured is what MB1 will read.
//!
//! `tegrabct_v2` turns the misc cfg into the binary MB1_BCT, which is then signed ([`crate::signed`]). Seen by running L4T R32.7.2's
//! tools: size and alignment are little-endian `u64`s, of t194 at 0x918 and 0x920, of t186 at 0x104 and 0x10c. A BCT begins with two
//! `u32`s, its length and its version: 1 of t194, 0xf of t186.

use crate::signed::{Signed, is_mb1_bct_186};
use std::ops::Range;
use trusty_image::Tzdram;

/// Where a BCT has the carve-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its size.
    pub size: Range<usize>,
    /// Its alignment, right behind.
    pub alignment: Range<usize>,
}

/// Where t194's has it.
pub const T194: Place = Place { size: 0x918..0x920, alignment: 0x920..0x928 };
/// Where t186's has it.
pub const T186: Place = Place { size: 0x104..0x10c, alignment: 0x10c..0x114 };
/// What an MB1 BCT says of the TZDRAM carve-out, in bytes: whatever a board has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mb1Tzdram {
    /// Its size.
    pub size: u64,
    /// Its alignment.
    pub alignment: u64,
}

impl PartialEq<Tzdram> for Mb1Tzdram {
    fn eq(&self, tzdram: &Tzdram) -> bool {
        (self.size, self.alignment) == (tzdram.size(), tzdram.alignment())
    }
}

/// Why an MB1 BCT is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mb1Error {
    /// Too short to hold the carve-out. NVIDIA's tool makes an empty one of an empty cfg, and ends with success.
    #[error("{0} bytes are too few for an MB1 BCT: the carve-out lies at 0x918 (t194) or 0x104 (t186)")]
    TooShort(usize),
    /// Two BCTs that should differ in the carve-out alone have different lengths.
    #[error("it has {found} bytes, that of the unchanged boot config {expected}")]
    Length {
        /// Bytes of this one.
        found: usize,
        /// Bytes of the other.
        expected: usize,
    },
    /// Two BCTs that should differ in the carve-out alone differ elsewhere.
    #[error(
        "it differs from that of the unchanged boot config at 0x{0:x}, which is not the TZDRAM carve-out"
    )]
    Elsewhere(usize),
}

/// The BCT itself, without the signature's header if it has one.
pub fn body(bct: &[u8]) -> &[u8] {
    Signed::parse(bct).map_or(bct, |signed| signed.content)
}

/// Whether a file is an MB1 BCT without header: its own length, then its version, of t194 two words that are 1.
pub fn is_bct(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk::<4>().map(|word| u32::from_le_bytes(*word) as usize);
    let is_194 = length == Some(bytes.len()) && bytes.get(4..12) == Some(&[1, 0, 0, 0, 1, 0, 0, 0]);
    is_194 || is_mb1_bct_186(bytes, bytes.len())
}

/// Where a BCT without header has the carve-out.
pub fn place(body: &[u8]) -> Place {
    if is_mb1_bct_186(body, body.len()) { T186 } else { T194 }
}

/// Reads the carve-out out of a BCT, signed or not, but not encrypted.
pub fn read(bct: &[u8]) -> Result<Mb1Tzdram, Mb1Error> {
    let body = body(bct);
    let place = place(body);
    let word = |range: Range<usize>| {
        let bytes = body.get(range).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or(Mb1Error::TooShort(body.len()))
    };
    Ok(Mb1Tzdram { size: word(place.size)?, alignment: word(place.alignment)? })
}

/// Checks that a BCT differs from another, made of the unchanged boot config, in the TZDRAM carve-out and nothing else. The
/// signatures' headers may differ.
pub fn same_but_for_tzdram(bct: &[u8], unchanged: &[u8]) -> Result<(), Mb1Error> {
    let (found, expected) = (body(bct), body(unchanged));
    if found.len() != expected.len() {
        return Err(Mb1Error::Length { found: found.len(), expected: expected.len() });
    }
    let place = place(found);
    let carve_out = place.size.start..place.alignment.end;
    if found.len() < carve_out.end {
        return Err(Mb1Error::TooShort(found.len()));
    }
    let differs = |(at, (a, b)): (usize, (&u8, &u8))| (a != b).then_some(at);
    let mut different = found.iter().zip(expected).enumerate().filter_map(differs);
    match different.find(|at| !carve_out.contains(at)) {
        Some(at) => Err(Mb1Error::Elsewhere(at)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signed::{HEADER, HEADER_186};
    use proptest::prelude::*;

    fn bct(size: u64, alignment: u64) -> Vec<u8> {
        let mut bytes = vec![7; 0xa00];
        bytes[T194.size].copy_from_slice(&size.to_le_bytes());
        bytes[T194.alignment].copy_from_slice(&alignment.to_le_bytes());
        bytes
    }

    fn signed(mut body: Vec<u8>, seal: u8) -> Vec<u8> {
        let mut file = b"NVDA".to_vec();
        file.resize(HEADER, seal);
        file[0xbb0..0xbb4].copy_from_slice(b"MBCT");
        file[0xbb4..0xbb8].copy_from_slice(&(body.len() as u32).to_le_bytes());
        file.append(&mut body);
        file
    }

    #[test]
    fn the_carve_out_is_read_from_signed_and_unsigned() {
        let expected = Ok(Mb1Tzdram { size: 32 << 20, alignment: 1 << 20 });
        assert_eq!(read(&bct(32 << 20, 1 << 20)), expected);
        assert_eq!(read(&signed(bct(32 << 20, 1 << 20), 1)), expected);
        assert_eq!(read(&[]), Err(Mb1Error::TooShort(0)));
        assert_eq!(read(&bct(1, 1)[..0x927]), Err(Mb1Error::TooShort(0x927)));
    }

    /// t186's: its length and version at its front, the carve-out elsewhere, and its own header.
    #[test]
    fn the_carve_out_of_t186_is_read_where_it_lies() {
        let of_186 = |size: u64, length: u32| {
            let mut bytes = vec![7; 0xc220];
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            bytes[4..8].copy_from_slice(&15_u32.to_le_bytes());
            bytes[T186.size].copy_from_slice(&size.to_le_bytes());
            bytes[T186.alignment].copy_from_slice(&(1_u64 << 20).to_le_bytes());
            bytes
        };
        let expected = Ok(Mb1Tzdram { size: 24 << 20, alignment: 1 << 20 });
        assert_eq!(read(&of_186(24 << 20, 0xc220)), expected);
        assert_ne!(read(&of_186(24 << 20, 0xc221)), expected, "its length says that it is none");
        let mut signed = b"GSHV".to_vec();
        signed.resize(HEADER_186, 0);
        signed[0x184] = 5;
        signed[0x188..0x18c].copy_from_slice(&0xc220_u32.to_le_bytes());
        let sign = |body: Vec<u8>| [&signed[..], &body].concat();
        assert_eq!(read(&sign(of_186(24 << 20, 0xc220))), expected);
        let (old, mut new) = (sign(of_186(16 << 20, 0xc220)), sign(of_186(32 << 20, 0xc220)));
        assert_eq!(same_but_for_tzdram(&new, &old), Ok(()));
        new[HEADER_186 + 0x114] ^= 1;
        assert_eq!(same_but_for_tzdram(&new, &old), Err(Mb1Error::Elsewhere(0x114)));
    }

    #[test]
    fn only_the_carve_out_may_differ() {
        let (old, new) = (signed(bct(16 << 20, 1 << 20), 1), signed(bct(32 << 20, 2 << 20), 2));
        assert_eq!(same_but_for_tzdram(&new, &old), Ok(()));
        for at in [0, 0x917, 0x928, 0x9ff] {
            let mut other = new.clone();
            other[HEADER + at] ^= 1;
            assert_eq!(same_but_for_tzdram(&other, &old), Err(Mb1Error::Elsewhere(at)));
        }
        let error = Err(Mb1Error::Length { found: 0x9ff, expected: 0xa00 });
        assert_eq!(same_but_for_tzdram(&signed(bct(32 << 20, 1 << 20)[..0x9ff].to_vec(), 1), &old), error);
        assert_eq!(same_but_for_tzdram(&[], &[]), Err(Mb1Error::TooShort(0)));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(one: Vec<u8>, two: Vec<u8>) {
            let _ = read(&one);
            let _ = same_but_for_tzdram(&one, &two);
            let _ = same_but_for_tzdram(&signed(one, 0), &signed(two, 0));
        }
    }
}
