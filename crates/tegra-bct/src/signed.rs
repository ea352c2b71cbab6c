//! The header that NVIDIA's tools put in front of what they sign for t194: 4096 bytes.
//!
//! Seen in files of L4T R32.7.2: `NVDA` at 0; at 0xbb0 four letters that name the content (`TOSB` the secure-os image, `MBCT`
//! the MB1 BCT) and a little-endian `u32` with its length; the content's SHA-256 at 0xbe0; the content at 0x1000. What NVIDIA has
//! signed itself (MB1, MTS, SC7) has its own name and length at 0xf00, and zeros at 0xbb0 until the user's tools sign it, too.
//!
//! What is signed is the file itself, filled up to a multiple of 16 bytes with 0x80 and zeros. Of a file that has a header already the
//! new one takes its place.

/// Bytes of the header.
pub const HEADER: usize = 0x1000;
const MAGIC: &[u8; 4] = b"NVDA";
const KIND: std::ops::Range<usize> = 0xbb0..0xbb4;
const LENGTH: std::ops::Range<usize> = 0xbb4..0xbb8;
const DIGEST: std::ops::Range<usize> = 0xbe0..0xc00;
/// Name and length of what NVIDIA has signed itself.
const NVIDIAS_KIND: std::ops::Range<usize> = 0xf00..0xf04;
const NVIDIAS_LENGTH: std::ops::Range<usize> = 0xf04..0xf08;

/// Four letters, and what they name.
const KINDS: [(&[u8; 4], &str); 21] = [
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

/// What NVIDIA's tools sign of a file: all of it, or what is behind the header that it has already.
pub fn payload(file: &[u8]) -> &[u8] {
    if file.starts_with(MAGIC) { file.get(HEADER..).unwrap_or(file) } else { file }
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

/// A signed file's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Four letters that name the content.
    pub kind: [u8; 4],
    /// Bytes of the content that the header announces.
    pub length: usize,
    /// SHA-256 of the content, as the header has it.
    pub digest: [u8; 32],
    /// What is behind the header, encrypted if it was signed with an SBK.
    pub content: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads a signed file, or a partition that holds one: then `content` ends where the header says. `None` if it has no such
    /// header.
    pub fn parse(file: &'a [u8]) -> Option<Self> {
        if !file.starts_with(MAGIC) {
            return None;
        }
        let (header, behind) = file.split_at_checked(HEADER)?;
        let kind = header.get(KIND)?.try_into().ok()?;
        let length = u32::from_le_bytes(header.get(LENGTH)?.try_into().ok()?) as usize;
        let digest = header.get(DIGEST)?.try_into().ok()?;
        Some(Self { kind, length, digest, content: behind.get(..length).unwrap_or(behind) })
    }

    /// The content's name, for people.
    pub fn name(&self) -> String {
        let what = kind_name(self.kind).unwrap_or("part of the boot chain");
        format!("{what} ({})", self.kind.escape_ascii())
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
        assert_eq!(
            Signed::parse(&file(b"\xff\0\0\0", b"")).unwrap().name(),
            "part of the boot chain (\\xff\\x00\\x00\\x00)"
        );
        assert_eq!(Signed::parse(b"NVDA"), None);
        assert_eq!(Signed::parse(b"NVTOSP"), None);
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
        }
    }
}
