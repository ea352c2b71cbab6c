//! The encrypted key blob (EKB) of the partition `eks`: keys that Trusty's hwkey-agent gives to Linux and to trusted apps.
//!
//! Little endian: `u32` length of all behind it, `NVEKBP\0\0`, 4 bytes of padding, a CMAC (16), an IV (16), keys encrypted with
//! AES-128-CBC, padding. The CMAC covers the IV and the keys, not the padding. Its key comes of KEK2, which fuses hold:
//! root = AES-128-ECB(KEK2, a fixed vector), key = CMAC(root, 01 "authentication" 00 "ekb"). Source: `gen_ekb.py`,
//! `ekb_helper.c` and `key_mgnt.c` of hwkey-agent, L4T R32.7.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use cmac::{Cmac, Mac};

const MAGIC: &[u8; 8] = b"NVEKBP\0\0";
/// Where the CMAC lies, and what it covers from.
const CMAC: std::ops::Range<usize> = 16..32;
const IV: usize = 32;
const KEYS: usize = 48;
const BLOCK: usize = 16;
/// The vector of NVIDIA's sample, which users replace by their own.
const SAMPLE_VECTOR: [u8; 16] =
    [0xba, 0xd6, 0x6e, 0xb4, 0x48, 0x49, 0x83, 0x68, 0x4b, 0x99, 0x2f, 0xe5, 0x4a, 0x64, 0x8b, 0xb8];
/// KEK2 of a device without fuses.
const NO_FUSES: [u8; 16] = [0; 16];
/// `gen_ekb.py` makes none larger, in bytes.
const MAX: usize = 128 << 10;

/// An encrypted key blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ekb<'a> {
    /// Bytes of the whole, as it announces.
    pub size: usize,
    bytes: &'a [u8],
}

/// Why bytes with an EKB's mark are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EkbError {
    /// Fewer bytes than it announces, or than one key takes.
    #[error("the key blob announces {announced} bytes, {present} are there")]
    Short {
        /// Bytes that it should have.
        announced: usize,
        /// Bytes that it has.
        present: usize,
    },
    /// A length that no key blob has.
    #[error("the key blob announces {0} bytes; 64 bytes to 128 KiB are possible")]
    Size(usize),
}

impl<'a> Ekb<'a> {
    /// Whether bytes have the mark of an EKB.
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.get(4..12) == Some(MAGIC)
    }

    /// Reads a blob; bytes behind it are those of a partition. `None` without the mark.
    pub fn parse(bytes: &'a [u8]) -> Option<Result<Self, EkbError>> {
        if !Self::looks_like(bytes) {
            return None;
        }
        let length = bytes.first_chunk::<4>().map_or(0, |word| u32::from_le_bytes(*word) as usize);
        let size = length.saturating_add(4);
        if !(KEYS + BLOCK..=MAX).contains(&size) {
            return Some(Err(EkbError::Size(size)));
        }
        let short = EkbError::Short { announced: size, present: bytes.len() };
        Some(bytes.get(..size).map(|bytes| Self { size, bytes }).ok_or(short))
    }

    /// How many keys of 16 bytes are in it, if it is encrypted with NVIDIA's sample key: KEK2 of a device without fuses and the
    /// vector of NVIDIA's sources. Then its keys are no secret.
    pub fn sample_keys(&self) -> Option<usize> {
        let mut root = SAMPLE_VECTOR.into();
        Aes128::new(&NO_FUSES.into()).encrypt_block(&mut root);
        let mut mac: Cmac<Aes128> = KeyInit::new(&root);
        mac.update(b"\x01authentication\0ekb");
        let key = mac.finalize().into_bytes();
        let expected = self.bytes.get(CMAC)?;
        // How many keys there are is not said: the CMAC is that of the IV and so many.
        let mut mac: Cmac<Aes128> = KeyInit::new(&key);
        mac.update(self.bytes.get(IV..KEYS)?);
        for (index, block) in self.bytes.get(KEYS..)?.chunks_exact(BLOCK).enumerate() {
            mac.update(block);
            if mac.clone().verify_slice(expected).is_ok() {
                return Some(index + 1);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Begin of `eks.img` of L4T R32.7.2: header, CMAC, IV, two keys; padding follows.
    fn nvidias() -> Vec<u8> {
        let hex = "000400004e56454b42500000000000003dc4dbc6b7b807c6f75c5230a2d760aa355223af61f2c201769b43680aae2b49\
                   789bb6e928ec6dffe092155b760d297251c2aa939e53cd8ccced25320e3aaf7c";
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let mut bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        bytes.resize(0x404, 0xb4);
        // As in the partition: the tools pad what they sign.
        bytes.extend([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn nvidias_own_is_told_from_others() {
        let mut bytes = nvidias();
        let ekb = Ekb::parse(&bytes).unwrap().unwrap();
        assert_eq!((ekb.size, ekb.sample_keys()), (1028, Some(2)));
        bytes[0x35] ^= 1;
        assert_eq!(Ekb::parse(&bytes).unwrap().unwrap().sample_keys(), None);
    }

    #[test]
    fn sizes_are_checked() {
        let bytes = nvidias();
        assert_eq!(Ekb::parse(&bytes[..64]), Some(Err(EkbError::Short { announced: 1028, present: 64 })));
        for length in [0, 40, u32::MAX] {
            let changed = [&length.to_le_bytes()[..], &bytes[4..]].concat();
            assert!(matches!(Ekb::parse(&changed), Some(Err(EkbError::Size(_)))), "{length}");
        }
        assert_eq!(Ekb::parse(b"NVEKBP\0\0"), None);
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>, at in 0usize..80) {
            if let Some(Ok(ekb)) = Ekb::parse(&bytes) { let _ = ekb.sample_keys(); }
            let mut changed = nvidias();
            for (to, from) in changed.iter_mut().skip(at).zip(&bytes) { *to = *from; }
            if let Some(Ok(ekb)) = Ekb::parse(&changed) { let _ = ekb.sample_keys(); }
        }
    }
}
