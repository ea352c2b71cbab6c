//! Traces signed files back to what they were made of, while they are read: the proof that what was checked is what is written.

use crate::hash::sha256;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tegra_bct::signed::{self, HEADER, SealCheck, Signed};

/// What a file that NVIDIA's tools have signed was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MadeOf {
    /// A file of the bundle, `bsp:` and a file of NVIDIA's BSP, or `given:` and what of `inputs.given` it was.
    pub file: String,
    /// Its bytes, without a signature's header that it may have had.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: String,
}

impl MadeOf {
    /// Describes a file with this content.
    pub fn new(file: impl Into<String>, content: &[u8]) -> Self {
        let payload = signed::payload(content);
        Self { file: file.into(), size: payload.len() as u64, sha256: sha256(payload) }
    }
}

/// What was found behind a signature's header, or in a file without one.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    /// Four letters that name the content, and whether it is what its header was made for, as far as that can be told; none without
    /// a header.
    pub(crate) signed: Option<([u8; 4], bool)>,
    /// SHA-256 of as many bytes as were asked for.
    sha256: String,
    /// What is behind them: no more of it than a fill takes, and a byte.
    behind: Vec<u8>,
    /// All bytes behind the header.
    size: u64,
}

/// Reads a file block by block.
#[derive(Debug)]
pub(crate) struct Tracer {
    head: Vec<u8>,
    /// Set when the head is whole: what the header names its content, and the check of it.
    header: Option<Option<([u8; 4], SealCheck)>>,
    /// Bytes of what it should be made of.
    wanted: u64,
    source: Sha256,
    behind: Vec<u8>,
    size: u64,
}

/// Bytes behind the wanted ones that are kept.
const BEHIND: usize = 17;

impl Tracer {
    /// For a file that should be made of so many bytes.
    pub(crate) fn new(wanted: u64) -> Self {
        let (head, behind) = (Vec::new(), Vec::new());
        Self { head, header: None, wanted, source: Sha256::new(), behind, size: 0 }
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, block: &[u8]) {
        if self.header.is_some() {
            return self.body(block);
        }
        let (head, rest) = block.split_at(block.len().min(HEADER - self.head.len()));
        self.head.extend_from_slice(head);
        if self.head.len() == HEADER {
            self.begin();
            self.body(rest);
        }
    }

    /// The head is whole, or all that there is.
    fn begin(&mut self) {
        let head = std::mem::take(&mut self.head);
        let signed = Signed::parse(&head);
        self.header = Some(signed.map(|signed| (signed.kind, SealCheck::new(&signed))));
        self.body(signed.map_or(&head, |signed| head.get(signed.header.len()..).unwrap_or_default()));
    }

    fn body(&mut self, block: &[u8]) {
        let front = |most: u64, at: u64| {
            let length = most.saturating_sub(at).min(block.len() as u64) as usize;
            block.split_at(length)
        };
        let (wanted, behind) = front(self.wanted, self.size);
        self.source.update(wanted);
        let room = BEHIND - self.behind.len();
        self.behind.extend(behind.iter().take(room));
        if let Some(Some((_, check))) = &mut self.header {
            check.take(block);
        }
        self.size += block.len() as u64;
    }

    /// All has been read.
    pub(crate) fn finish(mut self) -> Traced {
        if self.header.is_none() {
            self.begin();
        }
        let signed = self.header.flatten().map(|(kind, check)| (kind, check.holds().unwrap_or(true)));
        let sha256 = hex::encode(self.source.finalize());
        Traced { signed, sha256, behind: self.behind, size: self.size }
    }
}

impl Traced {
    /// What is wrong with a file that should be made of this; what is encrypted is known by its length alone.
    pub(crate) fn problem(&self, made_of: &MadeOf, encrypted: bool) -> Option<String> {
        let fill = if self.signed.is_some() { signed::fill(made_of.size) } else { &[] };
        let length = made_of.size.saturating_add(fill.len() as u64);
        if self.size != length {
            let what = if self.signed.is_some() { "behind its signature's header" } else { "in it" };
            let (file, size) = (made_of.file.escape_debug(), self.size);
            return Some(format!("has {size} bytes {what}, expected {length}: it is not made of {file}"));
        }
        if !encrypted && (self.sha256 != made_of.sha256 || self.behind != fill) {
            return Some(format!("is not made of {}: the contents differ", made_of.file.escape_debug()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> Vec<u8> {
        let mut file = vec![0; HEADER];
        file[..4].copy_from_slice(b"NVDA");
        file[0xbb0..0xbb4].copy_from_slice(b"TOSB");
        file[0xbb4..0xbb8].copy_from_slice(&(content.len() as u32).to_le_bytes());
        file[0xbe0..0xc00].copy_from_slice(&Sha256::digest(content));
        [&file, content].concat()
    }

    fn traced(file: &[u8], wanted: u64, block: usize) -> Traced {
        let mut tracer = Tracer::new(wanted);
        file.chunks(block).for_each(|block| tracer.take(block));
        tracer.finish()
    }

    #[test]
    fn a_signed_file_is_made_of_one_file_alone() {
        let made_of = MadeOf::new("secure-os/tos.img", b"0123456789abc");
        let good = file(b"0123456789abc\x80\0\0");
        for block in [1, 7, HEADER - 1, HEADER, HEADER + 1, 1 << 20] {
            let traced = traced(&good, made_of.size, block);
            assert_eq!(traced.signed, Some((*b"TOSB", true)), "{block}");
            assert_eq!(traced.problem(&made_of, false), None, "{block}");
        }
        let problem = |file: &[u8]| traced(file, made_of.size, 5000).problem(&made_of, false).unwrap();
        let other = file(b"0123456789abx\x80\0\0");
        assert_eq!(problem(&other), "is not made of secure-os/tos.img: the contents differ");
        assert_eq!(traced(&other, made_of.size, 9).problem(&made_of, true), None, "encrypted");
        assert!(problem(&file(b"0123456789abc\0\0\0")).contains("the contents differ"));
        let endless = MadeOf { size: u64::MAX, ..made_of.clone() };
        let endless = traced(&good, endless.size, 999).problem(&endless, false).unwrap();
        assert!(endless.contains("expected 18446744073709551615"), "{endless}");
        let long = problem(&file(&[0; 32]));
        assert!(long.starts_with("has 32 bytes behind its signature's header, expected 16"), "{long}");
    }

    #[test]
    fn exchanged_contents_do_not_fit_their_header() {
        let mut exchanged = file(b"0123456789abcdef");
        exchanged[HEADER] ^= 1;
        assert_eq!(traced(&exchanged, 0, 999).signed, Some((*b"TOSB", false)));
        let short = file(b"0123456789abcdef");
        assert_eq!(traced(&short[..HEADER + 4], 0, 999).signed, Some((*b"TOSB", false)));
    }

    #[test]
    fn files_without_header_are_themselves() {
        let made_of = MadeOf::new("bsp:bootloader/bmp.blob", b"pictures");
        let plain = traced(b"pictures", 8, 3);
        assert_eq!((plain.signed, plain.problem(&made_of, false)), (None, None));
        assert!(traced(b"pictures\0", 8, 3).problem(&made_of, false).is_some());
        assert!(traced(b"", 8, 3).problem(&made_of, false).is_some());
    }
}
