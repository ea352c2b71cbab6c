//! The `NVTOSP` container of a secure-os image (`tos-trusty_t194.img`).
//!
//! A 512-byte header, the monitor padded with zeros to 16 bytes, the OS, zeros to a multiple of 16. Header, little
//! endian: `char[7] "NVTOSP\0"`; `char[9]` size of everything behind the header as NUL-terminated decimal ASCII;
//! `u32` monitor offset (0), `u32` monitor size (padded), `u32` OS offset, `u32` OS size (unpadded), `u32` image
//! info, `u8[16]` IV, `u32` OS type; zeros. Source: `nv_tegra/tos-scripts/gen_tos_part_img.py` of L4T R32.7.

use crate::bytes::{slice, u32_at};
use crate::limits::{SIGN_ALIGN, SIGN_HEADER, SIGN_HEADER_186};
use crate::soc::Soc;

/// Bytes of the header.
pub const HEADER_SIZE: usize = 512;
const MAGIC: &[u8; 7] = b"NVTOSP\0";
const INFO_PLAIN: u32 = 0x50;
const INFO_ENCRYPTED: u32 = 0x45;
const INFO_IV: u32 = 0x20;
/// Bytes of header that carry fields; the rest is zero.
const FIELDS_END: usize = 56;
/// The OS type of OP-TEE, and where the packer of L4T R34 and later puts offset and size of a third part, a device tree.
const OPTEE: u32 = 4;
const THIRD_PART: (usize, usize) = (56, 60);
/// NVIDIA's packer refuses more digits in the size field.
const MAX_PAYLOAD: usize = 99_999_999;
const PAD: usize = SIGN_ALIGN as usize;

/// Which trusted OS the image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TosType {
    /// No OS, a monitor alone.
    None,
    /// NVIDIA's Trusted Little Kernel.
    Tlk,
    /// Trusty.
    Trusty,
}

impl TosType {
    fn word(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Tlk => 1,
            Self::Trusty => 2,
        }
    }

    fn from_word(word: u32) -> Option<Self> {
        [Self::None, Self::Tlk, Self::Trusty].into_iter().find(|t| t.word() == word)
    }
}

/// Why an image is no sound container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// Shorter than the header.
    #[error("{0} bytes are too few: an NVTOSP header alone takes 512")]
    TooShort(usize),
    /// The magic is missing.
    #[error("offset 0x0: no NVTOSP magic; a secure-os image starts with \"NVTOSP\"")]
    Magic,
    /// The size field is no NUL-terminated decimal number.
    #[error("offset 0x7: the size field is not a NUL-terminated decimal number")]
    SizeField,
    /// The size field and the file's length disagree.
    #[error("offset 0x7: the header announces {announced} bytes behind it, the file has {present}")]
    Size {
        /// Bytes that the header announces.
        announced: usize,
        /// Bytes that follow the header.
        present: usize,
    },
    /// A field has a value that NVIDIA's packer never writes.
    #[error("offset 0x{offset:x}: {field} is 0x{found:x}, expected {expected}")]
    Field {
        /// Where the field lies.
        offset: usize,
        /// Its name.
        field: &'static str,
        /// What was found.
        found: u32,
        /// What would be right.
        expected: String,
    },
    /// The image of a later L4T.
    #[error("it holds OP-TEE, the trusted OS of L4T R34 and later, not Trusty, which is that of R32")]
    Optee,
    /// Bytes that must be zero are not.
    #[error("offset 0x{0:x}: padding that must be zero is not")]
    Padding(usize),
    /// Too large for the size field when packing.
    #[error("monitor and OS together take {0} bytes; the header's size field ends at 99999999")]
    TooLarge(usize),
}

/// A container, its parts borrowed from the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// The monitor (ATF `bl31.bin`), padded to 16 bytes; empty if there is none.
    pub monitor: &'a [u8],
    /// The OS (`lk.bin`), without padding.
    pub os: &'a [u8],
    /// Which OS it is.
    pub tos_type: TosType,
    /// Whether monitor and OS are encrypted.
    pub encrypted: bool,
    /// The AES initialisation vector, if the header gives one.
    pub iv: Option<[u8; 16]>,
}

