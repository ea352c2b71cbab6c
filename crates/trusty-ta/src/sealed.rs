//! Sealing: what a TA gives to Linux to keep, and knows again.
//!
//! XChaCha20-Poly1305 under a key of [`crate::hwkey`]: what that key is worth, this is. The nonce is a keyed BLAKE2s of name and content, 192
//! bits of it, so that no randomness is needed. The price: the same name and content always give the same bytes. Whoever keeps two of them sees
//! that nothing has changed, and a client that may have things sealed can try out whether a content is the one that it guesses. Put a counter
//! into the content where that matters. The length of the content shows.
//!
//! It protects what is sealed from being read or changed, and from being given under another name. It does not tell an old content from
//! the newest one: Linux can keep both. Another EKB opens nothing of it: open all and seal it anew before a device gets one.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `CVS1` |
//! | 24 | nonce |
//! | as the content | the content, encrypted |
//! | 16 | tag |

use crate::hwkey::EkbKey;
use alloc::vec::Vec;
use blake2::Blake2s256;
use blake2::digest::Digest;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use trusty_abi::Uuid;
use zeroize::Zeroizing;

const MAGIC: &[u8; 4] = b"CVS1";
const NONCE: usize = 24;
const TAG: usize = 16;
/// Bytes that sealing adds.
pub const OVERHEAD: usize = MAGIC.len() + NONCE + TAG;

/// Why something is not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The heap has no room for the result.
    NoMemory,
    /// It is no sealed content, or cut off.
    Form,
    /// It was sealed by another TA, chip or EKB, under another name, or it was changed.
    Other,
}

impl core::error::Error for SealError {}

impl core::fmt::Display for SealError {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoMemory => "the heap has no room for what is sealed",
            Self::Form => "it is no sealed content",
            Self::Other => {
                "it was sealed by another trusted app, chip or EKB, under another name, or it was changed"
            }
        })
    }
}

/// Seals and opens for one TA.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    nonces: Zeroizing<[u8; 32]>,
}

impl Sealer {
    /// For a TA, its own UUID: other chips of the fleet do not open it, unless somebody with the EKB's key helps.
    pub fn new(key: &EkbKey, app: &Uuid) -> Self {
        Self::of(app, |purpose| key.derive_for_sealing(false, purpose))
    }

    /// For a TA, on all chips with this EKB.
    pub fn for_fleet(key: &EkbKey, app: &Uuid) -> Self {
        Self::of(app, |purpose| key.derive_for_sealing(true, purpose))
    }

    fn of(app: &Uuid, derive: impl Fn(&[u8]) -> Zeroizing<[u8; 32]>) -> Self {
        let key = |what: &[u8; 16]| {
            let mut purpose = [0; 32];
            let (first, second) = purpose.split_at_mut(16);
            first.copy_from_slice(what);
            second.copy_from_slice(&app.0);
            derive(&purpose)
        };
        let cipher = XChaCha20Poly1305::new((&*key(b"carveout sealed:")).into());
        Self { cipher, nonces: key(b"carveout nonces:") }
    }

    /// Seals a content under a name.
    pub fn seal(&self, name: &[u8], content: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce = self.nonce(name, content);
        let mut sealed = Vec::new();
        sealed.try_reserve_exact(content.len().saturating_add(OVERHEAD)).map_err(|_| SealError::NoMemory)?;
        for part in [MAGIC, &nonce[..], content] {
            sealed.extend_from_slice(part);
        }
        let body = sealed.get_mut(MAGIC.len() + NONCE..).unwrap_or_default();
        let tag =
            self.cipher.encrypt_inout_detached(&nonce, name, body.into()).map_err(|_| SealError::Form)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what was sealed under this name.
    pub fn open(&self, name: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, body, tag) = parts(sealed).ok_or(SealError::Form)?;
        let mut content = Zeroizing::new(Vec::new());
        content.try_reserve_exact(body.len()).map_err(|_| SealError::NoMemory)?;
        content.extend_from_slice(body);
        let opened = self.cipher.decrypt_inout_detached(&nonce, name, content.as_mut_slice().into(), &tag);
        opened.map_err(|_| SealError::Other)?;
        Ok(content)
    }

