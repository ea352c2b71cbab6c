//! The headers that NVIDIA's tools put in front of what they sign: 4096 bytes for t194, 400 for t186.
//!
//! Seen in files of L4T R32.7.2. t194: `NVDA` at 0; at 0xbb0 four letters that name the content (`TOSB` the secure-os image, `MBCT`
//! the MB1 BCT) and a little-endian `u32` with its length; the content's SHA-256 at 0xbe0; the content at 0x1000. What NVIDIA has
//! signed itself (MB1, MTS, SC7) has its own name and length at 0xf00, and zeros at 0xbb0 until the user's tools sign it, too.
//!
//! t186: `GSHV` at 0; at 0x184 a `u32` that tells how it is signed, at 0x188 one with the content's length; the content at 0x190. Nothing
//! names the content: its own first bytes tell. For boards without keys (5 at 0x184) there is an AES-128-CMAC at 8, with a key
//! of zeros, of all from 0x180 on. What the boot ROM of t186 gets (SC7, RCM messages) has a header of 0x520 bytes, with the file's length
//! at 0 and 0x510, the content's at 0x51c, and the CMAC at 0x390 of all from 0x500 on. What NVIDIA has signed itself (MTS, SC7)
//! keeps its own header behind these, and MB1 has that alone.
//!
//! What is signed is the file itself, filled up to a multiple of 16 bytes with 0x80 and zeros. Of a file that has a header already the
//! new one takes its place.

use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Bytes of the header for t194, the largest.
pub const HEADER: usize = 0x1000;
const MAGIC: &[u8; 4] = b"NVDA";
/// Bytes of the header for t186.
pub const HEADER_186: usize = 0x190;
const MAGIC_186: &[u8; 4] = b"GSHV";
const MAC_186: Range<usize> = 0x08..0x18;
/// Where that which the MAC is of begins.
const MACED_186: usize = 0x180;
/// The same of what the boot ROM gets.
const ROM_HEADER_186: usize = 0x520;
const ROM_TOTALS_186: [Range<usize>; 2] = [0..4, 0x510..0x514];
const ROM_LENGTH_186: Range<usize> = 0x51c..0x520;
const ROM_MAC_186: Range<usize> = 0x390..0x3a0;
const ROM_MACED_186: usize = 0x500;
const TYPE_186: Range<usize> = 0x184..0x188;
const LENGTH_186: Range<usize> = 0x188..0x18c;
/// The version of an MB1 BCT.
const MB1_BCT_VERSION_186: u32 = 0xf;
/// Signed with a key of zeros.
const NO_KEY_186: u32 = 5;
/// What the content of a signed secure-os image and of an EKB begin with, and where.
const MARKS_186: [(usize, &[u8], &[u8; 4]); 2] = [(0, b"NVTOSP", b"TOSB"), (4, b"NVEKBP", b"EKSB")];
const KIND: Range<usize> = 0xbb0..0xbb4;
const LENGTH: Range<usize> = 0xbb4..0xbb8;
const DIGEST: Range<usize> = 0xbe0..0xc00;
/// Name and length of what NVIDIA has signed itself.
const NVIDIAS_KIND: Range<usize> = 0xf00..0xf04;
const NVIDIAS_LENGTH: Range<usize> = 0xf04..0xf08;

/// Four letters, and what they name.
const KINDS: [(&[u8; 4], &str); 22] = [
    (b"TOSB", "secure-os image"),
    (b"MBCT", "MB1 BCT"),
    (b"MEMB", "memory BCT"),
    (b"MB1B", "MB1, the first boot loader"),
    (b"MB2B", "MB2, the second boot loader"),
    (b"CPBL", "CPU boot loader"),
    (b"CDTB", "device tree of the boot loader"),
    (b"KRNL", "kernel (boot.img)"),
    (b"KDTB", "device tree of the kernel"),
    (b"BPMF", "BPMP firmware"),
    (b"BPMD", "device tree of the BPMP"),
    (b"EKSB", "encrypted key blob"),
    (b"SPEF", "SPE firmware"),
    (b"RCEF", "RCE firmware"),
    (b"SCEF", "SCE firmware"),
    (b"APEF", "ADSP firmware"),
    (b"XUSB", "XUSB firmware"),
    (b"WB0B", "SC7 resume firmware (warmboot)"),
    (b"MTSP", "MTS preboot"),
    (b"MTSM", "MTS MCE"),
    (b"MTSB", "MTS, the CPU's microcode"),
    (b"DECC", "DRAM ECC firmware"),
];