impl<'a> Container<'a> {
    /// Reads an image and checks every field and every padding byte.
    pub fn parse(image: &'a [u8]) -> Result<Self, ContainerError> {
        let short = ContainerError::TooShort(image.len());
        let (header, payload) = image.split_at_checked(HEADER_SIZE).ok_or(short.clone())?;
        if !header.starts_with(MAGIC) {
            return Err(ContainerError::Magic);
        }
        if is_optee(header) {
            return Err(ContainerError::Optee);
        }
        let announced = size_field(header).ok_or(ContainerError::SizeField)?;
        if announced != payload.len() {
            return Err(ContainerError::Size { announced, present: payload.len() });
        }
        let word = |offset| u32_at(header, offset).ok_or(short.clone());
        let field = |offset, field, found, expected: String| {
            Err(ContainerError::Field { offset, field, found, expected })
        };
        let (monitor_offset, monitor_size) = (word(16)?, word(20)?);
        let (os_offset, os_size) = (word(24)?, word(28)?);
        let (info, tos_word) = (word(32)?, word(52)?);
        if monitor_offset != 0 {
            return field(16, "monitor offset", monitor_offset, "0".into());
        }
        if !monitor_size.is_multiple_of(SIGN_ALIGN as u32) {
            return field(20, "monitor size", monitor_size, "a multiple of 16".into());
        }
        if os_offset != monitor_size {
            return field(24, "OS offset", os_offset, format!("0x{monitor_size:x}, the monitor's end"));
        }
        let end = os_offset as usize + os_size as usize;
        if end.next_multiple_of(PAD) != payload.len() {
            return field(28, "OS size", os_size, format!("an end within the last 16 of {announced} bytes"));
        }
        if info & !INFO_IV != INFO_ENCRYPTED && info != INFO_PLAIN {
            return field(32, "image info", info, "0x50 (plain), 0x45 or 0x65 (encrypted)".into());
        }
        let Some(tos_type) = TosType::from_word(tos_word) else {
            return field(52, "OS type", tos_word, "0 (none), 1 (tlk) or 2 (trusty)".into());
        };
        zeros(image, FIELDS_END, HEADER_SIZE)?;
        let encrypted = info != INFO_PLAIN;
        if !encrypted {
            zeros(image, HEADER_SIZE + end, image.len())?;
        }
        let iv: Option<[u8; 16]> = header.get(36..52).and_then(|b| b.try_into().ok());
        if info & INFO_IV == 0 || !encrypted {
            zeros(image, 36, 52)?;
        }
        Ok(Self {
            monitor: slice(payload, 0, monitor_size).ok_or(short.clone())?,
            os: slice(payload, os_offset, os_size).ok_or(short)?,
            tos_type,
            encrypted,
            iv: iv.filter(|_| info & INFO_IV != 0 && encrypted),
        })
    }

    /// Packs a plain image, byte for byte as NVIDIA's packer does. `monitor` may be empty.
    pub fn pack(monitor: &[u8], os: &[u8], tos_type: TosType) -> Result<Vec<u8>, ContainerError> {
        let monitor_size = monitor.len().next_multiple_of(PAD);
        let payload = (monitor_size + os.len()).next_multiple_of(PAD);
        if payload > MAX_PAYLOAD {
            return Err(ContainerError::TooLarge(payload));
        }
        let mut image = Vec::with_capacity(HEADER_SIZE + payload);
        image.extend_from_slice(MAGIC);
        image.extend_from_slice(format!("{payload:\0<9}").as_bytes());
        for word in [0, monitor_size as u32, monitor_size as u32, os.len() as u32, INFO_PLAIN] {
            image.extend_from_slice(&word.to_le_bytes());
        }
        image.extend_from_slice(&[0; 16]);
        image.extend_from_slice(&tos_type.word().to_le_bytes());
        image.resize(HEADER_SIZE, 0);
        image.extend_from_slice(monitor);
        image.resize(HEADER_SIZE + monitor_size, 0);
        image.extend_from_slice(os);
        image.resize(HEADER_SIZE + payload, 0);
        Ok(image)
    }
}

/// What an image of `size` bytes takes of its partition: signing rounds it up to 16 bytes and puts a header in front.
/// NVIDIA's sign and write steps do not check that it fits.
pub fn signed_size(size: u64, soc: Soc) -> u64 {
    let header = match soc {
        Soc::T194 => SIGN_HEADER,
        Soc::T186 => SIGN_HEADER_186,
    };
    size.checked_next_multiple_of(SIGN_ALIGN).and_then(|size| size.checked_add(header)).unwrap_or(u64::MAX)
}

/// The size in a container's header, if `image` starts with one: for images read back from a partition, which is
/// longer than the image.
pub fn announced_size(image: &[u8]) -> Option<usize> {
    image.starts_with(MAGIC).then(|| size_field(image))?.map(|size| size + HEADER_SIZE)
}

/// Whether a header is one of R34's packer or a later one's: another OS type, or a third part right behind the OS.
fn is_optee(header: &[u8]) -> bool {
    let word = |offset| u32_at(header, offset).unwrap_or_default();
    let (third, size) = (word(THIRD_PART.0), word(THIRD_PART.1));
    let behind = word(24).checked_add(word(28)).is_some_and(|end| third >= end);
    word(52) == OPTEE || (third > 0 && size > 0 && behind)
}