    fn nonce(&self, name: &[u8], content: &[u8]) -> XNonce {
        let mut hash = Blake2s256::new();
        for part in [&self.nonces[..], &(name.len() as u64).to_le_bytes(), name, content] {
            hash.update(part);
        }
        let hash = hash.finalize();
        let mut nonce = XNonce::default();
        nonce.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        nonce
    }
}

/// Nonce, content and tag.
fn parts(sealed: &[u8]) -> Option<(XNonce, &[u8], Tag)> {
    let (nonce, rest) = sealed.strip_prefix(MAGIC)?.split_first_chunk::<NONCE>()?;
    let (body, tag) = rest.split_last_chunk::<TAG>()?;
    Some(((*nonce).into(), body, (*tag).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const APP: Uuid = Uuid([7; 16]);

    fn key() -> EkbKey {
        EkbKey::new(*b"not a secret: 02", 0x1234)
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_alone() {
        let (sealer, content) = (Sealer::new(&key(), &APP), b"a counter: 7".as_slice());
        let sealed = sealer.seal(b"counter", content).unwrap();
        assert_eq!(sealed.len(), content.len() + OVERHEAD);
        assert_eq!(*sealer.open(b"counter", &sealed).unwrap(), content);
        assert_eq!(Sealer::new(&key(), &APP).seal(b"counter", content).unwrap(), sealed, "it repeats");
        for (other, why) in [
            (Sealer::new(&key(), &Uuid([8; 16])), "another app"),
            (Sealer::new(&EkbKey::new(*b"not a secret: 02", 0x1235), &APP), "another chip"),
            (Sealer::new(&EkbKey::new(*b"not a secret: 01", 0x1234), &APP), "another EKB"),
            (Sealer::for_fleet(&key(), &APP), "a fleet's"),
        ] {
            assert_eq!(other.open(b"counter", &sealed), Err(SealError::Other), "{why}");
        }
        assert_eq!(sealer.open(b"counte", &sealed), Err(SealError::Other));
        let fleet = Sealer::for_fleet(&key(), &APP).seal(b"x", content).unwrap();
        let brother = Sealer::for_fleet(&EkbKey::new(*b"not a secret: 02", 0x9999), &APP);
        assert_eq!(*brother.open(b"x", &fleet).unwrap(), content);
    }

    #[test]
    fn no_byte_can_be_changed_or_lacking() {
        let sealer = Sealer::new(&key(), &APP);
        let sealed = sealer.seal(b"n", b"content").unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                let expected = if at < MAGIC.len() { SealError::Form } else { SealError::Other };
                assert_eq!(sealer.open(b"n", &changed), Err(expected), "{at}");
            }
            assert!(sealer.open(b"n", &sealed[..at]).is_err(), "{at}");
        }
        assert!(sealer.open(b"n", &[&sealed[..], &[0]].concat()).is_err());
    }

    /// A name's end is no content's begin.
    #[test]
    fn names_and_contents_do_not_run_into_each_other() {
        let sealer = Sealer::new(&key(), &APP);
        let nonce = |name: &[u8], content: &[u8]| sealer.seal(name, content).unwrap()[4..28].to_vec();
        assert_ne!(nonce(b"ab", b"c"), nonce(b"a", b"bc"));
        assert_ne!(nonce(b"", b"abc"), nonce(b"abc", b""));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(name: Vec<u8>, content: Vec<u8>, noise: Vec<u8>) {
            let sealer = Sealer::new(&key(), &APP);
            let sealed = sealer.seal(&name, &content).unwrap();
            prop_assert_eq!(&*sealer.open(&name, &sealed).unwrap(), &content);
            prop_assert!(sealer.open(&name, &noise).is_err());
        }
    }
}