/// The name of four letters in a header, if they are known.
pub fn kind_name(kind: [u8; 4]) -> Option<&'static str> {
    KINDS.iter().find(|(letters, _)| **letters == kind).map(|(_, name)| *name)
}

/// A part that NVIDIA has signed itself and nobody else has: its four letters and the bytes behind the header.
pub fn nvidias_own(file: &[u8]) -> Option<([u8; 4], usize)> {
    let empty = file.starts_with(MAGIC) && file.get(KIND)? == [0; 4];
    let kind: [u8; 4] = file.get(NVIDIAS_KIND)?.try_into().ok()?;
    let length = u32::from_le_bytes(file.get(NVIDIAS_LENGTH)?.try_into().ok()?) as usize;
    (empty && kind_name(kind).is_some()).then_some((kind, length))
}

/// Contents are filled up to a multiple of this many bytes.
pub const ALIGNMENT: usize = 16;
/// What they are filled up with: as much of its front as is needed.
const FILL: [u8; ALIGNMENT] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// What NVIDIA's tools sign of a file: all of it, or what is behind the header for t194 that it has already.
pub fn payload(file: &[u8]) -> &[u8] {
    let has_header = Signed::parse(file).is_some_and(|signed| signed.header.len() == HEADER);
    if has_header || nvidias_own(file).is_some() { file.get(HEADER..).unwrap_or(file) } else { file }
}

fn word(bytes: &[u8], range: Range<usize>) -> Option<u32> {
    bytes.get(range)?.try_into().ok().map(u32::from_le_bytes)
}

/// What is put behind so many bytes before they are signed.
pub fn fill(length: u64) -> &'static [u8] {
    match (length % ALIGNMENT as u64) as usize {
        0 => &[],
        more => FILL.get(..ALIGNMENT - more).unwrap_or_default(),
    }
}

/// Whether a signed content is made of this file.
pub fn is_made_of(content: &[u8], file: &[u8]) -> bool {
    let payload = payload(file);
    let behind = content.strip_prefix(payload);
    behind.is_some_and(|behind| behind == fill(payload.len() as u64))
}

/// Whether a content of so many bytes is an MB1 BCT of t186: its own length, and its version.
pub(crate) fn is_mb1_bct_186(content: &[u8], length: usize) -> bool {
    word(content, 0..4).is_some_and(|size| size as usize == length)
        && word(content, 4..8) == Some(MB1_BCT_VERSION_186)
}

/// What a header says that its content is proved by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// t194: the SHA-256 of the content.
    Sha256([u8; 32]),
    /// t186, without keys: an AES-128-CMAC with a key of zeros, of the header from an offset on and the content.
    Cmac([u8; 16], usize),
    /// t186, with keys: nothing that could be checked without them.
    Keyed,
}

/// A signed file's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Four letters that name the content, as t194 has them; of t186 those of what is known by its own first bytes, or zeros.
    pub kind: [u8; 4],
    /// Bytes of the content that the header announces.
    pub length: usize,
    /// What the content is proved by.
    pub seal: Seal,
    /// The header.
    pub header: &'a [u8],
    /// What is behind the header, encrypted if it was signed with an SBK.
    pub content: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads a signed file, or a partition that holds one: then `content` ends where the header says. `None` if it has no such
    /// header.
    pub fn parse(file: &'a [u8]) -> Option<Self> {
        if file.starts_with(MAGIC_186) {
            return Self::parse_186(file);
        }
        if !file.starts_with(MAGIC) {
            return Self::parse_rom_186(file);
        }
        let (header, behind) = file.split_at_checked(HEADER)?;
        // NVIDIA's own header for t186 has the same magic, and other things there.
        let letters = |kind: &[u8; 4]| kind.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let kind = header.get(KIND)?.try_into().ok().filter(letters)?;
        let length = u32::from_le_bytes(header.get(LENGTH)?.try_into().ok()?) as usize;
        let seal = Seal::Sha256(header.get(DIGEST)?.try_into().ok()?);
        Some(Self { kind, length, seal, header, content: behind.get(..length).unwrap_or(behind) })
    }

    fn parse_186(file: &'a [u8]) -> Option<Self> {
        let (header, behind) = file.split_at_checked(HEADER_186)?;
        let length = word(header, LENGTH_186)? as usize;
        let seal = match word(header, TYPE_186)? {
            NO_KEY_186 => Seal::Cmac(header.get(MAC_186)?.try_into().ok()?, MACED_186),
            _ => Seal::Keyed,
        };
        let mut marks = MARKS_186.iter();
        let marked = marks.find(|(at, mark, _)| behind.get(*at..).is_some_and(|rest| rest.starts_with(mark)));
        let kind = match marked {
            Some((_, _, kind)) => **kind,
            None if is_mb1_bct_186(behind, length) => *b"MBCT",
            None => [0; 4],
        };
        Some(Self { kind, length, seal, header, content: behind.get(..length).unwrap_or(behind) })
    }

    fn parse_rom_186(file: &'a [u8]) -> Option<Self> {
        let (header, behind) = file.split_at_checked(ROM_HEADER_186)?;
        let length = word(header, ROM_LENGTH_186)? as usize;
        let total = u32::try_from(ROM_HEADER_186.checked_add(length)?).ok()?;
        if length == 0 || !ROM_TOTALS_186.iter().all(|range| word(header, range.clone()) == Some(total)) {
            return None;
        }
        let mac: [u8; 16] = header.get(ROM_MAC_186)?.try_into().ok()?;
        let seal = if mac == [0; 16] { Seal::Keyed } else { Seal::Cmac(mac, ROM_MACED_186) };
        Some(Self { kind: [0; 4], length, seal, header, content: behind.get(..length).unwrap_or(behind) })
    }

    /// The content's name, for people.
    pub fn name(&self) -> String {
        let what = kind_name(self.kind).unwrap_or("part of the boot chain");
        match self.kind {
            [0, 0, 0, 0] => what.into(),
            kind => format!("{what} ({})", kind.escape_ascii()),
        }
    }

    /// Whether the content is what the header was made for, as far as it can be told: `None` of a file with keys of t186.
    pub fn holds(&self) -> Option<bool> {
        let mut check = SealCheck::new(self);
        check.take(self.content);
        check.holds()
    }
}