fn size_field(header: &[u8]) -> Option<usize> {
    let field = header.get(7..16)?;
    let digits = field.iter().position(|b| *b == 0)?;
    let (number, rest) = field.split_at_checked(digits)?;
    let plain = number == b"0" || number.first().is_some_and(|b| *b != b'0');
    let canonical = plain && rest.iter().all(|b| *b == 0);
    let text = core::str::from_utf8(number).ok()?;
    (canonical && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn zeros(image: &[u8], from: usize, to: usize) -> Result<(), ContainerError> {
    let bytes = image.get(from..to).unwrap_or_default();
    match bytes.iter().position(|b| *b != 0) {
        Some(at) => Err(ContainerError::Padding(from + at)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Header fields of the image that L4T R32.7.2 ships (tos-trusty_t194.img, 406464 bytes).
    #[test]
    fn header_of_the_shipped_image() {
        let image = Container::pack(&vec![1; 0x151b0 - 3], &vec![2; 0x4e008], TosType::Trusty).unwrap();
        assert_eq!(image.len(), 406_464);
        let mut expected = b"NVTOSP\x00405952\0\0\0".to_vec();
        for word in [0u32, 0x151b0, 0x151b0, 0x4e008, 0x50, 0, 0, 0, 0, 2] {
            expected.extend_from_slice(&word.to_le_bytes());
        }
        assert_eq!(&image[..56], expected);
        assert!(image[56..512].iter().all(|b| *b == 0));
    }

    #[test]
    fn the_largest_image_fills_the_stock_partition() {
        assert_eq!(signed_size(2_617_344, Soc::T194), 2_621_440);
        assert_eq!(signed_size(2_617_343, Soc::T194), 2_621_440);
        assert_eq!(signed_size(579_264, Soc::T186), 579_664);
    }

    #[test]
    fn no_monitor() {
        let image = Container::pack(&[], b"os", TosType::Trusty).unwrap();
        let read = Container::parse(&image).unwrap();
        assert_eq!((read.monitor, read.os), (&b""[..], &b"os"[..]));
    }

    #[test]
    fn damage_is_named() {
        let good = Container::pack(b"monitor", b"kernel", TosType::Trusty).unwrap();
        let broken = |at: usize, value: u8| {
            let mut image = good.clone();
            image[at] = value;
            Container::parse(&image).unwrap_err().to_string()
        };
        assert_eq!(broken(0, b'X'), "offset 0x0: no NVTOSP magic; a secure-os image starts with \"NVTOSP\"");
        assert_eq!(broken(7, b'x'), "offset 0x7: the size field is not a NUL-terminated decimal number");
        assert_eq!(broken(8, b'3'), "offset 0x7: the header announces 33 bytes behind it, the file has 32");
        assert_eq!(broken(16, 1), "offset 0x10: monitor offset is 0x1, expected 0");
        assert_eq!(broken(20, 8), "offset 0x14: monitor size is 0x8, expected a multiple of 16");
        assert_eq!(broken(24, 0), "offset 0x18: OS offset is 0x0, expected 0x10, the monitor's end");
        assert_eq!(
            broken(32, 0x51),
            "offset 0x20: image info is 0x51, expected 0x50 (plain), 0x45 or 0x65 (encrypted)"
        );
        assert_eq!(broken(36, 1), "offset 0x24: padding that must be zero is not");
        assert_eq!(broken(52, 9), "offset 0x34: OS type is 0x9, expected 0 (none), 1 (tlk) or 2 (trusty)");
        assert_eq!(broken(300, 1), "offset 0x12c: padding that must be zero is not");
        assert_eq!(broken(good.len() - 1, 1), "offset 0x21f: padding that must be zero is not");
        assert_eq!(Container::parse(&good[..100]), Err(ContainerError::TooShort(100)));
    }

    /// The form of tos-optee_t194.img of R35.
    #[test]
    fn op_tee_is_named() {
        let good = Container::pack(&[1; 16], &[2; 32], TosType::Trusty).unwrap();
        let mut typed = good.clone();
        typed[52] = 4;
        let mut third = [&good[..], &[3; 16]].concat();
        third[7..9].copy_from_slice(b"64");
        third[56] = 48;
        third[60] = 16;
        for image in [typed, third] {
            assert_eq!(Container::parse(&image), Err(ContainerError::Optee));
        }
    }

    #[test]
    fn encrypted_images_are_recognised() {
        let mut image = Container::pack(b"", &[7; 32], TosType::Trusty).unwrap();
        image[32] = 0x65;
        image[40] = 9;
        let read = Container::parse(&image).unwrap();
        assert!(read.encrypted);
        assert_eq!(read.iv.unwrap()[4], 9);
    }

    proptest! {
        #[test]
        fn packed_is_read_back(monitor: Vec<u8>, os: Vec<u8>) {
            let image = Container::pack(&monitor, &os, TosType::Trusty).unwrap();
            let read = Container::parse(&image).unwrap();
            prop_assert_eq!(read.os, &os[..]);
            prop_assert_eq!(&read.monitor[..monitor.len()], &monitor[..]);
            prop_assert_eq!(Container::pack(read.monitor, read.os, read.tos_type).unwrap(), image.clone());
            prop_assert_eq!(announced_size(&image), Some(image.len()));
        }

        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let _ = Container::parse(&bytes);
            let mut image = Container::pack(b"m", b"o", TosType::Trusty).unwrap();
            for (to, from) in image.iter_mut().zip(&bytes) { *to = *from; }
            let _ = Container::parse(&image);
        }
    }
}
