//! Keys of 16 bytes, and how NVIDIA's sources derive one from another.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use cmac::{Cmac, Mac};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a key, a vector and a block.
pub const BLOCK: usize = 16;

/// A key. It is wiped when it is dropped, and shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; BLOCK]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Why a file's bytes are no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not hexadecimal, or of another length.
    #[error("a key here is 32 hexadecimal digits, as NVIDIA's gen_ekb.py reads them; this is {0}")]
    Form(&'static str),
}

impl Key {
    /// KEK2 of a device without fuses: all zero.
    pub fn no_fuses() -> Self {
        Self(Zeroizing::new([0; BLOCK]))
    }

    /// A key of these bytes.
    pub fn new(bytes: [u8; BLOCK]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key file: 32 hexadecimal digits, with or without 0x before them, and white space around.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        let text = file.trim_ascii();
        let text = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
        if text.iter().any(|byte| !byte.is_ascii_hexdigit()) {
            return Err(KeyError::Form("something else"));
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        let mut key = Self::no_fuses();
        let (pairs, rest) = text.as_chunks::<2>();
        if pairs.len() != BLOCK || !rest.is_empty() {
            let fewer = text.len() < 2 * BLOCK;
            return Err(KeyError::Form(if fewer { "fewer digits" } else { "more digits" }));
        }
        for (byte, [high, low]) in key.0.iter_mut().zip(pairs) {
            *byte = digit(*high) << 4 | digit(*low);
        }
        Ok(key)
    }

    /// Its bytes, which are a secret.
    pub fn bytes(&self) -> &[u8; BLOCK] {
        &self.0
    }

    /// AES-128 of one block.
    pub fn encrypt(&self, block: &[u8; BLOCK]) -> Key {
        let mut block = (*block).into();
        Aes128::new(&(*self.0).into()).encrypt_block(&mut block);
        Key::new(block.into())
    }

    /// The key that NIST SP 800-108 derives with a counter and AES-CMAC: `01 label 00 context`, one block.
    pub fn derive(&self, label: &str, context: &str) -> Key {
        let mut mac = self.mac();
        for part in [&[1], label.as_bytes(), &[0], context.as_bytes()] {
            mac.update(part);
        }
        Key::new(mac.finalize().into_bytes().into())
    }

    /// AES-CMAC with this key.
    pub(super) fn mac(&self) -> Cmac<Aes128> {
        KeyInit::new(&(*self.0).into())
    }

    /// The cipher with this key.
    pub(super) fn cipher(&self) -> Aes128 {
        Aes128::new(&(*self.0).into())
    }
}