/// Compares a content with its header's seal, block by block.
#[derive(Clone, Debug)]
pub struct SealCheck {
    seal: Seal,
    left: usize,
    sha256: Sha256,
    cmac: Cmac<Aes128>,
}

impl SealCheck {
    /// For a file of which the header was read.
    pub fn new(signed: &Signed) -> Self {
        let mut cmac: Cmac<Aes128> = KeyInit::new(&Default::default());
        if let Seal::Cmac(_, from) = signed.seal {
            cmac.update(signed.header.get(from..).unwrap_or_default());
        }
        Self { seal: signed.seal, left: signed.length, sha256: Sha256::new(), cmac }
    }

    /// Takes the next bytes of the content; what is behind it does not count.
    pub fn take(&mut self, block: &[u8]) {
        let block = block.get(..self.left).unwrap_or(block);
        self.left -= block.len();
        match self.seal {
            Seal::Sha256(_) => self.sha256.update(block),
            Seal::Cmac(..) => self.cmac.update(block),
            Seal::Keyed => {}
        }
    }

    /// Whether all that was taken is the content that the header was made for.
    pub fn holds(self) -> Option<bool> {
        let whole = self.left == 0;
        match self.seal {
            Seal::Sha256(digest) => Some(whole && self.sha256.finalize()[..] == digest),
            Seal::Cmac(mac, _) => Some(whole && self.cmac.finalize().into_bytes()[..] == mac),
            Seal::Keyed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut file = vec![0; HEADER];
        file[..4].copy_from_slice(MAGIC);
        file[KIND].copy_from_slice(kind);
        file[LENGTH].copy_from_slice(&(content.len() as u32).to_le_bytes());
        [&file, content].concat()
    }

    #[test]
    fn contents_are_named() {
        let mut partition = file(b"TOSB", b"image");
        assert_eq!(Signed::parse(&partition).unwrap().content, b"image");
        partition.extend([0; 9]);
        let signed = Signed::parse(&partition).unwrap();
        assert_eq!((signed.content, signed.length), (&b"image"[..], 5));
        assert_eq!(signed.name(), "secure-os image (TOSB)");
        assert_eq!(Signed::parse(&file(b"BINF", b"")).unwrap().name(), "part of the boot chain (BINF)");
        assert_eq!(
            Signed::parse(&file(b"\xff\0\0\0", b"")),
            None,
            "no letters: NVIDIA's own header for t186"
        );
        assert_eq!(Signed::parse(b"NVDA"), None);
        assert_eq!(Signed::parse(b"NVTOSP"), None);
    }

    /// What NVIDIA's tools have signed without keys for t186, of L4T R32.7.2: the MAC is as `tegrasign_v3.py` makes it.
    #[test]
    fn the_header_of_t186_is_read() {
        let content = b"NVTOSP and some more of an image";
        let mut file = b"GSHV".to_vec();
        file.resize(HEADER_186, 0);
        file[TYPE_186][0] = 5;
        file[LENGTH_186][0] = content.len() as u8;
        file.extend(content);
        let mut cmac: Cmac<Aes128> = KeyInit::new(&[0; 16].into());
        cmac.update(&file[MACED_186..]);
        file[MAC_186].copy_from_slice(&cmac.finalize().into_bytes());
        let partition = [&file[..], &[0; 9]].concat();
        let signed = Signed::parse(&partition).unwrap();
        assert_eq!((&signed.kind, signed.length, signed.holds()), (b"TOSB", content.len(), Some(true)));
        assert_eq!(signed.content, content);
        for at in [0x180, HEADER_186, file.len() - 1] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_eq!(Signed::parse(&changed).unwrap().holds(), Some(false), "{at}");
        }
        assert_eq!(Signed::parse(&file[..file.len() - 1]).unwrap().holds(), Some(false));
        file[TYPE_186][0] = 1;
        assert_eq!(Signed::parse(&file).unwrap().holds(), None, "with keys");
        file[HEADER_186] = 0;
        let unknown = Signed::parse(&file).unwrap();
        assert_eq!((unknown.kind, unknown.name().as_str()), ([0; 4], "part of the boot chain"));
        assert_eq!(Signed::parse(&file[..HEADER_186 - 1]), None);
    }

