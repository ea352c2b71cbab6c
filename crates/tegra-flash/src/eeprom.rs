//! The EEPROM of a Jetson module: 256 bytes that say which module it is.
//!
//! At 0x14 the part number as ASCII, e.g. `699-82888-0004-400 K.0`: behind `699-8` the board, then SKU, fab and revision. The last
//! byte is a CRC-8 (Maxim) of the 255 before. Source: NVIDIA's "Jetson Module EEPROM Layout"; NVIDIA's `chkbdinfo` of L4T R32.7.2
//! computes the same.

use crate::board::BoardId;

/// Bytes of an EEPROM's image.
pub const SIZE: usize = 256;
const PART_NUMBER: std::ops::Range<usize> = 0x14..0x32;
const CRC: crc::Crc<u8> = crc::Crc::<u8>::new(&crc::CRC_8_MAXIM_DOW);

/// What an EEPROM says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eeprom {
    /// The whole part number.
    pub part_number: String,
    /// Board, fab, SKU and revision, as the part number has them. Whether carveout knows the module is [`BoardId::check`]'s to say.
    pub id: BoardId,
}

/// Why an EEPROM does not say which module it is of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EepromError {
    /// Another length.
    #[error("{0} bytes, an EEPROM has 256")]
    Length(usize),
    /// Nothing was ever written to it.
    #[error("the module's EEPROM is blank (every byte is 0x{0:02x}): it does not say which module it is")]
    Blank(u8),
    /// The CRC is not that of the content.
    #[error(
        "the module's EEPROM is damaged: its CRC-8 is 0x{stored:02x}, that of its content 0x{computed:02x}"
    )]
    Crc {
        /// The last byte.
        stored: u8,
        /// What it should be.
        computed: u8,
    },
    /// No part number of the known form.
    #[error("the module's EEPROM has the part number `{0}`, expected one such as 699-82888-0004-400 K.0")]
    PartNumber(String),
}

impl Eeprom {
    /// Reads an EEPROM's image.
    pub fn parse(bytes: &[u8]) -> Result<Self, EepromError> {
        if bytes.len() != SIZE {
            return Err(EepromError::Length(bytes.len()));
        }
        if let Some(byte) = blank(bytes) {
            return Err(EepromError::Blank(byte));
        }
        let Some((stored, content)) = bytes.split_last() else { return Err(EepromError::Length(0)) };
        let (stored, computed) = (*stored, CRC.checksum(content));
        if stored != computed {
            return Err(EepromError::Crc { stored, computed });
        }
        let field = bytes.get(PART_NUMBER).unwrap_or_default();
        let text = field.split(|b| *b == 0).next().unwrap_or_default();
        let part_number = text.escape_ascii().to_string();
        match identity(&part_number) {
            Some(id) => Ok(Self { part_number, id }),
            None => Err(EepromError::PartNumber(part_number)),
        }
    }

    /// Whether bytes look like an EEPROM's image, be it blank or damaged.
    pub fn looks_like(bytes: &[u8]) -> bool {
        let part_number = || bytes.get(PART_NUMBER).is_some_and(|field| field.starts_with(b"699-"));
        bytes.len() == SIZE && (blank(bytes).is_some() || part_number())
    }
}

/// The byte that all are, if it is one that nothing was written to.
pub fn blank(bytes: &[u8]) -> Option<u8> {
    let first = *bytes.first()?;
    (matches!(first, 0 | 0xff) && bytes.iter().all(|b| *b == first)).then_some(first)
}

/// `699-82888-0004-400 K.0`, the revision behind a blank or a hyphen.
fn identity(part_number: &str) -> Option<BoardId> {
    let mut words = part_number.split([' ', '-']).filter(|word| !word.is_empty());
    let (family, board, sku, fab) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let board = board.strip_prefix('8').filter(|_| family == "699" && board.len() == 5)?;
    let revision = words.next().unwrap_or_default().to_owned();
    Some(BoardId { board: board.into(), sku: sku.into(), fab: fab.into(), revision })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image(part_number: &str) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[0] = 1;
        bytes[0x14..0x14 + part_number.len()].copy_from_slice(part_number.as_bytes());
        bytes[255] = CRC.checksum(&bytes[..255]);
        bytes
    }

    #[test]
    fn modules_are_read() {
        let eeprom = Eeprom::parse(&image("699-82888-0004-401 F.0")).unwrap();
        assert_eq!(eeprom.id.to_string(), "P2888-0004 fab 401 revision F.0");
        let eeprom = Eeprom::parse(&image("699-83310-1000-B02 E.0")).unwrap();
        assert_eq!(eeprom.id.to_string(), "P3310-1000 fab B02 revision E.0");
    }

    /// The CRC that NVIDIA's chkbdinfo (R32.7.2) reports of 255 bytes 0xff.
    #[test]
    fn the_crc_is_nvidias() {
        assert_eq!(CRC.checksum(&[0xff; 255]), 0x35);
    }

    #[test]
    fn blank_and_damaged_ones_are_told_apart() {
        assert_eq!(Eeprom::parse(&[0xff; SIZE]), Err(EepromError::Blank(0xff)));
        assert_eq!(Eeprom::parse(&[0; SIZE]), Err(EepromError::Blank(0)));
        let mut bytes = image("699-82888-0004-400 K.0");
        let stored = bytes[255];
        bytes[0x80] = 1;
        let Err(EepromError::Crc { stored: found, .. }) = Eeprom::parse(&bytes) else { panic!() };
        assert_eq!(found, stored);
        assert_eq!(Eeprom::parse(&bytes[..255]), Err(EepromError::Length(255)));
        let other = Eeprom::parse(&image("\x1b[31m")).unwrap_err().to_string();
        assert!(other.contains("\\x1b[31m") && !other.contains('\x1b'), "{other}");
        assert!(Eeprom::looks_like(&[0xff; SIZE]) && Eeprom::looks_like(&bytes));
        assert!(!Eeprom::looks_like(&[7; SIZE]) && !Eeprom::looks_like(&bytes[1..]));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Eeprom::parse(&bytes);
            bytes.resize(SIZE, 1);
            bytes[255] = CRC.checksum(&bytes[..255]);
            let _ = Eeprom::parse(&bytes);
        }
    }
}
