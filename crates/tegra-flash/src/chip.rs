//! What a board's boot ROM says of itself when it is first spoken to: `BR_CID: 0x880219…`.
//!
//! As `get_fuse_level` of NVIDIA's flash.sh reads it (L4T R32.7). t194: behind `0x` a digit for the fuses, `80`, a digit for the
//! chip's revision, `19`. t186: a digit for the fuses, `18`, and no revision.

use trusty_image::Soc;

/// A chip and its fuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipId {
    /// The whole text: it is unique to the chip.
    pub text: String,
    /// Which it is.
    pub soc: Soc,
    /// Revision, where it says one: 2 is A02, which boards with t194 are sold with.
    pub revision: Option<u8>,
    /// What the fuses demand.
    pub fuses: Fuses,
}

/// What fuses demand of what is flashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuses {
    /// Nothing.
    None,
    /// Signatures (PKC).
    Pkc,
    /// Signatures and encryption (SBK and PKC).
    PkcSbk,
    /// Encryption alone, which t186 knows.
    Sbk,
    /// Not fused for production: NVIDIA's own boards.
    Development,
}

/// Why there is no chip to flash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChipError {
    /// The boot ROM did not answer with an identity.
    #[error("the boot ROM did not name the chip (no BR_CID)")]
    Silent,
    /// Another chip.
    #[error(
        "chip {0} is neither a t194, the chip of Jetson AGX Xavier and Xavier NX, nor a t186, that of Jetson TX2"
    )]
    Other(String),
}

impl ChipId {
    /// Finds the identity in what `tegrarcm_v2` prints.
    pub fn find(output: &str) -> Result<Self, ChipError> {
        let line = output.lines().find_map(|line| line.split("BR_CID:").nth(1));
        let text = line.and_then(|rest| rest.split_whitespace().next()).ok_or(ChipError::Silent)?;
        let other = || ChipError::Other(text.chars().take(40).flat_map(char::escape_default).collect());
        let digits = text.strip_prefix("0x").ok_or_else(other)?;
        let (fuses, revision) = match digits.as_bytes() {
            [fuses, b'8', b'0', revision, b'1', b'9', ..] => (fuses, revision),
            [fuses, b'1', b'8', ..] => {
                let fuses = match fuses.to_ascii_lowercase() {
                    b'0'..=b'2' => Fuses::Development,
                    b'8' | b'c' => Fuses::None,
                    b'9' | b'd' => Fuses::Sbk,
                    b'a' => Fuses::Pkc,
                    b'e' => Fuses::PkcSbk,
                    _ => return Err(other()),
                };
                return Ok(Self { text: text.into(), soc: Soc::T186, revision: None, fuses });
            }
            _ => return Err(other()),
        };
        let fuses = match fuses.to_ascii_lowercase() {
            b'0'..=b'2' => Fuses::Development,
            b'8' => Fuses::None,
            b'9' | b'a' => Fuses::Pkc,
            b'd' | b'e' => Fuses::PkcSbk,
            _ => return Err(other()),
        };
        let revision = char::from(*revision).to_digit(16).ok_or_else(other)?;
        Ok(Self { text: text.into(), soc: Soc::T194, revision: Some(revision as u8), fuses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fuses_and_revision_are_read() {
        let chip = |cid: &str| ChipId::find(&format!("x\n[   0.1 ] BR_CID: {cid}\ny"));
        let found = chip("0x88021911645995822400000015028280").unwrap();
        assert_eq!((found.soc, found.revision, found.fuses), (Soc::T194, Some(2), Fuses::None));
        assert_eq!(found.text, "0x88021911645995822400000015028280");
        for (digit, fuses) in [('a', Fuses::Pkc), ('E', Fuses::PkcSbk), ('1', Fuses::Development)] {
            assert_eq!(chip(&format!("0x{digit}802191164599582")).unwrap().fuses, fuses);
        }
        for (digit, fuses) in
            [('8', Fuses::None), ('c', Fuses::None), ('D', Fuses::Sbk), ('e', Fuses::PkcSbk)]
        {
            let found = chip(&format!("0x{digit}18010016417d2001")).unwrap();
            assert_eq!((found.soc, found.revision, found.fuses), (Soc::T186, None, fuses));
        }
        for other in ["0x78021911", "0x3180", "0x821", "0x880218", "880219", "0x", "0x8801819"] {
            assert_eq!(chip(other), Err(ChipError::Other(other.into())));
        }
        assert_eq!(ChipId::find("BootRom is not running"), Err(ChipError::Silent));
        assert_eq!(ChipId::find("BR_CID: "), Err(ChipError::Silent));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(text: String) {
            let _ = ChipId::find(&text);
            let _ = ChipId::find(&format!("BR_CID: 0x{text}"));
        }
    }
}