    /// As SC7's resume firmware and the RCM messages of t186 are.
    #[test]
    fn what_the_boot_rom_of_t186_gets_is_read() {
        let mut file = vec![0; ROM_HEADER_186];
        file.extend(b"NVDA and so on..");
        let total = (file.len() as u32).to_le_bytes();
        ROM_TOTALS_186.into_iter().for_each(|range| file[range].copy_from_slice(&total));
        file[ROM_LENGTH_186][0] = 16;
        assert_eq!(Signed::parse(&file).unwrap().holds(), None, "with keys");
        let mut cmac: Cmac<Aes128> = KeyInit::new(&[0; 16].into());
        cmac.update(&file[ROM_MACED_186..]);
        file[ROM_MAC_186].copy_from_slice(&cmac.finalize().into_bytes());
        let signed = Signed::parse(&file).unwrap();
        assert_eq!((signed.content, signed.holds()), (&b"NVDA and so on.."[..], Some(true)));
        file[ROM_HEADER_186] ^= 1;
        assert_eq!(Signed::parse(&file).unwrap().holds(), Some(false));
        file[0] ^= 1;
        assert_eq!(Signed::parse(&file), None, "another length");
    }

    #[test]
    fn contents_are_traced_to_files() {
        assert!(is_made_of(b"0123456789abcdef", b"0123456789abcdef"));
        assert!(is_made_of(b"0123456789abc\x80\0\0", b"0123456789abc"));
        assert!(
            is_made_of(b"0123456789abcdef", &file(b"MB1B", b"0123456789abcdef")),
            "its header is replaced"
        );
        for other in [&b"0123456789abc\0\0\0"[..], b"0123456789abc", b"0123456789abx\x80\0\0", b""] {
            assert!(!is_made_of(other, b"0123456789abc"), "{other:?}");
        }
        assert_eq!(fill(15), [0x80]);
        assert_eq!(fill(17).len(), 15);
    }

    #[test]
    fn what_nvidia_alone_has_signed_is_told() {
        let mut own = file(&[0; 4], b"");
        own[NVIDIAS_KIND].copy_from_slice(b"MB1B");
        own[NVIDIAS_LENGTH].copy_from_slice(&0x1234u32.to_le_bytes());
        assert_eq!(nvidias_own(&own), Some((*b"MB1B", 0x1234)));
        own[KIND].copy_from_slice(b"MB1B");
        assert_eq!(nvidias_own(&own), None, "the user's tools have signed it, too");
        assert_eq!(nvidias_own(&file(&[0; 4], b"")), None);
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>, at in 0usize..0x1100) {
            let _ = Signed::parse(&bytes);
            let _ = is_made_of(&bytes, &bytes);
            let _ = nvidias_own(&bytes);
            let mut file = file(b"TOSB", b"image");
            for (to, from) in file.iter_mut().skip(at).zip(&bytes) { *to = *from; }
            let _ = Signed::parse(&file);
            file[..4].copy_from_slice(MAGIC_186);
            let _ = Signed::parse(&file).map(|signed| signed.holds());
        }
    }
}
